"""Rows of a table as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import BinaryIO

# What CSV has no other way to write than as text.
_JSON_TYPES = (list, dict)


def write_rows(output: BinaryIO, rows: Iterable[Sequence[str]]) -> None:
    """Write the rows; one without a value becomes a blank line, so that the others keep their numbers."""
    text = io.TextIOWrapper(output, encoding="utf-8", errors="replace", newline="")
    csv.writer(text, lineterminator="\n").writerows(row if any(row) else [] for row in rows)
    text.flush()
    text.detach()


def cell_text(value: object) -> str:
    """Write a cell as people do: whole numbers without a point, dates as ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        is_date = value.time() == time() and value.tzinfo is None
        return value.date().isoformat() if is_date else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, _JSON_TYPES):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
