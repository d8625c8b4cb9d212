"""Words that several commands put into their messages."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from openprofiles.clock import from_epoch_seconds


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 object`` or ``1,200 objects``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def source_name(file: str | Path) -> str:
    """Return the name of a file that a command reads; ``-`` is standard input."""
    return "standard input" if str(file) == "-" else str(file)


def utc_text(moment: datetime | float | None) -> str:
    """Write a moment, also as epoch seconds, as ``2026-01-31T12:00:00Z``, and None as nothing."""
    return "" if moment is None else f"{_datetime(moment):%Y-%m-%dT%H:%M:%SZ}"


def iso_text(moment: datetime | float | None) -> str | None:
    """Write a moment for programs; None stays None."""
    return None if moment is None else _datetime(moment).isoformat()


def _datetime(moment: datetime | float) -> datetime:
    found = moment if isinstance(moment, datetime) else from_epoch_seconds(moment)
    assert found is not None, "it was given"
    return found
