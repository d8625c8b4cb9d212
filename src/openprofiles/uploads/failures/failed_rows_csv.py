"""The failed rows of a job as a CSV file that can be fixed and uploaded again with the same mapping.

The plain form is UTF-8 with commas, whatever the uploaded file was. That file's columns come first, in their order and
with the cells as they stood there, so that a row is whole once it is fixed in place. Then come columns of ours:

    openprofiles_surplus    cells beyond the header, and the text of a row that cannot be split into cells, or that is
                            only a part of a row
    openprofiles_line       the line of the uploaded file on which the row begins
    openprofiles_column     the headers of the columns at fault
    openprofiles_code       the codes of the faults
    openprofiles_message    what is wrong, in sentences

The form for spreadsheets has a byte order mark and the delimiter of the uploaded file. Texts that a spreadsheet would
calculate begin with an apostrophe (``spreadsheet_texts``), which is removed when the file is loaded. One more column,
before the last, says where:

    openprofiles_apostrophe     the headers of the columns with such a text

Uploaded again as it is, the file has the rows fail again that failed for a reason of their own. A row that could not
be split, or is only a part of a row, fails for the same reason as long as all cells but its surplus are blank. Bytes
that are not UTF-8 stay those bytes; in the form for spreadsheets they become U+FFFD, which fails as long as
``openprofiles_code`` names this fault. Of a failed-rows file that was uploaded again the columns of ours are replaced,
not doubled; the content of the surplus is kept.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import compress

from openprofiles.uploads.failures.faults import BROKEN_ROW, EMPTY_SURPLUS, SHIFTED_CELLS, SURPLUS_LEFT, sentence_for
from openprofiles.uploads.failures.own_columns import (
    APOSTROPHE,
    OWN_COLUMNS,
    SPREADSHEET_COLUMNS,
    SURPLUS,
    has_apostrophes,
)
from openprofiles.uploads.failures.spreadsheet_texts import add_apostrophe, needs_apostrophe, remove_apostrophe
from openprofiles.uploads.jobs import FailedRow
from openprofiles.uploads.reading.cells import MalformedQuotesError, split_text
from openprofiles.uploads.reading.dialect import COMMAS, Dialect

_PART_BYTES = 256 * 1024


def failed_rows_csv(
    headers: Sequence[str], rows: Iterable[FailedRow], dialect: Dialect = COMMAS, *, for_spreadsheet: bool = False
) -> Iterator[bytes]:
    """Write the file, in parts of some hundred kilobytes.

    Args:
        headers: the names of the uploaded file's columns.
        rows: in file order.
        dialect: that of the uploaded file; the plain form has commas, whatever that had.
    """
    write_line = partial(_spreadsheet_line, delimiter=dialect.written_delimiter) if for_spreadsheet else _plain_line
    table = failed_rows_table(headers, rows, dialect)
    part = [codecs.BOM_UTF8] if for_spreadsheet else []
    header = next(table)
    part.append(write_line(header, APOSTROPHE))
    size_bytes = 0
    for cells in table:
        part.append(write_line(cells, "; ".join(compress(header, map(needs_apostrophe, cells)))))
        size_bytes += len(part[-1])
        if size_bytes > _PART_BYTES:
            yield b"".join(part)
            part, size_bytes = [], 0
    if part:
        yield b"".join(part)


def failed_rows_table(headers: Sequence[str], rows: Iterable[FailedRow], dialect: Dialect) -> Iterator[list[str]]:
    """Return the cells of the header of the file, then those of each row.

    The arguments are those of ``failed_rows_csv``. Bytes that are not UTF-8 are surrogates in the text, as
    ``surrogateescape`` makes them.
    """
    kept = [index for index, header in enumerate(headers) if header not in SPREADSHEET_COLUMNS]
    own = [index for index, header in enumerate(headers) if header in SPREADSHEET_COLUMNS]

    def kept_surplus(cells: Sequence[str]) -> str:
        return cells[headers.index(SURPLUS)] if SURPLUS in headers else ""

    yield [*(headers[index] for index in kept), *OWN_COLUMNS]
    for row in rows:
        cells, surplus = split_row(row.content, headers, dialect)
        is_in_cells = any(cells[index] for index in kept) if cells else False
        if row.content is not None and is_in_cells and _must_be_divided_again(row):
            cells, surplus = [], row.content.decode("utf-8", "surrogateescape")
        if cells and own:
            # What stood there before, and whatever slid there from the left of it.
            surplus = _joined([*(cells[index] for index in own), surplus]) if surplus else kept_surplus(cells)
        yield [
            *(cells[index] if cells else "" for index in kept),
            surplus,
            str(row.line),
            "; ".join(fault.column_name or "" for fault in row.faults),
            "; ".join(fault.code for fault in row.faults),
            " ".join(map(sentence_for, row.faults))
            + (f" {EMPTY_SURPLUS}" if surplus and row.faults[-1].code != SURPLUS_LEFT else ""),
        ]


def _must_be_divided_again(row: FailedRow) -> bool:
    """Return whether a row would be loaded, unfixed, if its cells were in their columns."""
    codes = {fault.code for fault in row.faults}
    return SHIFTED_CELLS in codes or codes == {BROKEN_ROW}


def split_row(content: bytes | None, headers: Sequence[str], dialect: Dialect) -> tuple[list[str], str]:
    """Split a row into cells of the header and a surplus, as CSV text.

    There are no cells if the row cannot be split. The apostrophes that its file has for spreadsheets are removed.

    Bytes that are not UTF-8 are surrogates in the text, as ``surrogateescape`` makes them.
    """
    if content is None:
        return [], ""
    text = content.decode("utf-8", "surrogateescape")
    try:
        cells = split_text(text, dialect)
    except MalformedQuotesError:
        return [], text
    surplus = cells[len(headers) :]
    cells = cells[: len(headers)] + [""] * (len(headers) - len(cells))
    if has_apostrophes(headers):
        cells = [remove_apostrophe(cell) for cell in cells]
    return cells, _joined(surplus) if any(surplus) else ""


def _plain_line(cells: Iterable[str], _columns_with_apostrophe: str) -> bytes:
    return (_joined(cells) + "\n").encode("utf-8", "surrogateescape")


def _spreadsheet_line(cells: Iterable[str], columns_with_apostrophe: str, *, delimiter: str) -> bytes:
    *others, message = cells
    texts = map(add_apostrophe, [*others, columns_with_apostrophe, message])
    line = (_joined(texts, delimiter) + "\n").encode("utf-8", "surrogateescape")
    # A spreadsheet shows bytes that are not UTF-8 as U+FFFD, too; other programs would refuse the file.
    return line if line.isascii() else line.decode("utf-8", "replace").encode()


def _joined(cells: Iterable[str], delimiter: str = ",") -> str:
    must_be_quoted = _must_be_quoted(delimiter)
    return delimiter.join(cell if must_be_quoted.isdisjoint(cell) else _quoted(cell) for cell in cells)


@cache
def _must_be_quoted(delimiter: str) -> frozenset[str]:
    return frozenset(f'{delimiter}"\r\n')


def _quoted(cell: str) -> str:
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'
