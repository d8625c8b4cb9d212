"""The errors of the API: a code, a message and a status."""

from __future__ import annotations

import json
from collections.abc import Mapping

# The first five are the service model's own. The others come from AWS's front end and may be answered by any operation,
# whether it lists them or not: SDKs correct their clocks and refresh credentials by these names.
# Source: "Common Error Types" in the Customer Profiles API reference (AWS's API gateway answers the same), except
# ThrottlingException, which that page has as 400 and the model as 429, and IncompleteSignatureException, which older
# services of AWS (IAM, STS) answer with 400.
STATUS_BY_CODE: Mapping[str, int] = {
    "BadRequestException": 400,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ThrottlingException": 429,
    "InternalServerException": 500,
    "UnrecognizedClientException": 403,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "IncompleteSignatureException": 403,
    "UnknownOperationException": 404,
    "RequestEntityTooLargeException": 413,
    # Of a request that was not read to its end; SDKs repeat the first and the last.
    "RequestTimeoutException": 408,
    "RequestUriTooLongException": 414,
    "RequestHeaderFieldsTooLargeException": 431,
    "ServiceUnavailableException": 503,
}

_HEADER_BYTES = 1024


class WireError(Exception):
    """An error for the caller.

    An operation of the model lists the codes that it answers. The codes of authentication, authorisation and throttling
    are answered by every operation all the same: TagResource lists no AccessDeniedException, yet a credential may not
    be allowed to call it.

    Args:
        code: one of `STATUS_BY_CODE`.
        message: shown to the caller; it never holds a customer's value.
        member: the path of the member at fault, if programs have to know it.

    Raises:
        ValueError: the code is not one of ours.
    """

    def __init__(self, code: str, message: str, member: str | None = None) -> None:
        if code not in STATUS_BY_CODE:
            raise ValueError(f"{code} is not an error code of the API; known are {', '.join(STATUS_BY_CODE)}.")
        super().__init__(message)
        self.code = code
        self.message = message
        self.member = member
        self.status = STATUS_BY_CODE[code]


def bad_request(message: str) -> WireError:
    """Make the error for a malformed or invalid request."""
    return WireError("BadRequestException", message)


def write_error(error: WireError) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Write an error as status, headers and body of the answer.

    The code is bare in ``x-amzn-errortype``, as Smithy demands of new servers; the member is ``Message``, as in the
    model.
    """
    body = json.dumps({"Message": error.message}, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    headers = [
        (b"content-type", b"application/json"),
        (b"x-amzn-errortype", error.code.encode("ascii")),
        # The AWS SDK for Go, version 1, looks here only.
        (b"x-amzn-error-message", _as_header(error.message)),
    ]
    if error.member is not None:
        headers.append((b"x-openprofiles-member", error.member.encode("ascii")))
    return error.status, headers, body


def _as_header(message: str) -> bytes:
    """Fit a message into a header: one line of ASCII, shorter than a list of 100 errors."""
    printable = "".join(letter if letter.isprintable() else " " for letter in message)
    return printable.encode("ascii", "replace")[:_HEADER_BYTES]
