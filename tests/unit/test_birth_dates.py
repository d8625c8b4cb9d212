"""Whether two dates of birth are those of different people."""

from __future__ import annotations

import duckdb
import pytest

from openprofiles.uploads.loading.birth_dates import sql_are_other_dates


@pytest.mark.parametrize(
    ("new", "old", "are_others"),
    [
        ("1985-12-10", "1985-12-11", True),
        ("1985-12-10", "10.12.1985", False),
        ("12/10/85", "10.12.1985", False),
        ("1985-12-10 00:00:00", "10.12.1985", False),
        ("1985-12-10", "1985-12", False),
        ("1985-12-10", "Dec 11, 1985", False),
        # They stand for no date.
        ("1900-01-01", "1985-12-10", False),
        ("1985-12-10", "01.01.1970", False),
        ("123456789012345678901-12-10", "1985-12-10", False),
        ("1985-12-10", None, False),
    ],
)
def test_dates_differ_if_day_month_or_year_do(new: str, old: str | None, are_others: bool) -> None:
    query = f"select {sql_are_other_dates('$new', '$old')}"

    assert duckdb.execute(query, {"new": new, "old": old}).fetchone() == (are_others,)
