"""The failed rows of a job as a CSV file that can be fixed and uploaded again with the same mapping.

It is UTF-8 with commas, whatever the uploaded file was. That file's columns come first, in their order and with the
cells as they stood there, so that a row is whole once it is fixed in place. Then come columns of ours:

    openprofiles_surplus    cells beyond the header, and the text of a row that cannot be split into cells, or that is
                            only a part of a row
    openprofiles_line       the line of the uploaded file on which the row begins
    openprofiles_column     the headers of the columns at fault
    openprofiles_code       the codes of the faults
    openprofiles_message    what is wrong, in sentences

Uploaded again as it is, the file has the rows fail again that failed for a reason of their own: bytes that are not
UTF-8 stay those bytes, and a row that could not be split, or is only a part of a row, has no unique key. Of a
failed-rows file that was uploaded again the columns of ours are replaced, not doubled; the content of the surplus is
kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from openprofiles.uploads.failures.faults import BROKEN_ROW, sentence_for
from openprofiles.uploads.jobs import FailedRow
from openprofiles.uploads.reading.cells import MalformedQuotesError, split_text
from openprofiles.uploads.reading.dialect import COMMAS, Dialect

SURPLUS = "openprofiles_surplus"
OWN_COLUMNS = (SURPLUS, "openprofiles_line", "openprofiles_column", "openprofiles_code", "openprofiles_message")

_PART_BYTES = 256 * 1024
_MUST_BE_QUOTED = frozenset('",\r\n')


def failed_rows_csv(headers: Sequence[str], rows: Iterable[FailedRow], dialect: Dialect = COMMAS) -> Iterator[bytes]:
    """Write the file, in parts of some hundred kilobytes.

    Args:
        headers: the names of the uploaded file's columns.
        rows: in file order.
        dialect: that of the uploaded file; this one has commas, whatever that had.
    """
    kept = [index for index, header in enumerate(headers) if header not in OWN_COLUMNS]
    own = [index for index, header in enumerate(headers) if header in OWN_COLUMNS]

    def kept_surplus(cells: Sequence[str]) -> str:
        return cells[headers.index(SURPLUS)] if SURPLUS in headers else ""

    part = [_line([*(headers[index] for index in kept), *OWN_COLUMNS])]
    size_bytes = 0
    for row in rows:
        cells, surplus = split_row(row.content, len(headers), dialect)
        if row.content is not None and all(fault.code == BROKEN_ROW for fault in row.faults):
            # Nothing else is wrong with it, and with all its cells it would be loaded as a row of its own.
            cells, surplus = [], row.content.decode("utf-8", "surrogateescape")
        if cells and own:
            # What stood there before, and whatever slid there from the left of it.
            surplus = _joined([*(cells[index] for index in own), surplus]) if surplus else kept_surplus(cells)
        part.append(
            _line(
                [
                    *(cells[index] if cells else "" for index in kept),
                    surplus,
                    str(row.line),
                    "; ".join(fault.column_name or "" for fault in row.faults),
                    "; ".join(fault.code for fault in row.faults),
                    " ".join(sentence_for(fault) for fault in row.faults),
                ]
            )
        )
        size_bytes += len(part[-1])
        if size_bytes > _PART_BYTES:
            yield b"".join(part)
            part, size_bytes = [], 0
    if part:
        yield b"".join(part)


def split_row(content: bytes | None, column_count: int, dialect: Dialect) -> tuple[list[str], str]:
    """Split a row into cells of the header and a surplus, as CSV text.

    There are no cells if the row cannot be split.

    Bytes that are not UTF-8 are surrogates in the text, as ``surrogateescape`` makes them.
    """
    if content is None:
        return [], ""
    text = content.decode("utf-8", "surrogateescape")
    try:
        cells = split_text(text, dialect)
    except MalformedQuotesError:
        return [], text
    surplus = cells[column_count:]
    cells = cells[:column_count] + [""] * (column_count - len(cells))
    return cells, _joined(surplus) if any(surplus) else ""


def _joined(cells: Iterable[str]) -> str:
    return ",".join(_quoted(cell) for cell in cells)


def _line(cells: Iterable[str]) -> bytes:
    return (_joined(cells) + "\n").encode("utf-8", "surrogateescape")


def _quoted(cell: str) -> str:
    if _MUST_BE_QUOTED.isdisjoint(cell):
        return cell
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'
