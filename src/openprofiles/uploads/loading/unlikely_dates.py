"""The rows with a date of birth that a spreadsheet has changed: to the number of its day, or to one in the future.

Also those whose day and month are in the other order than in most rows, where the column has both orders; and those
that a spreadsheet has read in the other order: it leaves the others, which have no such month, as they are.
"""

from __future__ import annotations

from datetime import datetime

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.uploads.loading.birth_dates import BIRTH_DATE
from openprofiles.uploads.loading.noticed_values import count_loaded_rows
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import UNLIKELY_DATES, Notice

# A spreadsheet changes the dates of a whole column, so some of them show it. One that cannot read some of them as
# dates leaves these as they are; and two lists that were put together differ at the end.
_ROWS_LOOKED_AT_FIRST = 1_000
_FEWEST_OF_ORDER, _SHARE_OF_ORDER = 5, 0.05
_DAY, _MONTH, _YEAR = "(1[3-9]|2[0-9]|3[01])", "(0?[1-9]|1[0-2])", r"([0-9]{2}|[0-9]{4})\b"
_DAY_FIRST, _MONTH_FIRST = f"^{_DAY}[/-]{_MONTH}[/-]{_YEAR}", f"^{_MONTH}[/-]{_DAY}[/-]{_YEAR}"
# What a spreadsheet has read as dates it writes in another form.
_FEWEST_READ, _SHARE_READ = 20, 0.95
_LOW = f"^{_MONTH}[/-]{_MONTH}[/-]{_YEAR}"
_ISO = r"^[0-9]{4}-[0-9]{2}-%s\b"
_FORMS = {"iso": "^[0-9]{4}-", "padded": r"^([0-9]+[/-])?0[0-9][/-]", "short": "^([0-9]+[/-])?[0-9][/-]"}
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
    orders = [f"regexp_matches({value}, '{order}')" for order in (_DAY_FIRST, _MONTH_FIRST)]
    counts = ", ".join(f"count(*) filter ({condition})" for condition in (is_unlikely, *orders))
    first = f"(select {value} from staged where {value} is not null limit {_ROWS_LOOKED_AT_FIRST})"
    last = f"record > {scratch.record_count - _ROWS_LOOKED_AT_FIRST} and record > {_ROWS_LOOKED_AT_FIRST}"
    looked_at = f"select * from {first} union all select {value} from staged where {last}"
    unlikely, *of_order, total = scratch.only_row(f"select {counts}, count({value}) from ({looked_at})")
    has_both = min(of_order) >= max(_FEWEST_OF_ORDER, _SHARE_OF_ORDER * total)
    exchanged = [orders[of_order.index(min(of_order))]] if has_both else []
    if max(of_order) >= _FEWEST_READ:
        exchanged += _find_low_dates(scratch, value, looked_at, f"({' or '.join(orders)})")
    if not (unlikely or exchanged):
        return []
    is_unlikely = f"({' or '.join([is_unlikely, *exchanged])})"
    return count_loaded_rows(scratch, UNLIKELY_DATES, BIRTH_DATE, "staged", f"{is_unlikely} and key is not null")


def _find_low_dates(scratch: ScratchCursor, value: str, looked_at: str, is_high: str) -> list[str]:
    """Find the dates that may have been exchanged, if all of one form and none of another one may.

    Args:
        looked_at: a query for some of the values.
        is_high: SQL condition: a date has only one order, in a form other than ISO.

    Returns:
        SQL conditions.
    """
    lows = [f"regexp_matches({value}, '{low}')" for low in (_LOW, _ISO % _MONTH)]
    form = "".join(f"when regexp_matches({value}, '{pattern}') then '{name}' " for name, pattern in _FORMS.items())
    of_form = scratch.table(
        f"select case {form} end as form, count(*) filter ({' or '.join(lows)}) as low, "
        f"count(*) filter ({is_high} or regexp_matches({value}, '{_ISO % _DAY}')) as high from ({looked_at}) "
        "group by form having form is not null"
    ).to_pylist()
    read, left = (
        {one["form"] for one in of_form if one[most] >= max(_FEWEST_READ, _SHARE_READ * (one["low"] + one["high"]))}
        for most in ("low", "high")
    )
    return [lows["iso" in read]] if read and left - {"iso"} else []
