"""Decide whether single quotes are the quotes of a file, or part of its values.

A few cells in single quotes, such as 'Bob', prove nothing, and where they are taken for quotes, a later apostrophe
makes two rows one. So single quotes must be proven: by a column most of whose cells are quoted, or by cells that hold
the delimiter or a line end; and no cell may begin with a quote that does not end it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import islice

from openprofiles.uploads.reading.detect_header import split_rows
from openprofiles.uploads.reading.dialect import Dialect

# Rows with a cell in a column, before the share that is quoted says anything.
_FEWEST_CELLS = 3
_MOST_LINES = 5_000


@dataclass(frozen=True, slots=True)
class SingleQuotes:
    """Single quotes that are proven.

    Attributes:
        join_lines: whether some of them hold a line end.
    """

    join_lines: bool


def find_single_quotes(text: bytes, delimiter: str) -> SingleQuotes | None:
    """Find whether the beginning of a file shows that its cells are in single quotes; None if it does not.

    Args:
        text: as UTF-8; its last line may be cut off.
    """
    if b"'" not in text:
        return None
    whole_lines = text[: text.rfind(b"\n") + 1 or len(text)]
    lines = whole_lines.decode("utf-8", "surrogateescape").split("\n")[:_MOST_LINES]
    rows = [line.rstrip("\r").split(delimiter) for line in lines if line.strip()]
    if rows and _are_proven_by_lines(rows[0], rows[1:], delimiter):
        return SingleQuotes(join_lines=False)
    is_table = bool(rows) and all(len(row) == len(rows[0]) for row in rows)
    # Where every line is a row without quotes, two of them that an apostrophe joins may be one by chance.
    return SingleQuotes(join_lines=True) if not is_table and _join_lines(whole_lines, delimiter) else None


def _are_proven_by_lines(header: list[str], others: list[list[str]], delimiter: str) -> bool:
    """Return whether they are proven if no cell holds a line end."""
    if all(map(_is_quoted, header)):
        return True
    filled: Counter[int] = Counter()
    quoted: Counter[int] = Counter()
    holds_delimiter = False
    for row in others:
        if len(row) > len(header):
            cells = _split_quoted(delimiter.join(row), delimiter)
            if len(cells) != len(header):
                continue
            holds_delimiter = True
        else:
            cells = row
        for number, cell in enumerate(cells):
            if cell.startswith('"') or (cell.startswith("'") and not _is_quoted(cell)):
                return False
            filled[number] += bool(cell.strip())
            quoted[number] += _is_quoted(cell)
    return holds_delimiter or any(
        count >= _FEWEST_CELLS and 2 * quoted[number] > count for number, count in filled.items()
    )


def _join_lines(text: bytes, delimiter: str) -> bool:
    """Return whether quoted cells hold line ends, with every record as wide as the header."""
    cell_count: int | None = None
    joins = False
    for cells in islice(split_rows(text, 0, Dialect(delimiter, "'")), _MOST_LINES):
        # A quote that is not closed here, or one where none is allowed.
        if cells is None:
            return False
        cell_count = cell_count or len(cells)
        if len(cells) != cell_count:
            return False
        joins = joins or any("\n" in cell for cell in cells)
    return joins and cell_count is not None and cell_count > 1


def _is_quoted(cell: str) -> bool:
    return len(cell) >= 2 and cell[0] == cell[-1] == "'"


def _split_quoted(line: str, delimiter: str) -> list[str]:
    """Split a line whose cells may be in single quotes, which stay."""
    return _cells(delimiter).findall(line + delimiter)


@cache
def _cells(delimiter: str) -> re.Pattern[str]:
    end = re.escape(delimiter)
    return re.compile(rf"('(?:[^']|'')*+'|[^{end}]*+){end}")
