"""When a text is a number. ``store/expressions`` has the same rule in SQL."""

from __future__ import annotations

import math
import re

# Of blanks only those of ASCII.
_NUMBER = re.compile(r"[ \t\n\v\f\r]*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t\n\v\f\r]*\Z")
# The digits before an exponent.
_IS_ZERO = re.compile(r"[^1-9eE]*(?:[eE]|\Z)")


def number_of(text: str) -> float | None:
    """Return the number that a text is; None if it is not one.

    ``1,000``, ``0x10``, ``inf`` and ``nan`` are not numbers, and neither are those that a double cannot hold:
    ``1e999``, and ``1e-999``, which would become 0.
    """
    if _NUMBER.match(text) is None:
        return None
    value = float(text)
    if math.isinf(value) or (value == 0 and _IS_ZERO.match(text) is None):
        return None
    return value
