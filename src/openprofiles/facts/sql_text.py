"""Text as a literal of SQL, where a parameter cannot stand."""

from __future__ import annotations


def sql_text(text: str) -> str:
    """Quote a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
