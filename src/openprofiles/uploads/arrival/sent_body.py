"""The headers of a PUT that describe its body: its framing, its length, and its checksums.

All of them are optional. Those that are sent are verified, with S3's messages, before the job gets the file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from openprofiles.uploads.arrival.aws_chunked import (
    TRAILER_SIGNATURE,
    AwsChunkedBody,
    MalformedFraming,
    MalformedTrailers,
)
from openprofiles.uploads.arrival.refused import Refused

_MD5_HEADER = "content-md5"
_SHA256_HEADER = "x-amz-content-sha256"
_TRAILER_HEADER = "x-amz-trailer"
_DECODED_LENGTH_HEADER = "x-amz-decoded-content-length"
_CHECKSUM = "x-amz-checksum-"
# Headers that describe a checksum and do not contain one.
_ABOUT_CHECKSUMS = frozenset((_CHECKSUM + "algorithm", _CHECKSUM + "mode", _CHECKSUM + "type"))

_UNSIGNED = "UNSIGNED-PAYLOAD"
_STREAMING = (
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
)
_LENGTH = re.compile(r"[0-9]{1,18}\Z")
_SHA256_HEX = re.compile(r"[0-9A-Fa-f]{64}\Z")


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    """A checksum by a function that continues from an earlier value."""

    def __init__(self, calculate: Callable[[bytes, int], int], size_bytes: int) -> None:
        self._calculate = calculate
        self._size_bytes = size_bytes
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._calculate(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size_bytes, "big")


def _catalogued_crc(name: str, size_bytes: int) -> _Crc:
    # Takes 30 ms, and few clients send one.
    import anycrc

    return _Crc(anycrc.Model(name).calc, size_bytes)


# MD5 and SHA-1 guard against a garbled file here, as S3 defines them, and nothing else.
_CHECKSUMS: dict[str, Callable[[], _Digest]] = {
    "crc32": lambda: _Crc(zlib.crc32, 4),
    "crc32c": lambda: _catalogued_crc("CRC32-ISCSI", 4),
    "crc64nvme": lambda: _catalogued_crc("CRC64-NVME", 8),
    "md5": partial(hashlib.md5, usedforsecurity=False),
    "sha1": partial(hashlib.sha1, usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
}


class SentBody:
    """Unpacks the body of one PUT and checks it.

    Args:
        headers: of the request, by lower-case name.

    Raises:
        Refused: the headers are malformed, or name a checksum that cannot be computed here.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        payload = headers.get(_SHA256_HEADER, _UNSIGNED)
        self._chunked: AwsChunkedBody | None = None
        if payload in _STREAMING or "aws-chunked" in _read_names(headers.get("content-encoding", "")):
            is_signed = payload.startswith("STREAMING-AWS4-") and payload.endswith("-TRAILER")
            self._chunked = AwsChunkedBody(has_trailer_signature=is_signed)
        self._payload_sha256 = _read_payload_sha256(payload)
        self._payload_digest = hashlib.sha256()
        # By the name of the header or trailer: what is computed, and what it must be.
        self._digests: dict[str, _Digest] = {}
        self._expected: dict[str, bytes] = {}
        if (text := headers.get(_MD5_HEADER)) is not None:
            md5 = _read_base64(text, 16)
            if md5 is None:
                raise Refused(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
            self._digests[_MD5_HEADER] = _CHECKSUMS["md5"]()
            self._expected[_MD5_HEADER] = md5
        for name, value in headers.items():
            if name.startswith(_CHECKSUM) and name not in _ABOUT_CHECKSUMS:
                self._digests[name] = _new_digest(name)
                self._expect(name, value)
        self._announced = _read_names(headers.get(_TRAILER_HEADER, ""))
        if self._announced and self._chunked is None:
            raise Refused(400, "InvalidRequest", f"{_TRAILER_HEADER} needs a body with the encoding aws-chunked.")
        for name in self._announced:
            if name.startswith(_CHECKSUM):
                self._digests.setdefault(name, _new_digest(name))
        self._content_bytes = 0
        length_header = "content-length" if self._chunked is None else _DECODED_LENGTH_HEADER
        # The size of the file, if the client says it before it sends it.
        self.declared_content_bytes = _read_length(length_header, headers.get(length_header))

    def unpack(self, data: bytes) -> bytes:
        """Take some bytes of the body; those of the file in them.

        Raises:
            Refused: the framing is malformed.
        """
        if self._payload_sha256:
            self._payload_digest.update(data)
        if self._chunked is not None:
            try:
                data = self._chunked.unpack(data)
            except MalformedFraming as error:
                raise Refused(400, "InvalidRequest", f"The aws-chunked body is malformed. {error}") from error
            except MalformedTrailers as error:
                raise _malformed_trailer() from error
        for digest in self._digests.values():
            digest.update(data)
        self._content_bytes += len(data)
        return data

    def finish(self) -> None:
        """Check the whole body, once all of it has been unpacked.

        Raises:
            Refused: it is not complete, or not what the client said.
        """
        if self._payload_sha256 and self._payload_digest.digest() != self._payload_sha256:
            raise Refused(
                400,
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
        if self._chunked is not None:
            self._finish_chunks(self._chunked)
        for name, expected in self._expected.items():
            if self._digests[name].digest() != expected:
                raise Refused(400, "BadDigest", _describe_mismatch(name))

    def _finish_chunks(self, chunked: AwsChunkedBody) -> None:
        if not chunked.is_complete:
            raise Refused(400, "IncompleteBody", "The request body terminated unexpectedly")
        if self.declared_content_bytes not in (None, self._content_bytes):
            raise Refused(
                400,
                "IncompleteBody",
                "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header.",
            )
        sent = {name: value for name, value in chunked.trailers.items() if name != TRAILER_SIGNATURE}
        if sent.keys() != set(self._announced):
            raise _malformed_trailer()
        for name, value in sent.items():
            if name.startswith(_CHECKSUM):
                self._expect(name, value)

    def _expect(self, name: str, value: str) -> None:
        """Hold the content to a checksum."""
        expected = _read_base64(value, len(self._digests[name].digest()))
        if expected is None or self._expected.setdefault(name, expected) != expected:
            raise Refused(400, "InvalidRequest", f"Value for {name} header is invalid.")


def _read_names(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip().lower())]


def _new_digest(name: str) -> _Digest:
    make = _CHECKSUMS.get(name.removeprefix(_CHECKSUM))
    if make is None:
        raise Refused(
            400,
            "InvalidRequest",
            f"{name} cannot be checked here. Leave it out, or use one of: {', '.join(_CHECKSUMS)}.",
        )
    return make()


def _read_payload_sha256(payload: str) -> bytes | None:
    """Return the digest that the sent body must have; None if the header gives no digest."""
    if payload == _UNSIGNED or payload in _STREAMING:
        return None
    if not _SHA256_HEX.match(payload):
        allowed = ", ".join((_UNSIGNED, *_STREAMING))
        raise Refused(400, "InvalidArgument", f"{_SHA256_HEADER} must be {allowed} or a valid sha256 value.")
    return bytes.fromhex(payload)


def _read_length(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not _LENGTH.match(text):
        raise Refused(400, "InvalidArgument", f"{name} is not a number of bytes.")
    return int(text)


def _read_base64(text: str, size_bytes: int) -> bytes | None:
    """Decode base64; None if it is not valid or does not have this size."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == size_bytes else None


def _describe_mismatch(name: str) -> str:
    if name == _MD5_HEADER:
        return "The Content-MD5 you specified did not match what we received."
    return f"The {name.removeprefix(_CHECKSUM).upper()} you specified did not match the calculated checksum."


def _malformed_trailer() -> Refused:
    return Refused(
        400,
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    )
