"""SQL (DuckDB) for whether two dates of birth are those of different people, however they are written."""

from __future__ import annotations

BIRTH_DATE = "BirthDate"

# The first of January of 1900, 0001 and 1970 stand for no date.
_NO_DATES = "[[0, 1, 1], [1, 1, 1], [1, 1, 70]]"


def sql_are_other_dates(new: str, old: str) -> str:
    """Build an SQL condition: both texts have a day, a month and a year in digits, and these differ."""
    parts = [_parts_sql(text) for text in (new, old)]
    are_dates = " and ".join(f"list_count({part}) = 3 and not list_contains({_NO_DATES}, {part})" for part in parts)
    return f"coalesce({new} <> {old} and {are_dates} and {parts[0]} <> {parts[1]}, false)"


def _parts_sql(text: str) -> str:
    """Build SQL for the numbers of a date, in order of size, with two digits of the year."""
    return f"list_sort([try_cast(number as bigint) % 100 for number in regexp_extract_all({text}, '[0-9]+')[1:3]])"
