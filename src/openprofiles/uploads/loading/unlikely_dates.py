"""The rows with a date of birth that a spreadsheet has changed: to the number of its day, or to one in the future."""

from __future__ import annotations

from datetime import datetime

from openprofiles.uploads.loading.birth_dates import BIRTH_DATE
from openprofiles.uploads.loading.scratch import ScratchCursor
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import MAX_LINES, UNLIKELY_DATES, Notice

# A spreadsheet changes the dates of a whole column, so some of them show it.
_ROWS_LOOKED_AT_FIRST = 1_000
# Later ones are years of the Buddhist calendar.
_LAST_YEAR = 2399


def find_unlikely_dates(scratch: ScratchCursor, mapping: UploadMapping, now: datetime) -> list[Notice]:
    """Count the rows; the plan must be made."""
    index = next((index for index, field in enumerate(mapping.fields) if field.path == BIRTH_DATE), None)
    if index is None or mapping.matches_group:
        return []
    value = f"v{index}"
    is_unlikely = (
        f"(regexp_full_match({value}, '[1-6][0-9]{{4}}') "
        rf"or try_cast(regexp_extract({value}, '\b2[0-9]{{3}}\b') as integer) between {now.year + 1} and {_LAST_YEAR})"
    )
    first = f"(select {value} from staged where {value} is not null limit {_ROWS_LOOKED_AT_FIRST})"
    if not scratch.value(f"select exists (select 1 from {first} where {is_unlikely})"):
        return []
    rows = f"from staged where {is_unlikely} and key is not null and record not in (select record from failed)"
    count = int(scratch.value(f"select count(*) {rows}"))
    lines = scratch.table(f"select line {rows} order by record limit {MAX_LINES}")["line"].to_pylist()
    return [Notice(UNLIKELY_DATES, BIRTH_DATE, count, tuple(lines))] if count else []
