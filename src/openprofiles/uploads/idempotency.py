"""Idempotency tokens, by which a request that is sent again is recognised."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def digest_of(request: Mapping[str, Any]) -> str:
    """Compute 64 hexadecimal digits of a request, independent of the order of its members.

    Args:
        request: what JSON can hold.
    """
    canonical = json.dumps(request, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
