"""Tables of plain text that fit a terminal: no colours and no lines, so that they can be searched and cut as any text.

Where the columns do not fit next to each other, each row takes several lines, in the same places in every row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from openprofiles.cli.terminal_text import cut, padded, shown

_GAP = 2
_INDENT = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        is_number: is aligned to the right.
        shrinks_to: columns of the terminal that its cells may be cut down to; None: they are never cut.
    """

    heading: str
    is_number: bool = False
    shrinks_to: int | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of a column: its index, and its width in columns of the terminal."""

    index: int
    width: int


def table_lines(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, *, has_headings: bool = True
) -> Iterator[str]:
    """Yield the lines of a table of at most ``width`` columns.

    Only a cell that may not be cut and is wider by itself makes a longer line.
    """
    cleaned = [[shown(cell) for cell in row] for row in rows]
    headings = [[column.heading for column in columns]] if has_headings else []
    layout = _lay_out(columns, [*headings, *cleaned], width)
    for row in (*headings, *cleaned):
        for number, places in enumerate(layout):
            cells = (
                padded(cut(row[place.index], place.width), place.width, to_right=columns[place.index].is_number)
                for place in places
            )
            yield (" " * (_INDENT if number else 0) + (" " * _GAP).join(cells)).rstrip()


def _lay_out(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[list[_Place]]:
    """Divide the columns among the lines of a row."""
    wanted = [max((cell_len(row[index]) for row in rows), default=0) for index in range(len(columns))]
    least = [
        want if column.shrinks_to is None else min(want, column.shrinks_to)
        for want, column in zip(wanted, columns, strict=True)
    ]
    lines: list[list[int]] = [[]]
    left = width
    for index, needed in enumerate(least):
        if lines[-1] and needed + _GAP > left:
            lines.append([])
            left = width - _INDENT
        left -= needed + (_GAP if lines[-1] else 0)
        lines[-1].append(index)
    return [_share_out(line, wanted, least, width - (_INDENT if number else 0)) for number, line in enumerate(lines)]


def _share_out(line: Sequence[int], wanted: Sequence[int], least: Sequence[int], width: int) -> list[_Place]:
    """Share the rest of a line equally among the columns that need more."""
    widths = {index: least[index] for index in line}
    spare = width - sum(widths.values()) - _GAP * (len(line) - 1)
    while spare > 0 and (wanting := [index for index in line if widths[index] < wanted[index]]):
        for index in wanting[:spare]:
            widths[index] += 1
        spare -= len(wanting)
    return [_Place(index, widths[index]) for index in line]
