"""The JSON text of an object, and the text of a value in it."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

from openprofiles.errors import InvalidRequest

# In bytes of UTF-8; the service model limits the characters.
MAX_OBJECT_BYTES = 256_000


# A number of so few characters reads back the same from a 64-bit float.
_EXACT_DIGITS = 15


class _HugeNumber(str):
    """A number that no 64-bit float holds, as it was written."""

    __slots__ = ()


def parse_object(text: str) -> dict[str, Any]:
    """Read the JSON text of an object.

    Raises:
        InvalidRequest: it is too large, is not JSON, or is not an object.
    """
    if len(text) > MAX_OBJECT_BYTES or (not text.isascii() and len(text.encode()) > MAX_OBJECT_BYTES):
        # Text of AWS: reference, 4.7.
        raise InvalidRequest(f"Your data contains profile object larger than {MAX_OBJECT_BYTES} bytes")
    try:
        parsed = _DECODER.decode(text)
    except (ValueError, RecursionError):
        # Text of AWS: reference, 4.9.
        raise InvalidRequest("Could not parse object string into JSON") from None
    if not isinstance(parsed, dict):
        raise InvalidRequest('Object must be a JSON object in braces, such as {"id": "1"}.')
    return parsed


def value_text(value: Any) -> str | None:
    """Return the text of a JSON value, as a profile holds it; None if there is no value.

    Whole numbers stay as they are, and other numbers get the shortest form that reads back the same; lists and objects
    become compact JSON.
    """
    if isinstance(value, str):
        return str(value)
    if value is None:
        return None
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int | float):
        return repr(value)
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    except RecursionError:
        raise InvalidRequest("Could not parse object string into JSON") from None


def _integer(digits: str) -> int | _HugeNumber:
    try:
        return int(digits)
    except ValueError:
        # Python limits the digits of a whole number.
        return _HugeNumber(digits)


def _fraction(text: str) -> float | _HugeNumber:
    number = float(text)
    if math.isinf(number):
        return _HugeNumber(text)
    # Two numbers with more digits than a float has must not become one.
    return number if len(text) <= _EXACT_DIGITS or Decimal(text) == Decimal(repr(number)) else _HugeNumber(text)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_fraction, parse_constant=_refuse_constant)
