"""Recognise the kind of a column's values from the values alone.

Two questions, since the evidence differs: what a value clearly is, whatever the name of its column; and whether it may
be what the name of its column says. A row of ten digits may be a phone number. It is not clearly one: it may
also be the number of a customer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from openprofiles.facts.blanks import BLANKS, is_blank
from openprofiles.facts.standard_profile import EMAIL_KEY, PHONE_KEY


class ValueKind(Enum):
    """What a value can be; the text is for people, in the plural."""

    EMAIL_ADDRESS = "email addresses"
    PHONE_NUMBER = "phone numbers"
    DATE = "dates"
    NUMBER = "numbers"


# What the values of the fields of a key are.
KIND_OF_KEY = {EMAIL_KEY: ValueKind.EMAIL_ADDRESS, PHONE_KEY: ValueKind.PHONE_NUMBER}


@dataclass(frozen=True, slots=True)
class ColumnKind:
    """What the values of a column look like.

    Attributes:
        kind: what most of them clearly are; None: nothing in particular.
        share: of the values that are not blank, those that are it; 0 to 1.
        filled_count: values that are not blank.
    """

    kind: ValueKind | None
    share: float
    filled_count: int


_EMAIL = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+\.[^\s@,;<>.]{2,}")
_MAYBE_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")

_EXTENSION = r"(?:\s*(?:x|ext\.?|#)\s*[0-9]{1,6})?"
# An international number, one with its area code in brackets or after the 0 of a trunk call, or one as in North
# America: what no other number of a customer is written like.
_PHONE = re.compile(
    r"(?:\+[0-9][0-9 ()./-]+|\(\+?[0-9]{1,5}\)[0-9 ./-]+|0{1,2}[1-9][0-9]*[ ()/.-][0-9 ()/.-]+"
    r"|(?:1[ .-])?[2-9][0-9]{2}[ .-][0-9]{3}[ .-][0-9]{4})" + _EXTENSION,
    re.IGNORECASE,
)
# Some exports put an apostrophe before a number, so that a spreadsheet does not calculate with it.
_MAYBE_PHONE = re.compile(r"'?[+(]{0,2}[0-9][0-9 ()./-]*" + _EXTENSION, re.IGNORECASE)
_ZIP_PLUS_4 = re.compile(r"[0-9]{5}-[0-9]{4}")

_TIME = r"(?:[T ][0-9]{1,2}:[0-9]{2}\S*)?"
_YEAR_FIRST = re.compile(r"[12][0-9]{3}([-/.])([0-9]{1,2})\1([0-9]{1,2})" + _TIME)
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2(?:[12][0-9]{3}|[0-9]{2})" + _TIME)
_MAYBE_DATE = re.compile(r"(?:[12][0-9]{3}(?:[01][0-9][0-3][0-9])?|[0-3][0-9][01][0-9][12][0-9]{3})")
# A birthday without its year.
_DAY_OF_YEAR = re.compile(r"([0-3]?[0-9])[-/.]([0-3]?[0-9])\.?")
_WORDS_OF_DATE = re.compile(r"(?=.*[0-9]{2})[0-9]{0,4}[ .,-]*[^\W\d_]{3,9}[ .,-]+[0-9]{1,4}(?:[ .,-]+[0-9]{2,4})?")

_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,'\u2019 ][0-9]+)*[ ]?%?")

_FEWEST_PHONE_DIGITS, _MOST_PHONE_DIGITS = 7, 15
_FEWEST_DIGITS_WITHOUT_AREA = 5
# Nothing that a column of these kinds holds is longer, and a pattern need not be tried on a novel.
_MAX_LENGTH = 320


def find_column_kind(values: Iterable[str]) -> ColumnKind:
    """Find the kind that a column's values clearly are; blank values do not count."""
    filled = [value for value in values if not is_blank(value)]
    counts = Counter(kind for value in filled if (kind := clear_kind(value)))
    if not counts:
        return ColumnKind(None, 0.0, len(filled))
    kind, count = counts.most_common(1)[0]
    return ColumnKind(kind, count / len(filled), len(filled))


def share_that_may_be(kind: ValueKind, values: Iterable[str]) -> float | None:
    """Return the share of the values that may be of this kind; None if all are blank."""
    filled = [value for value in values if not is_blank(value)]
    return sum(may_be(kind, value) for value in filled) / len(filled) if filled else None


def clear_kind(value: str) -> ValueKind | None:
    """Return what a value clearly is; None: nothing in particular."""
    text = value.strip(BLANKS)
    if len(text) > _MAX_LENGTH:
        return None
    if _EMAIL.fullmatch(text):
        return ValueKind.EMAIL_ADDRESS
    if is_date(text):
        return ValueKind.DATE
    if _PHONE.fullmatch(text) and not _ZIP_PLUS_4.fullmatch(text) and _has_digits_of_phone(text):
        return ValueKind.PHONE_NUMBER
    return ValueKind.NUMBER if _NUMBER.fullmatch(text) else None


def may_be(kind: ValueKind, value: str) -> bool:
    """Return whether a value may be of this kind."""
    text = value.strip(BLANKS)
    if len(text) > _MAX_LENGTH:
        return False
    if kind is ValueKind.EMAIL_ADDRESS:
        return bool(_MAYBE_EMAIL.fullmatch(text))
    if kind is ValueKind.PHONE_NUMBER:
        is_phone = _MAYBE_PHONE.fullmatch(text) and _has_digits_of_phone(text, _FEWEST_DIGITS_WITHOUT_AREA)
        return bool(is_phone) and not is_date(text)
    if kind is ValueKind.DATE:
        if day := _DAY_OF_YEAR.fullmatch(text):
            first, second = int(day[1]), int(day[2])
            return 1 <= min(first, second) <= 12 and max(first, second) <= 31
        return is_date(text) or bool(_MAYBE_DATE.fullmatch(text) or _WORDS_OF_DATE.fullmatch(text))
    return bool(_NUMBER.fullmatch(text))


def _has_digits_of_phone(text: str, fewest: int = _FEWEST_PHONE_DIGITS) -> bool:
    number = re.split(r"[x#e]", text, maxsplit=1, flags=re.IGNORECASE)[0]
    return fewest <= sum(map(str.isdigit, number)) <= _MOST_PHONE_DIGITS


def is_date(text: str) -> bool:
    """Return whether a text without surrounding blanks is a date in digits."""
    if found := _YEAR_FIRST.fullmatch(text):
        first, second = int(found[2]), int(found[3])
    elif found := _YEAR_LAST.fullmatch(text):
        first, second = int(found[1]), int(found[3])
    else:
        return False
    return 1 <= min(first, second) <= 12 and max(first, second) <= 31
