"""Parse and validate the JSON body of a request, and write that of an answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from openprofiles.wire.codec import json_error_place
from openprofiles.wire.errors import bad_request


def read_json(body: bytes) -> Any:
    """Parse the body.

    Raises:
        WireError: it is not valid JSON.
    """
    try:
        return json.loads(body)
    except RecursionError:
        raise bad_request("The body is nested too deeply.") from None
    except ValueError as error:
        raise bad_request(f"The body is not JSON{json_error_place(error)}.") from None


def members(what: str, document: Any, known: Iterable[str]) -> dict[str, Any]:
    """Return the members of an object.

    Args:
        what: its name for messages.

    Raises:
        WireError: it is not an object, or has an unknown member.
    """
    if not isinstance(document, dict):
        raise bad_request(f"{what} must be a JSON object.")
    for name in document:
        if name not in known:
            raise bad_request(f"{what} has a member {name!r}, which is unknown. Known members: {', '.join(known)}.")
    return document


def text(what: str, value: Any) -> str:
    """Check that the value is a string that every store can keep.

    Raises:
        WireError: it is not a string, or contains NUL or half of a surrogate pair.
    """
    if not isinstance(value, str):
        raise bad_request(f"{what} must be a string.")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise bad_request(f"{what} contains a character that is not valid in text.")
    return value


def number(what: str, value: Any, *, whole: bool) -> Any:
    """Check that the value is a number.

    Raises:
        WireError: it is not a number.
    """
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise bad_request(f"{what} must be {'an integer' if whole else 'a number'}.")
    return value


def without_none(document: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the members whose value is None, as all answers do."""
    return {name: value for name, value in document.items() if value is not None}
