"""Idempotency tokens, by which a request that is sent again is recognised."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from openprofiles.errors import InvalidRequest

_TOKEN = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


def require_token(token: str | None) -> None:
    """Refuse a malformed token; None means that the request has none.

    Raises:
        InvalidRequest: no token can look so.
    """
    if token is not None and not _TOKEN.fullmatch(token):
        raise InvalidRequest("IdempotencyToken must have 1 to 64 characters: letters, digits, _, - and dots.")


def digest_of(request: Mapping[str, Any]) -> str:
    """Compute 64 hexadecimal digits of a request, independent of the order of its members.

    Args:
        request: what JSON can hold.
    """
    canonical = json.dumps(request, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
