"""Find the line that a database console draws above a table: ``+----+------+``."""

from __future__ import annotations

import re

_RULE = re.compile(rb"(?:[ \t\r]*\n)*[ \t]*[+|]?--[-=+|: \t]*\r?\n(?=[^\n]*\|)")


def find_rule_end(text: bytes) -> int:
    """Return the offset of the table below a ruled line; 0 if the text does not begin with one."""
    found = _RULE.match(text)
    return found.end() if found else 0
