"""Rows in which a delimiter without quotes has split a value are told from those with a blank before a value."""

from __future__ import annotations

import pyarrow as pa
import pytest

from openprofiles.bulk.scratch import Scratch
from openprofiles.uploads.loading.split_values import create_split_rows_table, find_split_rows

# Number, company, city, postal code, first name.
USUAL = [[str(1000 + index), f"Rao {index} Ltd", "Rome", f"{index:05}", "Ann"] for index in range(40)]
FAILS, COUNTED = True, False


def find(scratch: Scratch, rows: list[list[str]], columns: tuple[int, ...] = (0, 1, 2, 3, 4)) -> list[bool]:
    """Return of the rows that are found whether they fail; with 40 usual rows around them."""
    rows = [*USUAL[:20], *rows, *USUAL[20:]]
    cells = {f"v{field}": [row[column] or None for row in rows] for field, column in enumerate(columns)}
    scratch.put("given", pa.table({"record": range(len(rows)), "line": range(len(rows)), **cells}))
    scratch.run("create or replace table staged as select *, 0 as fault from given")
    for table in ("wide_row", "short_row"):
        scratch.run(f"create or replace table {table} (record bigint)")
    scratch.run("drop table if exists split_row")
    create_split_rows_table(scratch)
    has_shifted = find_split_rows(scratch, columns, "fault = 0")
    found = scratch.table("select record, is_shifted from split_row order by record").to_pylist()
    assert has_shifted == any(row["is_shifted"] for row in found)
    assert all(20 <= row["record"] < len(rows) - 20 for row in found)
    return [row["is_shifted"] for row in found]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (["1", "Novak", " Inc.", "Rome", "00187"], [FAILS]),
        (["1", "Novak", " Inc.", "", "00187"], [FAILS]),
        # Nothing after it shows that the values are in the wrong columns.
        (["1", "Novak", " Inc.", "00187", "Bo"], [COUNTED]),
        (["1", "Novak Ltd", "Rome", "00187", " Bo"], [COUNTED]),
        # The values do not fit the columns before theirs.
        (["1", "Novak", " Oslo", "none", "Bo"], [COUNTED]),
        (["1", "Novak", " Oslo", "00187", "b@x"], [COUNTED]),
        # Typed with a blank before it: a value that others have, or that looks like its column.
        (["1", "Novak", " Rome", "none", "Bo"], []),
        (["1", "Novak Ltd", "Rome", " 00187", "Bo"], []),
        (["1", " Novak", " Oslo", " 00187", " Bo"], []),
        # No value is before it.
        (["1", "", " Inc.", "Rome", "00187"], []),
        ([" 1", "Novak", "Rome", "00187", "Bo"], []),
    ],
)
def test_a_row_fails_only_if_its_values_fit_the_columns_before_theirs(
    scratch: Scratch, row: list[str], found: list[bool]
) -> None:
    assert find(scratch, [row]) == found


def test_only_mapped_columns_are_compared_in_the_order_of_the_file(scratch: Scratch) -> None:
    row = ["1", "Novak", " Inc.", "Rome", "00187"]

    assert find(scratch, [row], (4, 2, 0, 3)) == [FAILS]
    assert find(scratch, [row], (2, 4)) == [FAILS]
    assert find(scratch, [row], (0, 1)) == []


def test_blanks_before_many_values_are_how_the_file_is_written(scratch: Scratch) -> None:
    row = ["1", "Novak", " Inc.", "Rome", "00187"]

    assert find(scratch, [row] * 10) == [FAILS] * 10
    assert find(scratch, [row] * 11) == []
