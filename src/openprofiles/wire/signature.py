"""Verify Signature Version 4: the signer of a request, and that it arrived unchanged.

Verified on the raw path, the raw query and the raw body, before anything is parsed. The codes and texts are those of
AWS's front end: SDKs correct their clocks by the code and by the Date header of the answer, which the web server adds.

Source: "Create a signed AWS API request" in the AWS IAM user guide; texts as AWS's API gateway answers them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import quote_from_bytes, unquote_to_bytes

from openprofiles.wire.errors import WireError

SIGNING_NAME = "profile"
ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it arrived.

    Attributes:
        method: in upper case.
        raw_path: as sent, without the query.
        raw_query: as sent, without the question mark.
        headers: names in lower case, as ASGI has them; a repeated header is there repeatedly.
        body: all of it.
    """

    method: str
    raw_path: bytes
    raw_query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> list[bytes]:
        """List every value of a header, in the order of arrival."""
        return [value for given, value in self.headers if given == name]


@dataclass(frozen=True, slots=True)
class Signature:
    """The facts from a valid signature. ``region`` is any that the signer named; ``signed_at`` is in UTC."""

    access_key_id: str
    region: str
    signed_at: datetime


def verify(request: SignedRequest, secret_of: Callable[[str], str | None], now: datetime) -> Signature:
    """Verify the signature in the Authorization header.

    Args:
        request: as it arrived, with the whole body.
        secret_of: the secret of an access key id, or None when there is no such credential.
        now: aware; the signature may be 5 minutes older or younger.

    A session token is not looked at, but is signed like every header that the signer names. A presigned request
    (signature in the query) is refused.

    Raises:
        WireError: MissingAuthenticationTokenException without a signature; IncompleteSignatureException when it is
            malformed or lacks a part; UnrecognizedClientException for an unknown access key id;
            InvalidSignatureException when it is for another service, out of time, or does not match. No message
            repeats the header or the signature.
    """
    authorization, signed_at, timestamp = _check_head(request, now)
    scope = authorization.scope
    body_sha256 = hashlib.sha256(request.body).hexdigest()
    if any(not hmac.compare_digest(given, body_sha256.encode()) for given in request.header(b"x-amz-content-sha256")):
        raise _invalid(
            "The body does not match the x-amz-content-sha256 header. Send the SHA-256 of the body; an unsigned body "
            "(UNSIGNED-PAYLOAD) is not accepted."
        )
    secret = secret_of(scope.access_key_id)
    if secret is None:
        raise _unknown_key()
    key = signing_key(secret, scope.day, scope.region)

    def matches(raw_query: bytes) -> bool:
        sent = replace(request, raw_query=raw_query)
        canonical = canonical_request(sent, authorization.signed_headers, body_sha256)
        expected = sign(canonical, timestamp, scope.region, key)
        return hmac.compare_digest(expected.encode(), authorization.signature)

    # The SDKs sign the query as they send it. Other clients send it in another form than the one of the canonical
    # request; as it reads the same, nothing else can be made of what was signed.
    if not matches(request.raw_query) and not matches(_encode_again(request.raw_query)):
        raise _invalid(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details."
        )
    return Signature(scope.access_key_id, scope.region, signed_at)


def verify_head(request: SignedRequest, secret_of: Callable[[str], str | None], now: datetime) -> None:
    """Refuse a request by its head alone, if `verify` would refuse it with any body.

    Raises:
        WireError: as `verify`.
    """
    authorization, _, _ = _check_head(request, now)
    if secret_of(authorization.scope.access_key_id) is None:
        raise _unknown_key()


def signed_region(request: SignedRequest) -> str:
    """Return the region in a request's signature, which must have been verified.

    Raises:
        WireError: MissingAuthenticationTokenException or IncompleteSignatureException, as `verify`.
    """
    found = _VERIFIED_REGION.match(b",".join(request.header(b"authorization")))
    return found[1].decode("ascii") if found else _parse_authorization(request).scope.region


