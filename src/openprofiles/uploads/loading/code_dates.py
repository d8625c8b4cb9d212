"""Find codes that a spreadsheet has turned into dates: ``1-Mar`` or ``Mar-01`` among ``KD7`` and ``SE12``."""

from __future__ import annotations

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.uploads.loading.noticed_values import find_noticed_values
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import CODE_DATES, Notice

# In English and German, and in Spanish and Italian, as spreadsheets write them.
_MONTHS = (
    "Jan|Feb|Mar|Mrz|Mär|Apr|May|Mai|Jun|Jul|Aug|Sep|Oct|Okt|Nov|Dec|Dez|"
    "ene|feb|mar|abr|may|jun|jul|ago|sep|oct|nov|dic|gen|apr|mag|giu|lug|set|ott"
)
_DATE = f"[0-9]{{1,2}}(-|[.] )({_MONTHS})|({_MONTHS})-[0-9]{{2}}"
_CODE = "[A-Za-z0-9]+([-_./][A-Za-z0-9]+)*"
_WHOLE_DATE = "[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}"
_ROWS_IN_SAMPLE = 10_000
_FEWEST_CODES = 10
_SHARE_OF_CODES = 0.9
_CODES_PER_DATE = 4


def find_code_dates(scratch: ScratchCursor, mapping: UploadMapping) -> list[Notice]:
    """Count the rows by field, also those of the unique key; the plan must be made."""
    if mapping.matches_group or scratch.record_count < _FEWEST_CODES:
        return []
    found = find_noticed_values(scratch, mapping, CODE_DATES, (_sql_is_date,), fields=mapping.fields)
    index_of = {field.path: f"v{index}" for index, field in enumerate(mapping.fields)}
    return [notice for notice in found if notice.path and _are_codes(scratch, index_of[notice.path])]


def _are_codes(scratch: ScratchCursor, value: str) -> bool:
    """Return whether nearly all of the other values of a column are codes."""
    is_code = (
        f"regexp_full_match({value}, '{_CODE}') and regexp_matches({value}, '[0-9]') "
        f"and not regexp_full_match({value}, '{_WHOLE_DATE}')"
    )
    dates, codes, others = scratch.only_row(
        f"select count(*) filter (is_date), count(*) filter (not is_date and {is_code}), count(*) filter (not is_date) "
        f"from (select {value}, {_sql_is_date(value)} as is_date from staged "
        f"where {value} <> '' and record % {scratch.record_count // _ROWS_IN_SAMPLE + 1} = 0)"
    )
    return bool(codes >= max(_FEWEST_CODES, _CODES_PER_DATE * dates, _SHARE_OF_CODES * others))


def _sql_is_date(value: str) -> str:
    # What few values have is looked for first, in a fraction of the time.
    return (
        f"strlen({value}) between 5 and 8 and (contains({value}, '-') or contains({value}, '. ')) "
        f"and ({value} like '%-___' or {value} like '___-__' or {value} like '%. ___') "
        f"and regexp_full_match({value}, '{_DATE}')"
    )
