"""What a text has as a list. ``store/expressions`` has the same rule in SQL."""

from __future__ import annotations

import json
import re

# Engines read these in different ways: control characters, and escaped halves of surrogate pairs.
_NOT_IN_LISTS = re.compile(r"[\x00-\x1f]|\\u(?:0000|[dD][89a-fA-F])")


def list_of(text: str) -> list[str]:
    """Return the elements of a text that is a JSON array; any other text is a list of itself.

    Numbers, ``true`` and ``false`` are elements as they are written; null, objects and lists are not elements. An
    array with control characters or escaped surrogate pairs is not read as one.
    """
    if not text.startswith("[") or _NOT_IN_LISTS.search(text):
        return [text]
    try:
        found = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return [text]
    return [_text_of(one) for one in found if one is not None and not isinstance(one, list | dict)]


def _text_of(element: str | bool) -> str:
    if isinstance(element, bool):
        return "true" if element else "false"
    return element


def _refuse(name: str) -> str:
    raise ValueError(f"{name} is not JSON.")


# Numbers stay as they are written.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse)
