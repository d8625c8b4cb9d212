"""Write the cells of a table as texts: numbers as people write them, without losing a digit."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation

# No float is longer. A longer number keeps its exponent, and so its size in memory.
_MOST_DIGITS = 309
_WITH_EXPONENT = re.compile(r"-?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]+")


def plain_number(text: str) -> str:
    """Write a number without an exponent, and a whole number without a decimal point.

    Args:
        text: a number as JSON, XML or Python writes it. One that no float can hold stays as it is.

    Raises:
        ValueError: it is not a finite number.
    """
    if "." not in text and text.removeprefix("-").isdecimal() and text.isascii():
        return text.removeprefix("-") if text.strip("-0") == "" else text
    try:
        number = Decimal(text)
    except InvalidOperation:
        if _WITH_EXPONENT.fullmatch(text):
            # An exponent that not even a decimal number can have.
            return text
        raise ValueError(f"{text!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{text!r} is not a finite number")
    if abs(number.adjusted()) >= _MOST_DIGITS:
        return text
    written = f"{number:f}"
    whole, _, fraction = written.partition(".")
    if not fraction.strip("0"):
        return "0" if whole.strip("-0") == "" else whole
    return written


def iso_moment_text(text: str) -> str:
    """Write an ISO 8601 date or time as all are written; keep other text."""
    for read in (datetime.fromisoformat, time.fromisoformat):
        try:
            return moment_text(read(text.strip()))
        except ValueError:
            continue
    return text


def moment_text(moment: date | time | datetime) -> str:
    """Write a date or a time as ISO 8601; midnight is left out."""
    if not isinstance(moment, datetime):
        return moment.isoformat()
    is_date = moment.time() == time() and moment.tzinfo is None
    return moment.date().isoformat() if is_date else moment.isoformat(" ")
