"""Find the header of a file: its first row, or a row below lines that do not belong to the table.

Exports of reports begin with a title, a date or the name of a company. Such lines are skipped only if there is no
doubt: the header then has as many cells as the rows below it, all of them texts, and at least two are names of known
fields. If the first row has such names, or a line above has an email address or a phone number, the lines may be the
real header and customers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from openprofiles.errors import InvalidRequest
from openprofiles.facts.blanks import is_blank
from openprofiles.uploads.mappings.header_names import names_field
from openprofiles.uploads.mappings.value_kinds import ValueKind, clear_kind, find_column_kind, is_date
from openprofiles.uploads.reading.cells import MalformedQuotesError, split_text
from openprofiles.uploads.reading.dialect import ALL_DELIMITERS, SEPARATOR_LINE, Dialect, record_patterns

# The first lines, in which a header is looked for.
MOST_LINES = 20
_MOST_ROWS = 50
_FEWEST_KNOWN_NAMES = 2
# So many of the values of a column must be of a kind before the column counts as one of that kind.
_CLEAR_SHARE = 0.8
# A title with a year next to it has fewer.
_FEWEST_VALUES_OF_ROW = 3
# A period of two dates may look like a phone number.
_BETWEEN_DATES = re.compile(r"[\s-]+")


@dataclass(frozen=True, slots=True)
class FoundHeader:
    """A row that may be the header.

    Attributes:
        line: its line, from 1, or its row if rows are numbered.
        offset: of its line in the text.
        is_first: whether only blank rows stand above it.
        has_columns: whether it has all columns that were asked for.
        score: how much speaks for it and for the dialect it was read with: known names, and columns of a clear kind. 0
            if it cannot be the header of the rows below.
        row_above: the first line above it that seems to be a row; None: none does, or the columns were not known.
    """

    line: int
    offset: int
    is_first: bool
    has_columns: bool
    score: int
    row_above: int | None = None


class RowAboveHeader(InvalidRequest):
    """A row above the header would not be loaded.

    Attributes:
        reason: the message without what to do.
    """

    def __init__(self, header_line: int, row_line: int) -> None:
        self.reason = (
            f"Line {header_line} has the columns of the mapping, so it is the header, but line {row_line} above it "
            "seems to be a row. Rows above the header are not loaded."
        )
        self.header_line = header_line
        super().__init__(
            f"{self.reason} Move the header to the top, or name line {header_line} as the header if the lines above it "
            "are not rows."
        )


def find_separator(text: bytes) -> tuple[str | None, int]:
    """Find the delimiter that a first line such as ``sep=;`` names.

    Returns:
        the delimiter, and the offset of what follows that line.

    Raises:
        InvalidRequest: it is not a possible delimiter.
    """
    found = SEPARATOR_LINE.match(text)
    if found is None:
        return None, 0
    delimiter = found[1].decode("ascii", "replace")
    if delimiter not in ALL_DELIMITERS:
        known = " ".join("tab" if one == "\t" else one for one in ALL_DELIMITERS)
        raise InvalidRequest(
            f"Line 1 of the file names {delimiter!r} as its delimiter, which is not supported. Use one of: {known}"
        )
    return delimiter, found.end()


def find_header(text: bytes, dialect: Dialect, columns: Collection[str] | None) -> FoundHeader | None:
    """Find the header at the beginning of a file.

    Args:
        text: as UTF-8; its last row may be cut off.
        columns: the names that it must have, if they are known. A row that has them all is the header.

    Returns:
        the row that is the header without doubt, or else the first row; None if there is no row.
    """
    first: FoundHeader | None = None
    below: FoundHeader | None = None
    may_skip = True
    first_line = 1 if dialect.first_row is None else dialect.first_row
    above: list[tuple[int, list[str]]] = []
    offset = 0
    for line in range(first_line, first_line + MOST_LINES):
        if offset >= len(text):
            break
        end = _end_of_line(text, offset, dialect)
        if text[offset:end].strip(dialect.blanks + b"\r"):
            rows = list(islice(split_rows(text, offset, dialect), _MOST_ROWS + 1))
            found = _weigh(rows, line, offset, columns, is_first=first is None)
            if found.has_columns:
                return replace(found, row_above=_find_row_above(above, rows))
            above.append((line, rows[0] or [] if rows else []))
            if first is None:
                first = found
                if found.score and columns is None:
                    return first
                may_skip = sum(map(names_field, rows[0] or [] if rows else [])) < _FEWEST_KNOWN_NAMES
            elif found.score and below is None and may_skip:
                below = found
            may_skip = may_skip and not any(map(_reaches_customer, rows[0] or [] if rows else []))
        offset = end + 1
    return first if first is None or first.score else below or first


def _find_row_above(above: Sequence[tuple[int, list[str]]], rows: Sequence[list[str] | None]) -> int | None:
    """Find the first line above the header that seems to be a row.

    It has an email address or a phone number, or as many values as the header, one of them of the same clear kind as
    those below it in its column.

    Args:
        rows: the header and the rows below it.
    """
    if not above:
        return None
    header, below = rows[0] or [], [cells for cells in rows[1:] if cells]
    kinds = [find_column_kind(cells[place] for cells in below if place < len(cells)) for place in range(len(header))]
    for line, cells in above:
        filled = [cell for cell in cells if not is_blank(cell)]
        is_as_full = len(filled) == len(cells) == len(header) >= _FEWEST_VALUES_OF_ROW
        if any(map(_reaches_customer, filled)) or (
            is_as_full
            and any(
                of_column.kind is not None and of_column.share >= _CLEAR_SHARE and clear_kind(cell) is of_column.kind
                for cell, of_column in zip(cells, kinds, strict=True)
            )
        ):
            return line
    return None


def _reaches_customer(cell: str) -> bool:
    """Return whether a cell is an email address or a phone number."""
    kind = clear_kind(cell)
    if kind is ValueKind.PHONE_NUMBER:
        return not any(map(is_date, _BETWEEN_DATES.split(cell.strip())))
    return kind is ValueKind.EMAIL_ADDRESS


def count_columns(text: bytes, dialect: Dialect) -> int:
    """Count the columns of a file without a header: the cells that most of its first rows have."""
    return _usual_width([cells for cells in islice(split_rows(text, 0, dialect), _MOST_ROWS) if cells]) or 1


def _end_of_line(text: bytes, start: int, dialect: Dialect) -> int:
    """Return where a line ends, or a row if rows are numbered."""
    if dialect.first_row is None:
        end = text.find(b"\n", start)
        return len(text) if end < 0 else end
    found = record_patterns(dialect).cells.match(text, start)
    return found.end() if found else start


def _weigh(
    rows: list[list[str] | None], line: int, offset: int, columns: Collection[str] | None, *, is_first: bool
) -> FoundHeader:
    """Weigh whether the first of some rows is the header of the others."""
    names, below = (rows[0] or [] if rows else []), [cells for cells in rows[1:] if cells]
    has_columns = columns is not None and set(columns) <= set(names)
    if has_columns:
        # Nothing else matters, and the header may be very wide.
        return FoundHeader(line, offset, is_first, has_columns, score=1)
    known = sum(map(names_field, names))
    # Last columns without a name are often there in the header only.
    named = names[: max((place for place, name in enumerate(names, start=1) if not is_blank(name)), default=0)]
    is_as_wide = len(named) <= _usual_width(below) <= len(names) if below else is_first
    of_all = names if is_first else named
    is_all_text = bool(named) and all(not is_blank(name) and clear_kind(name) is None for name in of_all)
    if not names or not is_as_wide:
        score = 0
    elif is_first:
        # Names of years are numbers, and a last column may have no name.
        score = known + _count_clear_columns(names, below) if is_all_text or known >= _FEWEST_KNOWN_NAMES else 0
        score = max(score, int(is_all_text))
    else:
        is_header = is_all_text and known >= _FEWEST_KNOWN_NAMES
        score = known + _count_clear_columns(names, below) if is_header else 0
    return FoundHeader(line, offset, is_first, has_columns, score)


def _count_clear_columns(names: list[str], rows: list[list[str]]) -> int:
    kinds = [find_column_kind([cells[index] for cells in rows if index < len(cells)]) for index in range(len(names))]
    return sum(kind.kind is not None and kind.share >= _CLEAR_SHARE for kind in kinds)


def _usual_width(rows: list[list[str]]) -> int:
    """Return the number of cells that most rows have; of equally frequent ones, the highest."""
    counts = Counter(map(len, rows))
    return max(counts, key=lambda width: (counts[width], width), default=0)


def split_rows(text: bytes, start: int, dialect: Dialect) -> Iterator[list[str] | None]:
    """Split the complete rows from an offset on; None for one that cannot be split."""
    patterns = record_patterns(dialect)
    while start < len(text):
        found = patterns.cells.match(text, start)
        end = found.end() if found else start
        if end < len(text) and text[end : end + 1] != b"\n":
            # A quote that is not closed.
            yield None
            return
        row = text[start:end].removesuffix(b"\r")
        start = end + 1
        if row.strip(dialect.blanks):
            try:
                yield split_text(row.decode("utf-8", "replace"), dialect)
            except MalformedQuotesError:
                yield None
