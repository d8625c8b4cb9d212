"""Numbers that lost digits in a spreadsheet: ``6.01232E+15``, or rounded to 15 digits in the column of the unique key.

A row whose unique key is a number of the first kind fails. One of the second kind may be right, but if nearly all long
numbers end in zeros, they are not.
"""

from __future__ import annotations

from openprofiles.profiles.placeholders import sql_is_shortened_number
from openprofiles.uploads.loading.noticed_values import find_noticed_values
from openprofiles.uploads.loading.scratch import ScratchCursor
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import MAX_LINES, SHORTENED_VALUES, Notice

_LONG = "[1-9][0-9]{15,24}"
# Spreadsheets keep 15 digits.
_ROUNDED = "[1-9][0-9]{14}0+"
_FEWEST_LONG_KEYS = 10
_ROUNDED_SHARE = 0.9
_KEYS_IN_SAMPLE = 1_000


def find_shortened_values(scratch: ScratchCursor, mapping: UploadMapping) -> list[Notice]:
    """Count the rows by field, and those whose unique key was rounded; the plan must be made."""
    if mapping.matches_group:
        return []
    notices = find_noticed_values(scratch, mapping, SHORTENED_VALUES, (_sql_is_shortened,))
    return _find_rounded_keys(scratch, f"v{mapping.fields.index(mapping.unique_key)}") + notices


def _sql_is_shortened(value: str) -> str:
    # What few values have is looked for first, in a fifth of the time.
    return f"{value} between '0' and ':' and contains({value}, '+') and {sql_is_shortened_number(value)}"


def _find_rounded_keys(scratch: ScratchCursor, key: str) -> list[Notice]:
    """Count the rows whose key was rounded, if nearly all long keys end in zeros, as the first ones show."""
    rows = (
        f"from staged where {key} between '1' and ':' and strlen({key}) >= 16 and regexp_full_match({key}, '{_LONG}') "
        "and key is not null and record not in (select record from failed)"
    )
    is_rounded = f"regexp_full_match({key}, '{_ROUNDED}')"
    for sample in (f" limit {_KEYS_IN_SAMPLE}", ""):
        long, rounded = scratch.only_row(
            f"select count(*), count(*) filter ({is_rounded}) from (select {key} {rows}{sample})"
        )
        if long < _FEWEST_LONG_KEYS or rounded < _ROUNDED_SHARE * long:
            return []
    lines = scratch.table(f"select line {rows} and {is_rounded} order by record limit {MAX_LINES}")["line"].to_pylist()
    return [Notice(SHORTENED_VALUES, None, rounded, tuple(lines))]
