"""The one place where an error of the domain gets its code on the wire."""

from __future__ import annotations

from collections.abc import Mapping

from openprofiles.errors import (
    Busy,
    DomainError,
    FilesUnreachable,
    InvalidRequest,
    NotFound,
    StoreNotWritable,
    StoreUnreachable,
)
from openprofiles.wire.errors import WireError

WIRE_CODES: Mapping[type[DomainError], str] = {
    NotFound: "ResourceNotFoundException",
    InvalidRequest: "BadRequestException",
    # SDKs repeat a throttled request by themselves, which is what helps here.
    Busy: "ThrottlingException",
    StoreNotWritable: "InternalServerException",
    StoreUnreachable: "InternalServerException",
    FilesUnreachable: "InternalServerException",
}


def to_wire_error(error: Exception) -> WireError | None:
    """Convert an exception of the domain into the caller's error; return None for any other."""
    code = next((code for kind, code in WIRE_CODES.items() if isinstance(error, kind)), None)
    member = error.member if isinstance(error, InvalidRequest) else None
    return None if code is None else WireError(code, str(error), member)
