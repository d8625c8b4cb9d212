"""Workbooks are read in a process of their own, whose limits are its own, too."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from openprofiles.uploads.reading.tables.table import TableUnreadable
from openprofiles.worker.table_process import convert_in_process
from workbooks import sheet_xml, text_rows, workbook

UNLIMITED = 10**9


def stored(content: bytes) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    file.write(content)
    file.seek(0)
    return file


@pytest.fixture
def book() -> Iterator[BinaryIO]:
    sheets = {"Customers": [["Email"], ["a@example.com"]], "Old": [["Email"], ["ä@example.com"]], "Gone": [["x"]]}
    with stored(workbook({name: sheet_xml(text_rows(rows)) for name, rows in sheets.items()}, hidden=["Gone"])) as file:
        yield file


def test_the_visible_sheet_is_read_and_the_others_are_named(book: BinaryIO) -> None:
    table = convert_in_process(book, None, max_unpacked_bytes=UNLIMITED)

    with table.csv as csv:
        assert csv.read() == b"Email\na@example.com\n"
    assert (table.account["Sheet"], table.account["OtherSheets"], table.account["HiddenSheets"]) == (
        "Customers",
        ["Old"],
        ["Gone"],
    )
    # The page offers the sheets itself.
    assert table.account["Notes"] == []


def test_another_sheet_is_read_as_it_is_named(book: BinaryIO) -> None:
    table = convert_in_process(book, "Old", max_unpacked_bytes=UNLIMITED)

    with table.csv as csv:
        assert csv.read().decode() == "Email\nä@example.com\n"


def test_what_cannot_be_read_is_refused_with_what_to_do() -> None:
    sheet = workbook({"A": sheet_xml(text_rows([["Email"]] * 1000))})
    for content, limits, message in (
        (sheet, {"max_unpacked_bytes": 10_000}, "10,000 bytes"),
        (b"PK\x03\x04" + bytes(200), {"max_unpacked_bytes": UNLIMITED}, "not a workbook that can be read"),
        (sheet, {"max_unpacked_bytes": UNLIMITED, "memory_bytes": 30_000_000}, "too much memory or time"),
    ):
        with stored(content) as file, pytest.raises(TableUnreadable, match=message):
            convert_in_process(file, None, **limits)
