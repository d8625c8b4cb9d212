"""Times at the source, in the patterns of Java's SimpleDateFormat that AWS documents.

A pattern is compiled when it is first used. One with letters that are not supported reads nothing, so the time of the
ingestion counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import TypeAlias

EPOCH_MILLISECONDS = "EpochMilli"

_ReadTime: TypeAlias = Callable[[str], datetime | None]

_PART = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']")
_DIGITS = {"y": "year", "u": "year", "M": "month", "d": "day", "H": "hour", "h": "hour12", "m": "minute", "s": "second"}
_ZONE = r"(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2})?|UTC|GMT)"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def read_source_time(text: str, pattern: str) -> datetime | None:
    """Read a time at the source; None if the text does not fit the pattern."""
    if pattern == EPOCH_MILLISECONDS:
        return _of_epoch(text)
    read = _compile(pattern)
    return None if read is None else read(text.strip())


def _of_epoch(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(text))
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=200)
def _compile(pattern: str) -> _ReadTime | None:
    expression, position = "", 0
    for part in _PART.finditer(pattern):
        if part.start() != position:
            return None
        position = part.end()
        found = _expression(part)
        if found is None or (found.startswith("(?P<") and found.partition(">")[0] in expression):
            return None
        expression += found
    if position != len(pattern) or "(?P<year>" not in expression:
        return None
    compiled = re.compile(expression, re.IGNORECASE | re.ASCII)

    def read(text: str) -> datetime | None:
        found = compiled.fullmatch(text)
        return None if found is None else _time_of(found.groupdict())

    return read


def _expression(part: re.Match[str]) -> str | None:
    """Return the expression for one part of a pattern; None if it is not supported."""
    if part[1] is not None:
        return re.escape(part[1].replace("''", "'") or "'")
    letter, size = part[2], len(part[0])
    if letter is None:
        return re.escape(part[0])
    if letter == "M" and size >= 3:
        return "(?P<name>[a-z]{3})[a-z]*"
    if letter in "yu":
        return "(?P<year>[0-9]{2})" if size == 2 else "(?P<year>[0-9]{4})"
    if letter in _DIGITS:
        return f"(?P<{_DIGITS[letter]}>[0-9]{{1,2}})"
    if letter == "S":
        return "(?P<fraction>[0-9]{1,9})"
    if letter in "XZz":
        return _ZONE
    return "(?P<half>am|pm)" if letter == "a" else None


def _time_of(parts: dict[str, str | None]) -> datetime | None:
    year = int(parts["year"] or 0)
    month = parts.get("month") or "1"
    name = parts.get("name")
    hour = int(parts.get("hour") or 0)
    if parts.get("hour12"):
        hour = int(parts["hour12"] or 0) % 12 + (12 if (parts.get("half") or "").lower() == "pm" else 0)
    try:
        return datetime(
            year + 2000 if year < 100 else year,
            int(month) if name is None else _MONTHS.index(name.lower()) + 1,
            int(parts.get("day") or 1),
            hour,
            int(parts.get("minute") or 0),
            int(parts.get("second") or 0),
            int((parts.get("fraction") or "0").ljust(6, "0")[:6]),
            tzinfo=_zone_of(parts.get("zone")),
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone_of(text: str | None) -> timezone:
    if text is None or text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
