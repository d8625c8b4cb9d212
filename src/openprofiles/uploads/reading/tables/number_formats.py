"""How a sheet shows a number: the number formats of Excel, as far as they decide what the value is.

A format that shows leading zeros or characters between the digits, such as ``00000`` or ``000-00-0000``, is part of
the value, and so is a percent sign. Thousands separators, decimals, colors and currencies are not: there, the number
itself is read. Dates are written as ISO 8601, whatever the format.
"""

from __future__ import annotations

import math
import operator
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from openprofiles.uploads.reading.tables.cell_texts import moment_text, plain_number

# The formats that have a number but no text in the file. All others that are missing show the number itself.
_BUILT_IN = {
    9: "0%",
    10: "0.00%",
    14: "yyyy-mm-dd",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "yyyy-mm-dd h:mm",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    # Dates and times of East Asia and Thailand.
    **dict.fromkeys((*range(27, 32), *range(34, 37), *range(50, 55), 57, 58, *range(71, 76), 81), "yyyy-mm-dd"),
    **dict.fromkeys((32, 33, 55, 56), "h:mm:ss"),
    76: "h:mm",
    77: "h:mm:ss",
    78: "yyyy-mm-dd h:mm",
    79: "mm:ss",
}

_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)(-?[0-9.]+)\]")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
# What a section is made of: quoted text, an escaped character, a pad or fill character, brackets, anything else.
_TOKEN = re.compile(r'"([^"]*)"?|\\(.)|([_*].?)|(\[[^\]]*\]?)|(General|AM/PM|A/P)|(.)', re.IGNORECASE | re.DOTALL)
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_DIGITS = "0#?"

_EPOCH_1900 = datetime(1899, 12, 31)  # noqa: DTZ001 (a sheet has no time zones)
_EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001
# Excel has a 29 February 1900, the day with this number.
_NO_DAY = 60
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class _Section:
    """A part of a format, for some of the numbers.

    Attributes:
        kind: ``number`` (as it is), ``digits`` (by ``tokens``), ``percent``, ``date``, ``time`` or ``elapsed``.
        tokens: a digit placeholder or a text, from left to right.
        condition: which numbers it is for, if it says so.
    """

    kind: str
    tokens: tuple[tuple[bool, str], ...] = ()
    condition: Callable[[float], bool] | None = None


class NumberFormat:
    """One number format.

    Args:
        code: such as ``00000`` or ``dd.mm.yyyy``.
        counts_from_1904: whether day 0 of the workbook is 1 January 1904.
    """

    def __init__(self, code: str, *, counts_from_1904: bool = False) -> None:
        self._sections = [_parse_section(section) for section in _split_sections(code)][:3]
        self._counts_from_1904 = counts_from_1904

    @property
    def is_plain(self) -> bool:
        """Whether it shows every number itself."""
        return all(section.kind == "number" for section in self._sections)

    def show(self, text: str) -> str:
        """Write a number as the sheet shows it.

        Args:
            text: the number as the file has it.

        Raises:
            ValueError: it is not a finite number.
        """
        plain = sheet_number(text)
        number = float(plain)
        section, is_negated = self._section_for(number)
        if section.kind == "digits" and "." not in plain:
            shown = _fill(section.tokens, plain.removeprefix("-"))
            return f"-{shown}" if plain.startswith("-") and not is_negated else shown
        if section.kind == "percent":
            return f"{plain_number(str((Decimal(plain) * 100).normalize()))}%"
        if section.kind == "elapsed" and number >= 0:
            return _elapsed_text(number)
        if section.kind in ("date", "time"):
            return self._moment(section.kind, number) or plain
        return plain

    def _section_for(self, number: float) -> tuple[_Section, bool]:
        """Find the section for a number, and whether it shows the sign itself."""
        sections = self._sections
        if any(section.condition for section in sections):
            for section in sections:
                if section.condition is None or section.condition(number):
                    return section, False
            return _Section("number"), False
        if number < 0 and len(sections) > 1:
            return sections[1], True
        if number == 0 and len(sections) > 2:
            return sections[2], False
        return sections[0], False

    def _moment(self, kind: str, number: float) -> str | None:
        """Write a date or time; None if it is not in the calendar."""
        epoch = _EPOCH_1904
        if not self._counts_from_1904:
            epoch = _EPOCH_1900
            if int(number) == _NO_DAY:
                return None
            number -= number > _NO_DAY
        if number < 0 or (number < 1 and kind == "date" and not self._counts_from_1904):
            return None
        try:
            # To the millisecond, which is what the number is exact to.
            moment = epoch + timedelta(milliseconds=round(number * _DAY_SECONDS * 1000))
        except OverflowError:
            return None
        return moment_text(moment.time() if number < 1 and kind == "time" else moment)


