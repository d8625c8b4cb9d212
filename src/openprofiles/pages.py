"""Page tokens: where the next page of a list begins.

A token carries a version, the name of the list it belongs to and the last key seen (row numbers, times in
milliseconds, ids, domain names), never a value of a customer. It is opaque to callers and not secret; it is
validated when a caller sends it back. No query uses OFFSET.
"""

from __future__ import annotations

import base64
import binascii
import json

from openprofiles.errors import InvalidRequest

_VERSION = 1

Key = list[int | str]


def write_token(list_name: str, last_key: Key) -> str:
    """Build the token for the page after ``last_key`` of the named list."""
    text = json.dumps([_VERSION, list_name, *last_key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(list_name: str, token: str, kinds: tuple[type, ...]) -> Key:
    """Read the key that a token of the named list carries.

    Args:
        kinds: the type of each part of the key, ``int`` or ``str``.

    Raises:
        InvalidRequest: the token was not made by this version of openprofiles for this list.
    """
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise _invalid() from None
    if not isinstance(parts, list) or parts[:2] != [_VERSION, list_name] or len(parts) != 2 + len(kinds):
        raise _invalid()
    key = parts[2:]
    if any(type(part) is not kind for part, kind in zip(key, kinds, strict=True)):
        raise _invalid()
    if any(isinstance(part, int) and not -(1 << 63) <= part < 1 << 63 for part in key):
        raise _invalid()
    # Ids and domain names are plain ASCII; half a surrogate pair would fail only in the store.
    if any(isinstance(part, str) and not (part.isascii() and part.isprintable()) for part in key):
        raise _invalid()
    return key


def _invalid() -> InvalidRequest:
    return InvalidRequest(
        "NextToken is not valid here. Pass the NextToken of the previous page of this list unchanged."
    )
