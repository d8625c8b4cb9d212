"""A file in which the columns change their order is told from one that is sorted, or has odd rows."""

from __future__ import annotations

import pyarrow as pa
import pytest

from openprofiles.bulk.scratch import Scratch
from openprofiles.uploads.loading.changed_order import ChangedOrder, find_changed_order

# Number, name, email, phone, birthday, postal code.
ROW = ["K17", "Ann", "a@x", "0351 400 17", "1980-01-17", "01067"]


def find(scratch: Scratch, rows: list[list[str]]) -> ChangedOrder | None:
    """Find the change in rows that begin on line 2."""
    cells = {f"v{field}": [row[field] or None for row in rows] for field in range(len(ROW))}
    records = range(1, len(rows) + 1)
    scratch.put("given", pa.table({"record": records, "line": [record + 1 for record in records], **cells}))
    scratch.run("create or replace table staged as select * from given")
    return find_changed_order(scratch, len(ROW))


def ordered(*fields: int) -> list[str]:
    return [ROW[field] if field >= 0 else "" for field in fields]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ((0, 1, 3, 2, 4, 5), (2, 3)),
        ((0, 4, 2, 3, 1, 5), (1, 4)),
        ((0, 1, 2, 5, 4, 3), (3, 5)),
        ((0, 5, 3, 4, 2, 1), (1, 2, 3, 4, 5)),
        # A column is missing, so that the others begin before it.
        ((0, 2, 3, 4, 5, -1), (1, 2, 3)),
    ],
)
@pytest.mark.parametrize(("head", "tail"), [(7, 5), (20, 20), (5, 300), (30_000, 15_000), (20_000, 15)])
def test_the_row_from_which_on_columns_have_another_order_is_found(
    scratch: Scratch, fields: tuple[int, ...], found: tuple[int, ...], head: int, tail: int
) -> None:
    rows = [ROW] * head + [ordered(*fields)] * tail

    assert find(scratch, rows) == ChangedOrder(head + 2, found)


@pytest.mark.parametrize(
    "tail",
    [
        # One column with other values, or two of which one had no such values before.
        ordered(0, 1, 2, 3, 1, 5),
        ["K17", "Ann", "hidden", "0351 400 17", "unknown", "01067"],
        ["K17", "Ann", "", "", "1980-01-17", "1067 AB"],
        # Other numbers of customers, and postal codes of another country.
        ["17", "Acme", "a@x", "0351 400 17", "", "SW1A"],
        ROW,
    ],
)
def test_a_sorted_file_has_one_order(scratch: Scratch, tail: list[str]) -> None:
    assert find(scratch, [*[ROW] * 30, *[tail] * 30]) is None


def test_odd_rows_are_not_another_order(scratch: Scratch) -> None:
    odd = ordered(0, 1, 3, 2, 4, 5)

    assert find(scratch, [*[ROW] * 30, *[odd] * 4]) is None
    assert find(scratch, [*[ROW, odd] * 30]) is None
    assert find(scratch, [*[ROW] * 30, *[odd] * 10, *[ROW] * 30]) is None
    assert find(scratch, []) is None


def test_a_few_odd_values_and_blank_cells_do_not_hide_another_order(scratch: Scratch) -> None:
    odd = ordered(0, 1, 3, 2, 4, 5)
    rows = [[*ROW[:2], "", *ROW[3:]], *[ROW] * 29, ["Total", "", "60", "", "", ""], *[odd] * 20]
    rows += [[*odd[:2], "none", *odd[3:]], *[odd] * 20]

    assert find(scratch, rows) == ChangedOrder(33, (2, 3))
