"""Rows that a stray quotation mark has joined are found; values of several lines are not taken for such rows."""

from __future__ import annotations

import io

import pytest

from openprofiles.uploads.loading.swallowed_rows import find_swallowed_rows
from openprofiles.uploads.reading.dialect import COMMAS
from openprofiles.uploads.reading.records import Scanner

START = "No,Last,First,Notes\nA1,Lee,Ann,\n"


def lines(text: str) -> list[int]:
    scanner = Scanner(io.BytesIO(text.encode()).read, COMMAS)
    column_count = scanner.read_header().raw.count(b",") + 1
    scanner.max_clean_cells = column_count + 1
    return [line for block in scanner.blocks() for line in find_swallowed_rows(block, column_count)]


@pytest.mark.parametrize(
    "rows",
    [
        # From one quotation mark to the next.
        'A5,Orr,Bob,"the best\nA9,Poe,Cal,\nA12,Roy,Dee,TV 55"\n',
        # Ditto marks.
        '7,",Pam,Boston\n8,",Rob,Boston\n',
        # A quotation mark within a cell makes the row irregular.
        'A5,O"rr,Bob,"the best\nA9,Poe,Cal,\nA12,Roy,Dee,x"\n',
    ],
)
def test_a_row_that_holds_others_is_found_with_its_line(rows: str) -> None:
    assert lines(START + "A2,Fox,Eve,\n" + rows + "A20,Fox,Eve,\n") == [4]


@pytest.mark.parametrize(
    "rows",
    [
        'A5,Orr,Bob,"two\nlines"\n',
        'A5,Orr,Bob,"12 Oak Ave,\r\nReno, NV, 89501, US\r\nUSA"\r\n',
        '"A\n5",Orr,Bob,x\n"A\n6",Orr,Bob,x\n',
        'A5,Orr,Bob,"says ""no,\nno"""\n',
    ],
)
def test_values_of_several_lines_are_not_taken_for_rows(rows: str) -> None:
    assert lines(START + rows) == []
