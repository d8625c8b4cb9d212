"""Texts that a spreadsheet would calculate or cut, and the apostrophe that keeps them as they are.

One rule, as a regular expression without lookaround, so that Python and DuckDB (RE2) share it.
"""

from __future__ import annotations

import re

from openprofiles.facts.sql_text import sql_text

# After a sign, digits and what people write between them are a number or a phone number. A second sign or a slash is
# not: a spreadsheet calculates +49-30-123. An apostrophe gets another one, so that the first can always be removed.
_NOT_KEPT = r"(?:['=@\t\r]|[+-][0-9 ().,]*[^0-9 ().,])"

_needs_apostrophe = re.compile(_NOT_KEPT).match
_has_apostrophe = re.compile("'" + _NOT_KEPT).match


def needs_apostrophe(text: str) -> bool:
    """Return whether a text gets an apostrophe in a CSV file for spreadsheets."""
    return _needs_apostrophe(text) is not None


def add_apostrophe(text: str) -> str:
    """Put an apostrophe before a text that needs one."""
    return "'" + text if needs_apostrophe(text) else text


def remove_apostrophe(text: str) -> str:
    """Undo ``add_apostrophe``; an apostrophe before a text that would not need one stays."""
    return text[1:] if _has_apostrophe(text) else text


def sql_remove_apostrophe(cell: str) -> str:
    """Build SQL that does the same as ``remove_apostrophe``; null stays null."""
    pattern = sql_text("^'" + _NOT_KEPT)
    return f"case when regexp_matches({cell}, {pattern}) then substr({cell}, 2) else {cell} end"
