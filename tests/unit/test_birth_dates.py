"""Whether two dates of birth are those of different people."""

from __future__ import annotations

import duckdb
import pytest

from openprofiles.uploads.loading.birth_dates import sql_are_other_dates, sql_is_day_zero


@pytest.mark.parametrize(
    ("new", "old", "are_others"),
    [
        ("1985-12-10", "1985-12-11", True),
        ("1985-12-10", "10.12.1985", False),
        ("12/10/85", "10.12.1985", False),
        ("1985-12-10 00:00:00", "10.12.1985", False),
        ("1985-12-10", "1985-12", False),
        ("1985-12-10", "Dec 11, 1985", False),
        ("1999-12-30", "1953-01-01", True),
        # They stand for no date.
        ("1900-01-01", "1985-12-10", False),
        ("1985-12-10", "01.01.1970", False),
        ("0/0/00", "1985-12-10", False),
        ("1985-12-10", "30.12.1899 00:00:00", False),
        ("123456789012345678901-12-10", "1985-12-10", False),
        ("1985-12-10", None, False),
    ],
)
def test_dates_differ_if_day_month_or_year_do(new: str, old: str | None, are_others: bool) -> None:
    query = f"select {sql_are_other_dates('$new', '$old')}"

    assert duckdb.execute(query, {"new": new, "old": old}).fetchone() == (are_others,)


DAY_ZEROS = """0/0/00,0/0/0000,00/00/0000,00.00.0000,0000-00-00,0000-00-00 00:00:00,30.12.1899,30.12.1899 00:00
12/30/1899,1899-12-30,1899-12-30T00:00:00,1900-01-00,1/0/1900,00.01.1900,1753-01-01,01/01/1753,1.1.1753
0001-01-01,1/1/0001,01.01.0001,0001/01/01,1/1/0001 12:00:00 AM
1753-01-01T00:00Z,1753-01-01 00:00:00.000""".replace("\n", ",").split(",")
DATES = """1899-12-31,1900-01-01,1900-01-10,01.01.1901,12/30/1999,12/30/99,30.12.18990,1753-02-01,01/01/01,1.1.2000
0.0.5,000000,10/0/0000,1753,30-Dec-1899,1899-12-30T10:00:00""".replace("\n", ",").split(",")


def test_the_days_zero_of_programs_are_found_in_any_form() -> None:
    query = f"select value, {sql_is_day_zero('value')} from (select unnest(?::varchar[]) as value)"

    found = duckdb.execute(query, [[*DAY_ZEROS, *DATES]]).fetchall()

    assert found == [*((date, True) for date in DAY_ZEROS), *((date, False) for date in DATES)]
