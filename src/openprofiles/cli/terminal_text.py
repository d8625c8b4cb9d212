"""Text on a terminal: nothing that steers it, and no wider than it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from rich.cells import cell_len, chop_cells, set_cell_size

SMALLEST_WIDTH = 40


def terminal_width() -> int:
    """Columns of the terminal that standard output goes to; 80 where it goes elsewhere, unless COLUMNS says another."""
    return max(shutil.get_terminal_size((80, 24)).columns, SMALLEST_WIDTH)


def shown(text: str) -> str:
    """Text from a file or a caller on one line, without what would steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def cut(text: str, width: int) -> str:
    """The text in at most so many columns; one that was cut ends in ``…``."""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def padded(text: str, width: int, *, to_right: bool = False) -> str:
    """The text with blanks on one side, in so many columns."""
    blanks = " " * (width - cell_len(text))
    return blanks + text if to_right else text + blanks


def wrapped(text: str, width: int) -> Iterator[str]:
    """Lines of at most so many columns, broken between words where that is possible."""
    line = ""
    for word in text.split():
        for part in chop_cells(word, width):
            if line and cell_len(line) + 1 + cell_len(part) > width:
                yield line
                line = part
            else:
                line = f"{line} {part}" if line else part
    yield line
