"""The failed rows of a job as an Excel workbook that can be fixed and loaded again with the same mapping.

It has the columns of the plain CSV file (``failed_rows_csv``). All cells are texts, so nothing is calculated, and no
zero or digit is lost. Bytes that are not UTF-8 become U+FFFD, as in the CSV file for spreadsheets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from openprofiles.uploads.failures.text_workbook import MAX_CELL_CHARACTERS, cut_cell, write_text_workbook

_SHEET_NAME = "Failed rows"
_WAS_CUT = (
    f" Values of more than {MAX_CELL_CHARACTERS:,} characters are truncated, since a cell cannot hold more. The CSV "
    "file has the complete values."
)


def write_failed_rows_workbook(output: IO[bytes], table: Iterable[Sequence[str]]) -> None:
    """Write the workbook.

    Args:
        table: the cells of the header and of each row, as ``failed_rows_table`` returns them.

    Raises:
        TooLargeForWorkbook: the rows do not fit into one.
    """
    write_text_workbook(output, _SHEET_NAME, _fitting(table))


def _fitting(table: Iterable[Sequence[str]]) -> Iterator[list[str]]:
    for row in table:
        cells = [cell if cell.isascii() else _valid(cell) for cell in row]
        fitting = [cut_cell(cell) for cell in cells]
        if fitting != cells:
            # The message comes last. A value that is cut is still too long for any field, so its row fails again.
            fitting[-1] += _WAS_CUT
        yield fitting


def _valid(cell: str) -> str:
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