@lru_cache(maxsize=1024)
def signing_key(secret: str, day: str, region: str, service: str = SIGNING_NAME) -> bytes:
    """Derive the key that signs for one day (``20260131``), region and service."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def canonical_request(request: SignedRequest, signed_headers: Sequence[bytes], body_sha256: str) -> bytes:
    """Build the canonical request of SigV4.

    Args:
        request: as it arrived.
        signed_headers: names in lower case, in the order of the signature.
        body_sha256: of the real body, in hex.
    """
    headers = [
        name + b":" + b",".join(b" ".join(value.split()) for value in request.header(name)) + b"\n"
        for name in signed_headers
    ]
    return b"\n".join(
        (
            request.method.encode(),
            _canonical_path(request.raw_path),
            _canonical_query(request.raw_query),
            b"".join(headers),
            b";".join(signed_headers),
            body_sha256.encode(),
        )
    )


def sign(canonical: bytes, timestamp: str, region: str, key: bytes, service: str = SIGNING_NAME) -> str:
    """Calculate the signature, in hex, of a canonical request signed at ``timestamp`` (``20260131T120000Z``)."""
    text = "\n".join(
        (
            ALGORITHM,
            timestamp,
            f"{timestamp[:8]}/{region}/{service}/aws4_request",
            hashlib.sha256(canonical).hexdigest(),
        )
    )
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _check_head(request: SignedRequest, now: datetime) -> tuple[_Authorization, datetime, str]:
    """Check everything except the body and the signature itself.

    Returns:
        the Authorization header, and the time of the signature, also as the text that is signed.
    """
    authorization = _parse_authorization(request)
    signed_at, timestamp = _read_date(request)
    scope = authorization.scope
    if scope.service != SIGNING_NAME:
        raise _invalid(f"Credential should be scoped to correct service: '{SIGNING_NAME}'.")
    if scope.day != timestamp[:8]:
        raise _invalid(
            f"Date in Credential scope does not match the day of the request: '{scope.day}' != '{timestamp[:8]}'."
        )
    _refuse_skew(signed_at, timestamp, now)
    _refuse_unsigned(request, authorization.signed_headers)
    return authorization, signed_at, timestamp


@dataclass(frozen=True, slots=True)
class _Scope:
    access_key_id: str
    day: str
    region: str
    service: str


@dataclass(frozen=True, slots=True)
class _Authorization:
    scope: _Scope
    signed_headers: tuple[bytes, ...]
    signature: bytes


_PRESIGNED = re.compile(rb"(?i)(^|&)X-Amz-(Signature|Algorithm|Credential)=")
_SCOPE = re.compile(r"([A-Za-z0-9_-]{1,128})/([0-9]{8})/([a-z0-9-]{1,64})/([a-z0-9-]{1,64})/aws4_request")
# In a header that has been parsed already.
_VERIFIED_REGION = re.compile(rb"AWS4-HMAC-SHA256 Credential=[^/,=]+/[0-9]{8}/([a-z0-9-]{1,64})/")
_HEADER_NAMES = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+(;[!#$%&'*+.^_`|~0-9a-z-]+)*")


def _parse_authorization(request: SignedRequest) -> _Authorization:
    given = request.header(b"authorization")
    if not given:
        if _PRESIGNED.search(request.raw_query):
            raise _incomplete("Presigned requests are not accepted; sign in the Authorization header.")
        raise WireError("MissingAuthenticationTokenException", "Missing Authentication Token")
    if len(given) > 1:
        raise _incomplete("There is more than one Authorization header.")
    algorithm, _, rest = given[0].partition(b" ")
    if algorithm != ALGORITHM.encode():
        raise _incomplete(f"The Authorization header must begin with {ALGORITHM}.")
    parts: dict[bytes, bytes] = {}
    for part in rest.split(b","):
        name, equals, value = part.strip().partition(b"=")
        if not equals or name in parts:
            raise _incomplete("The Authorization header must have the form Name=value, each name once.")
        parts[name] = value
    for name in (b"Credential", b"SignedHeaders", b"Signature"):
        if not parts.get(name):
            raise _incomplete(f"Authorization header requires '{name.decode()}' parameter.")
    scope = _SCOPE.fullmatch(parts[b"Credential"].decode("latin-1"))
    if scope is None:
        raise _incomplete("Credential must have the form <access key id>/<YYYYMMDD>/<region>/<service>/aws4_request.")
    if not _HEADER_NAMES.fullmatch(parts[b"SignedHeaders"]):
        raise _incomplete("SignedHeaders must be header names in lower case, separated by semicolons.")
    return _Authorization(_Scope(*scope.groups()), tuple(parts[b"SignedHeaders"].split(b";")), parts[b"Signature"])


_TIMESTAMP_FORMAT = "%Y%m%dT%H%M%SZ"
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")


def _read_date(request: SignedRequest) -> tuple[datetime, str]:
    """Return when the request was signed, as a time and as sent; x-amz-date overrides Date."""
    given = request.header(b"x-amz-date") or request.header(b"date")
    if len(given) != 1:
        raise _incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header, once.")
    text = given[0].decode("latin-1")
    try:
        if _TIMESTAMP.fullmatch(text):
            # Ten times as fast as strptime.
            year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
            hour, minute, second = int(text[9:11]), int(text[11:13]), int(text[13:15])
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC), text
        parsed = parsedate_to_datetime(text)
        # The zone "-0000" gives a naive datetime in UTC.
        signed_at = parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _incomplete("The date must have the form YYYYMMDD'T'HHMMSS'Z', as in 20260131T120000Z.") from None
    return signed_at, signed_at.strftime(_TIMESTAMP_FORMAT)


def _refuse_skew(signed_at: datetime, timestamp: str, now: datetime) -> None:
    ours = now.astimezone(UTC)
    for limit, late, text in (
        (
            ours - CLOCK_SKEW,
            signed_at < ours - CLOCK_SKEW,
            "Signature expired: {} is now earlier than {} ({} - 5 min.)",
        ),
        (
            ours + CLOCK_SKEW,
            signed_at > ours + CLOCK_SKEW,
            "Signature not yet current: {} is still later than {} ({} + 5 min.)",
        ),
    ):
        if late:
            raise _invalid(text.format(timestamp, f"{limit:{_TIMESTAMP_FORMAT}}", f"{ours:{_TIMESTAMP_FORMAT}}"))


def _refuse_unsigned(request: SignedRequest, signed_headers: Sequence[bytes]) -> None:
    demanded = [b"host"] + [b"x-amz-date"] * bool(request.header(b"x-amz-date"))
    for name in demanded:
        if name not in signed_headers:
            raise _invalid(f"'{name.decode()}' must be a 'SignedHeader' in the AWS Authorization.")


def _canonical_path(raw_path: bytes) -> bytes:
    """Remove empty and dot segments from the path and encode it again.

    All services except S3 do that.

    The router matches no path with a segment that is dropped here, so a signature cannot be used for another path.
    """
    kept: list[bytes] = []
    for segment in raw_path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    at_end = b"/" if kept and raw_path.endswith(b"/") else b""
    return quote_from_bytes(b"/" + b"/".join(kept) + at_end, safe="/~").encode()


def _canonical_query(raw_query: bytes) -> bytes:
    """List the pairs as sent, sorted by name and then by value."""
    if not raw_query:
        return b""
    pairs = sorted(pair.partition(b"=")[::2] for pair in raw_query.split(b"&"))
    return b"&".join(name + b"=" + value for name, value in pairs)


def _encode_again(raw_query: bytes) -> bytes:
    """Decode each name and value as the operations do, and encode it as AWS does."""
    pairs = (pair.partition(b"=")[::2] for pair in raw_query.split(b"&"))
    return b"&".join(b"=".join(map(_encode_part_again, pair)) for pair in pairs) if raw_query else b""


def _encode_part_again(part: bytes) -> bytes:
    return quote_from_bytes(unquote_to_bytes(part.replace(b"+", b" ")), safe="~").encode()


def _unknown_key() -> WireError:
    return WireError("UnrecognizedClientException", "The security token included in the request is invalid.")


def _incomplete(message: str) -> WireError:
    return WireError("IncompleteSignatureException", message)


def _invalid(message: str) -> WireError:
    return WireError("InvalidSignatureException", message)
