"""Escape control characters in text and fit it to the terminal's width."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator

from rich.cells import cell_len, chop_cells, set_cell_size

SMALLEST_WIDTH = 40
# Wider than any line that a command prints.
_NO_LIMIT = 1_000_000


def terminal_width() -> int:
    """Return the width of the terminal; COLUMNS sets another, and in a pipe or a file there is no limit."""
    if not os.environ.get("COLUMNS") and not sys.stdout.isatty():
        return _NO_LIMIT
    return max(shutil.get_terminal_size((80, 24)).columns, SMALLEST_WIDTH)


def shown(text: str) -> str:
    """Put text from a file or a caller on one line, without control characters."""
    return "".join(character if character.isprintable() else " " for character in text)


def cut(text: str, width: int) -> str:
    """Cut the text to this many columns; a cut text ends in ``…``."""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def padded(text: str, width: int, *, to_right: bool = False) -> str:
    """Pad the text with blanks on one side to this many columns."""
    blanks = " " * (width - cell_len(text))
    return blanks + text if to_right else text + blanks


def wrapped(text: str, width: int) -> Iterator[str]:
    """Break the text into lines of at most this many columns, between words if possible."""
    line = ""
    for word in text.split():
        for part in chop_cells(word, width):
            if line and cell_len(line) + 1 + cell_len(part) > width:
                yield line
                line = part
            else:
                line = f"{line} {part}" if line else part
    yield line
