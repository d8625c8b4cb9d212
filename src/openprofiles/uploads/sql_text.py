"""Text as a literal of SQL, where a parameter cannot stand."""

from __future__ import annotations


def sql_text(text: str) -> str:
    """The text as a literal."""
    return "'" + text.replace("'", "''") + "'"
