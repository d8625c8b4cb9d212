"""Words that several commands put into their messages."""

from __future__ import annotations

from pathlib import Path


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 object`` or ``1,200 objects``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def source_name(file: str | Path) -> str:
    """Return the name of a file that a command reads; ``-`` is standard input."""
    return "standard input" if str(file) == "-" else str(file)