def find_format(format_id: int, codes: dict[int, str], *, counts_from_1904: bool) -> NumberFormat | None:
    """Find the number format of a cell; None if it shows the number itself.

    Args:
        codes: the formats that the workbook defines.
    """
    code = codes.get(format_id) or _BUILT_IN.get(format_id)
    if code is None:
        return None
    found = NumberFormat(code, counts_from_1904=counts_from_1904)
    return None if found.is_plain else found


def sheet_number(text: str) -> str:
    """Write a number as a cell without a format shows it: whole in full, otherwise with 15 digits at most.

    Raises:
        ValueError: it is not a finite number.
    """
    plain = plain_number(text)
    number = float(plain)
    if math.isinf(number):
        raise ValueError("no cell can have such a number")
    if number == 0:
        return "0"
    # 0.1 + 0.2 is 0.30000000000000004 in the file, and 0.3 in the sheet.
    return plain_number(f"{number:.15g}") if "." in plain else plain


def _split_sections(code: str) -> list[str]:
    sections = [""]
    for match in _TOKEN.finditer(code):
        if match[0] == ";":
            sections.append("")
        else:
            sections[-1] += match[0]
    return sections


def _parse_section(code: str) -> _Section:
    condition = None
    if found := _CONDITION.search(code):
        compare, limit = _COMPARE[found[1]], float(found[2])

        def condition(number: float) -> bool:
            return compare(number, limit)

    kind, tokens = _parse_tokens(code)
    return _Section(kind, tokens, condition)


def _parse_tokens(code: str) -> tuple[str, tuple[tuple[bool, str], ...]]:
    tokens: list[tuple[bool, str]] = []
    letters = ""
    is_number = False
    for match in _TOKEN.finditer(code):
        quoted, escaped, padded, brackets, word, other = match.groups()
        if padded is not None:
            continue
        if brackets is not None:
            if _ELAPSED.fullmatch(brackets):
                return "elapsed", ()
            # A currency, such as [$€-407]; without a sign, it is a language or a color.
            is_number |= brackets.startswith("[$") and not brackets.startswith("[$-")
        elif word is not None:
            is_number |= word.lower() == "general"
            letters += "h" * (word.lower() != "general")
        elif other is None:
            tokens.append((False, quoted if quoted is not None else escaped))
        elif other in _DIGITS:
            tokens.append((True, other))
        elif other in ".,/@" or (other in "eE" and tokens):
            is_number = True
            letters += other
        elif other == "%":
            return "percent", ()
        else:
            letters += other.lower() * other.isalpha()
            tokens.append((False, other))
    if set(letters) & set("dy") or ("m" in letters and not set(letters) & set("hs")):
        return "date", ()
    if set(letters) & set("hs"):
        return "time", ()
    digits = [index for index, (is_digit, _) in enumerate(tokens) if is_digit]
    if is_number or not digits:
        return "number", ()
    texts = "".join(text for is_digit, text in tokens if not is_digit)
    if any(unicodedata.category(character) == "Sc" for character in texts):
        return "number", ()
    has_zeros = sum(text == "0" for is_digit, text in tokens if is_digit) > 1
    has_text_between = digits[-1] - digits[0] >= len(digits)
    # Around a number, a minus sign and parentheses are not a part of the value; a plus sign makes a phone number.
    return ("digits", tuple(tokens)) if has_zeros or has_text_between or texts.strip(" ()-") else ("number", ())


def _fill(tokens: tuple[tuple[bool, str], ...], digits: str) -> str:
    """Put the digits of a whole number into a format, from right to left."""
    left = "" if digits == "0" else digits
    shown: list[str] = []
    remaining = sum(is_digit for is_digit, _ in tokens)
    for is_digit, text in reversed(tokens):
        if not is_digit:
            shown.append(text)
            continue
        remaining -= 1
        if remaining == 0 and left:
            # The first placeholder takes all digits that are left.
            shown.append(left)
        elif left:
            shown.append(left[-1])
        elif text != "#":
            shown.append("0" if text == "0" else " ")
        left = "" if remaining == 0 else left[:-1]
    return "".join(reversed(shown)).strip()


def _elapsed_text(number: float) -> str:
    seconds = round(number * _DAY_SECONDS)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
