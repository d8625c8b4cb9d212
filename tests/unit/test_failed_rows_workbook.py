"""The workbook of failed rows: every text is read back as ``import`` reads it, and limits are kept."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.cli.failed_rows_file import write_failed_rows
from openprofiles.store.upload_jobs import RowFault
from openprofiles.uploads.failures import text_workbook
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv, failed_rows_table
from openprofiles.uploads.failures.failed_rows_workbook import write_failed_rows_workbook
from openprofiles.uploads.failures.faults import INVALID_UTF8, MISSING_UNIQUE_KEY
from openprofiles.uploads.failures.own_columns import OWN_COLUMNS
from openprofiles.uploads.failures.text_workbook import TooLargeForWorkbook, write_text_workbook
from openprofiles.uploads.jobs import FailedRow
from openprofiles.uploads.reading.dialect import COMMAS
from openprofiles.uploads.reading.tables.workbook import MAX_UNPACKED_BYTES, Workbook

TEXTS = st.text(st.sampled_from("_xX0Dd9A\r\n\t =&<>\"'é😀\x01\ufffd"), max_size=12) | st.text(
    st.characters(codec="utf-8"), max_size=12
)


def written(rows: Sequence[Sequence[str]]) -> bytes:
    output = io.BytesIO()
    write_text_workbook(output, "Failed rows", rows)
    return output.getvalue()


def read(content: bytes) -> list[list[str]]:
    return [list(row) for row in Workbook(io.BytesIO(content), None, MAX_UNPACKED_BYTES).rows()]


@given(st.lists(st.lists(TEXTS, min_size=3, max_size=3), max_size=3))
def test_every_text_is_read_back_from_a_workbook(rows: list[list[str]]) -> None:
    table = [["a", "b", "c"], *rows]

    # A blank row has no cells.
    found = [row or ["", "", ""] for row in read(written(table))]

    # Blank cells at the end of a row, and blank rows at the end of the sheet, are not in it.
    assert [[*cells, "", "", ""][:3] for cells in [*found, [], [], []][: len(table)]] == table


def test_other_programs_read_the_workbook_as_texts() -> None:
    file = written([["Email", "ZIP"], ["", "00123"], ["=1+1", "1.50"]])

    sheet = openpyxl.load_workbook(io.BytesIO(file))["Failed rows"]

    assert [[cell.value for cell in row] for row in sheet.rows] == [["Email", "ZIP"], [None, "00123"], ["=1+1", "1.50"]]
    assert {cell.data_type for row in sheet.rows for cell in row if cell.value} == {"s"}
    assert {sheet["A3"].number_format, sheet["B2"].number_format} == {"@"}


def test_the_workbook_holds_what_the_plain_file_holds(tmp_path: Path) -> None:
    rows = [
        FailedRow(1, 2, (RowFault(MISSING_UNIQUE_KEY, "Email", None),), b',"\'=1\r\n, ""x""",,y'),
        FailedRow(2, 5, (RowFault(INVALID_UTF8, None, None),), b"a@x,Ren\xc3"),
    ]
    headers = ["Email", "Note"]

    write_failed_rows(tmp_path / "a.xlsx", failed_rows_csv(headers, rows))

    header, first, second = read((tmp_path / "a.xlsx").read_bytes())
    assert header == [*headers, *OWN_COLUMNS]
    assert first[:4] == ["", '\'=1\r\n, "x"', ",y", "2"]
    assert second[:2] == ["a@x", "Ren\ufffd"]
    assert second[5] == "INVALID_UTF8"


def test_a_value_that_is_too_long_for_a_cell_is_cut_and_the_row_says_so() -> None:
    # An emoji counts as two characters there.
    rows = [FailedRow(1, 2, (RowFault(MISSING_UNIQUE_KEY, "Email", None),), f",{'😀' * 20_000}".encode())]
    output = io.BytesIO()

    write_failed_rows_workbook(output, failed_rows_table(["Email", "Note"], rows, COMMAS))

    _, row = read(output.getvalue())
    assert row[1] == "😀" * 16_383
    assert row[-1].endswith(
        "Values of more than 32,767 characters are truncated, since a cell cannot hold more. The CSV file has the "
        "complete values."
    )


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("MAX_ROWS", "a workbook has at most 2 rows"),
        ("MAX_COLUMNS", "a workbook has at most 2 columns, and there are 3"),
        ("MAX_SHEET_BYTES", "the rows are too large for a workbook that can be loaded again"),
    ],
)
def test_rows_that_do_not_fit_into_a_workbook_are_refused(
    monkeypatch: pytest.MonkeyPatch, limit: str, message: str
) -> None:
    monkeypatch.setattr(text_workbook, limit, 2)

    with pytest.raises(TooLargeForWorkbook, match=message):
        written([["a", "b"], ["c", "d"], ["e", "f", "g"]])
