"""Find the lines that database consoles and Markdown draw around the header of a table.

``+----+------+`` may stand above and below the header, ``|----|:-----|`` below it, and ``----,------``, with any
delimiter, too.
"""

from __future__ import annotations

import re

_RULE = rb"[ \t]*[+|]?[ \t:]*-(?=[^\n]*-)(?=[^\n]*[|+])[-=+|: \t]*\r?\n"
_ABOVE = re.compile(rb"(?:[ \t\r]*\n)*" + _RULE + rb"(?=[^\n]*\|)")
_BELOW = _RULE + rb"|[ \t]*-(?=-|[^\n]*--)(?=[^\n]*[,;|\t]-)[-,;|\t ]*\r?\n"
_LINE = re.compile(_BELOW)
_BELOW_FIRST = re.compile(rb"\A([^\n]*\n)(?:" + _BELOW + rb")")


def find_rule_end(text: bytes) -> int:
    """Return the offset of the table below a ruled line; 0 if the text does not begin with one."""
    found = _ABOVE.match(text)
    return found.end() if found else 0


def match_rule(text: bytes) -> bytes | None:
    """Return the ruled line at the beginning of a text, with its line end; None if there is none."""
    found = _LINE.match(text)
    return found[0] if found else None


def without_rule_below(text: bytes) -> bytes:
    """Remove a ruled line below the first line of a table."""
    return _BELOW_FIRST.sub(rb"\1", text, count=1)
