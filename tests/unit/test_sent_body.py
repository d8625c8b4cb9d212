"""The body of a PUT: its framing, and the checksums that the client sends with it."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zlib
from collections.abc import Mapping

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.uploads.arrival.refused import Refused
from openprofiles.uploads.arrival.sent_body import SentBody

# The example of Amazon's documentation for signed chunks, with its checksum and signatures.
CONTENT = b"a" * 66_560
SIGNATURES = [letter * 64 for letter in "1234"]
SIGNED_CHUNKS = (
    b"10000;chunk-signature=" + SIGNATURES[0].encode() + b"\r\n" + CONTENT[:65_536] + b"\r\n"
    b"400;chunk-signature=" + SIGNATURES[1].encode() + b"\r\n" + CONTENT[65_536:] + b"\r\n"
    b"0;chunk-signature=" + SIGNATURES[2].encode() + b"\r\n"
)
SIGNED_TRAILER = b"x-amz-checksum-crc32c:sOO8/Q==\n\r\nx-amz-trailer-signature:" + SIGNATURES[3].encode() + b"\r\n\r\n"
SIGNED = {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}
SIGNED_WITH_TRAILER = {
    "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "x-amz-trailer": "x-amz-checksum-crc32c",
}
UNSIGNED = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
UNSIGNED_WITH_TRAILER = UNSIGNED | {"x-amz-trailer": "x-amz-checksum-crc32"}

# What the nine digits come to, by the catalogues of checksums.
DIGITS = b"123456789"
CHECKSUMS = {
    "crc32": "cbf43926",
    "crc32c": "e3069283",
    "crc64nvme": "ae8b14860a799888",
    "md5": hashlib.md5(DIGITS).hexdigest(),
    "sha1": hashlib.sha1(DIGITS).hexdigest(),
    "sha256": hashlib.sha256(DIGITS).hexdigest(),
    "sha512": hashlib.sha512(DIGITS).hexdigest(),
}


def base64_of(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def take(headers: Mapping[str, str], data: bytes, part_bytes: int = 1 << 20) -> bytes:
    """The content of a body that arrives in parts of this size."""
    body = SentBody(headers)
    content = b"".join(body.unpack(data[start : start + part_bytes]) for start in range(0, len(data), part_bytes))
    body.finish()
    return content


def refusal(headers: Mapping[str, str], data: bytes) -> tuple[int, str, str]:
    with pytest.raises(Refused) as caught:
        take(headers, data)
    return caught.value.status, caught.value.code, caught.value.message


def test_a_body_of_which_nothing_is_said_is_taken_as_it_is() -> None:
    assert take({}, DIGITS) == DIGITS
    assert take({"x-amz-content-sha256": "UNSIGNED-PAYLOAD", "content-encoding": "gzip"}, DIGITS) == DIGITS


@pytest.mark.parametrize("name", CHECKSUMS)
def test_a_checksum_that_is_sent_must_be_that_of_the_body(name: str) -> None:
    headers = {f"x-amz-checksum-{name}": base64_of(CHECKSUMS[name]), "x-amz-checksum-type": "FULL_OBJECT"}

    assert take(headers, DIGITS, part_bytes=4) == DIGITS
    assert refusal(headers, b"123456780") == (
        400,
        "BadDigest",
        f"The {name.upper()} you specified did not match the calculated checksum.",
    )


def test_content_md5_must_be_that_of_the_body() -> None:
    headers = {"content-md5": base64_of(CHECKSUMS["md5"])}

    assert take(headers, DIGITS) == DIGITS
    assert refusal(headers, b"") == (400, "BadDigest", "The Content-MD5 you specified did not match what we received.")


def test_the_hash_of_the_payload_must_be_that_of_the_body() -> None:
    headers = {"x-amz-content-sha256": CHECKSUMS["sha256"]}

    assert take(headers, DIGITS, part_bytes=2) == DIGITS
    assert refusal(headers, DIGITS + b"0")[:2] == (400, "XAmzContentSHA256Mismatch")


MALFORMED_HEADERS = [
    pytest.param({"content-md5": "x"}, "InvalidDigest", "Content-MD5", id="MD5 that is not base64"),
    pytest.param({"content-md5": base64_of("00")}, "InvalidDigest", "Content-MD5", id="short MD5"),
    pytest.param({"x-amz-content-sha256": "abc"}, "InvalidArgument", "x-amz-content-sha256", id="short SHA-256"),
    pytest.param({"x-amz-checksum-crc32": "é"}, "InvalidRequest", "x-amz-checksum-crc32", id="CRC not base64"),
    pytest.param({"x-amz-checksum-crc64nvme": base64_of("00" * 4)}, "InvalidRequest", "crc64nvme", id="short CRC"),
    pytest.param({"x-amz-checksum-xxhash3": "AA=="}, "InvalidRequest", "cannot be checked here", id="unknown"),
    pytest.param(UNSIGNED | {"x-amz-trailer": "x-amz-checksum-x"}, "InvalidRequest", "cannot be", id="unknown trailer"),
    pytest.param({"x-amz-trailer": "x-amz-checksum-crc32"}, "InvalidRequest", "aws-chunked", id="trailer, no framing"),
    pytest.param(UNSIGNED | {"x-amz-decoded-content-length": "9" * 5000}, "InvalidArgument", "decoded", id="length"),
]


@pytest.mark.parametrize(("headers", "code", "text"), MALFORMED_HEADERS)
def test_headers_that_cannot_be_kept_are_refused_before_the_body(headers: dict[str, str], code: str, text: str) -> None:
    with pytest.raises(Refused, match=re.escape(text)) as caught:
        SentBody(headers)

    assert (caught.value.status, caught.value.code) == (400, code)


@given(part_bytes=st.integers(1, 70_000))
def test_signed_chunks_are_unpacked_wherever_the_body_is_cut(part_bytes: int) -> None:
    assert take(SIGNED, SIGNED_CHUNKS + b"\r\n", part_bytes) == CONTENT
    assert take(SIGNED_WITH_TRAILER, SIGNED_CHUNKS + SIGNED_TRAILER, part_bytes) == CONTENT


def test_the_blank_line_after_a_trailers_signature_may_be_left_out() -> None:
    assert take(SIGNED_WITH_TRAILER, SIGNED_CHUNKS + SIGNED_TRAILER.removesuffix(b"\r\n")) == CONTENT


@given(content=st.binary(max_size=300), chunk_bytes=st.integers(1, 200), part_bytes=st.integers(1, 400))
def test_what_an_sdk_frames_is_unpacked_and_its_trailing_checksum_checked(
    content: bytes, chunk_bytes: int, part_bytes: int
) -> None:
    framed = AwsChunkedWrapper(io.BytesIO(content), Crc32Checksum, "x-amz-checksum-crc32", chunk_size=chunk_bytes)
    headers = UNSIGNED_WITH_TRAILER | {"x-amz-decoded-content-length": str(len(content))}

    assert take(headers, framed.read(), part_bytes) == content


def test_the_encoding_alone_says_that_a_body_is_framed() -> None:
    assert take({"content-encoding": "aws-chunked,gzip"}, b"3\r\nabc\r\n0\r\n\r\n") == b"abc"


def test_a_trailing_checksum_must_be_that_of_the_content() -> None:
    crc = base64.b64encode(zlib.crc32(b"abd").to_bytes(4, "big"))

    answer = refusal(UNSIGNED_WITH_TRAILER, b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:" + crc + b"\r\n\r\n")

    assert answer == (400, "BadDigest", "The CRC32 you specified did not match the calculated checksum.")


MALFORMED_BODIES = [
    pytest.param(UNSIGNED, b"", "IncompleteBody", id="empty"),
    pytest.param(UNSIGNED, b"3\r\nabc\r\n", "IncompleteBody", id="no last chunk"),
    pytest.param(UNSIGNED, b"3\r\nab", "IncompleteBody", id="cut off in a chunk"),
    pytest.param(UNSIGNED, b"3\r\nabc\r\n0\r\n", "IncompleteBody", id="cut off before the end"),
    pytest.param(UNSIGNED, b"Email\nada@example.com\n", "InvalidRequest", id="not framed"),
    pytest.param(UNSIGNED, b"-3\r\nabc\r\n0\r\n\r\n", "InvalidRequest", id="negative size"),
    pytest.param(UNSIGNED, b"f" * 16 + b"\r\nabc", "InvalidRequest", id="size too large"),
    pytest.param(UNSIGNED, b"1;" + b"x" * 2_000, "InvalidRequest", id="size line without end"),
    pytest.param(UNSIGNED, b"2\r\nabc\r\n0\r\n\r\n", "InvalidRequest", id="chunk longer than its size"),
    pytest.param(UNSIGNED, b"3\r\nabc\r\n0\r\n\r\nx", "InvalidRequest", id="more after the end"),
    pytest.param(UNSIGNED, b"0\r\nno colon\r\n\r\n", "MalformedTrailerError", id="trailer without colon"),
    pytest.param(UNSIGNED, b"0\r\na:b\r\na:b\r\n\r\n", "MalformedTrailerError", id="trailer twice"),
    pytest.param(UNSIGNED, b"0\r\nx:" + b"y" * 2_000, "MalformedTrailerError", id="trailer without end"),
    pytest.param(UNSIGNED, b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "MalformedTrailerError", id="not announced"),
    pytest.param(UNSIGNED_WITH_TRAILER, b"0\r\n\r\n", "MalformedTrailerError", id="announced, not sent"),
    pytest.param(
        UNSIGNED_WITH_TRAILER, b"0\r\nx-amz-checksum-crc32:x\r\n\r\n", "InvalidRequest", id="trailer not base64"
    ),
    pytest.param(
        UNSIGNED | {"x-amz-decoded-content-length": "4"}, b"3\r\nabc\r\n0\r\n\r\n", "IncompleteBody", id="shorter"
    ),
    pytest.param(
        UNSIGNED | {"x-amz-decoded-content-length": "2"}, b"3\r\nabc\r\n0\r\n\r\n", "IncompleteBody", id="longer"
    ),
]


@pytest.mark.parametrize(("headers", "data", "code"), MALFORMED_BODIES)
def test_a_malformed_framing_is_refused(headers: dict[str, str], data: bytes, code: str) -> None:
    assert refusal(headers, data)[:2] == (400, code)


@given(data=st.binary(max_size=100))
def test_any_body_is_unpacked_or_refused(data: bytes) -> None:
    try:
        take(UNSIGNED, data)
    except Refused as refused:
        assert refused.status == 400  # noqa: PT017 (either end is good)
