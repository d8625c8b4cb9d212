"""SQL (DuckDB) for whether two dates of birth are those of different people, or stand for none, in any form."""

from __future__ import annotations

from openprofiles.uploads.loading.known_values import KNOWN

BIRTH_DATE = "BirthDate"

# The first of January of 1900, 0001 and 1970, and the days zero of spreadsheets, stand for no date.
_NO_DATES = "[[0, 1, 1], [1, 1, 1], [1, 1, 70], [0, 0, 0], [0, 0, 1]]"
_DAY_ZEROS = [date.split("-") for date in KNOWN["day_zeros"]]


def sql_are_other_dates(new: str, old: str) -> str:
    """Build an SQL condition: both texts have a day, a month and a year in digits, and these differ."""
    parts = [sql_date_parts(text) for text in (new, old)]
    are_dates = " and ".join(f"list_count({part}) = 3 and not list_contains({_NO_DATES}, {part})" for part in parts)
    is_no_date = " or ".join(map(sql_is_day_zero, (new, old)))
    return f"coalesce({new} <> {old} and {are_dates} and {parts[0]} <> {parts[1]} and not ({is_no_date}), false)"


def sql_is_day_zero(value: str) -> str:
    """Build an SQL condition: a program has written this date for none; null gives null."""
    orders = [
        "[-./]".join(order)
        for year, month, day in _DAY_ZEROS
        for month, day in [(f"0?{month}", f"0?{day}")]
        for order in ((year, month, day), (month, day, year), (day, month, year))
    ]
    # What few dates begin with is looked for first, in a tenth of the time. All separators are smaller than 0.
    firsts = sorted({part for date in _DAY_ZEROS for number in date for part in (number, number.zfill(2))})
    may_be = " or ".join(f"{value} between '{first}-' and '{first}0'" for first in firsts)
    return f"(({may_be}) and regexp_full_match({value}, '({'|'.join(orders)})([ T](0?0:00|12:00:00 AM).*)?'))"


def sql_date_parts(text: str) -> str:
    """Build SQL for the numbers of a date, in order of size, with two digits of the year."""
    return f"list_sort([try_cast(number as bigint) % 100 for number in regexp_extract_all({text}, '[0-9]+')[1:3]])"
