"""Rows in which a cell was deleted are told from rows whose last cell is blank, and from rows with an odd value."""

from __future__ import annotations

import pyarrow as pa
import pytest

from openprofiles.bulk.scratch import Scratch
from openprofiles.uploads.loading.moved_cells import find_moved_rows

# Number, first name, last name, city, postal code, points, email.
USUAL = [
    [f"K{1000 + index}", "Ann", "Berg", "Rome", f"{index:05}", "n/a" if index % 20 == 1 else "7", "a@x"]
    for index in range(40)
]


def is_found(scratch: Scratch, row: list[str], columns: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)) -> bool:
    """Return whether a row is found among 40 usual ones and one with a blank last cell."""
    rows = [[*USUAL[0][:6], ""], row, *USUAL]
    cells = {
        f"v{field}": [(item[column : column + 1] or [""])[0] or None for item in rows]
        for field, column in enumerate(columns)
    }
    scratch.put("given", pa.table({"record": range(len(rows)), "line": range(len(rows)), **cells}))
    scratch.run("create or replace table staged as select *, 0 as fault from given")
    scratch.run(f"create or replace table short_row as select 1 as record where {len(row) < 7}")
    if not find_moved_rows(scratch, columns, 7, "fault = 0"):
        return False
    assert scratch.table("select record from moved_row")["record"].to_pylist() == [1]
    return True


@pytest.mark.parametrize(
    "row",
    [
        ["K1", "Ann", "Rome", "00187", "7", "a@x", ""],
        ["K1", "Ann", "Berg", "00187", "7", "a@x", ""],
        # One cell short.
        ["K1", "Ann", "Berg", "00187", "7", "a@x"],
        ["K1", "Ann", "Berg", "Rome", "00187", "a@x"],
        ["K1", "Ann", "Berg", "Rome", "7", "a@x"],
        # With other blank cells.
        ["K1", "", "Rome", "00187", "", "a@x", ""],
        ["Ann", "Berg", "Rome", "00187", "7", "a@x", ""],
    ],
)
def test_a_row_whose_values_fit_the_next_columns_is_found(scratch: Scratch, row: list[str]) -> None:
    assert is_found(scratch, row)


@pytest.mark.parametrize(
    "row",
    [
        ["K1", "Ann", "Berg", "Rome", "00187", "7", ""],
        ["K1", "Ann", "Berg", "Rome", "00187", "", ""],
        # Names with a digit, although hardly any other name has one.
        ["K1", "Ann", "Berg", "4You", "", "", ""],
        ["K1", "Ann", "3M", "", "", "", ""],
        # A value that is odd, but does not look like those of the next column.
        ["K1", "Ann", "Berg", "Rome 7", "00187", "7", ""],
        ["K1", "Ann", "Berg", "Rome", "none", "7", ""],
        ["K1", "Ann", "Berg", "00187", "Rome", "7", ""],
        ["Total", "", "", "", "40", "", ""],
        # A value that lacks what the others have is not enough.
        ["Region", "", "", "", "", "", ""],
        # The last cell is not blank.
        ["K1", "Ann", "Rome", "00187", "7", "a@x", "b@x"],
    ],
)
def test_other_rows_are_not_found(scratch: Scratch, row: list[str]) -> None:
    assert not is_found(scratch, row)


def test_columns_that_are_not_loaded_are_not_judged(scratch: Scratch) -> None:
    row = ["K1", "Ann", "Berg", "00187", "7", "a@x", ""]

    assert is_found(scratch, row, (0, 3, 4, 5, 6))
    # The column after the city is left out, so that its postal code is only an odd city.
    assert not is_found(scratch, row, (0, 3, 6))


def test_all_rows_with_a_blank_last_cell_are_judged_if_one_of_the_first_has_moved(scratch: Scratch) -> None:
    rows = [["K1", "Ann", "Berg", ""] for _ in range(3_000)]
    for number in range(0, 3_000, 35):
        rows[number] = ["K1", "Berg", "a@x", ""]
    for number in range(1_000):
        rows[number * 3 + 1] = ["K1", "Ann", "Berg", "a@x"]
    scratch.put("given", pa.table({f"v{field}": [row[field] or None for row in rows] for field in range(4)}))
    scratch.run("create or replace table staged as select row_number() over () as record, *, 0 as fault from given")
    scratch.run("create or replace table short_row (record bigint)")

    assert find_moved_rows(scratch, range(4), 4, "fault = 0")

    expected = sum(row[3] == "" and row[2] == "a@x" for row in rows)
    assert scratch.value("select count(*) from moved_row") == expected > 50
