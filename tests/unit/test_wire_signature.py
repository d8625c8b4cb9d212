"""Signatures: what botocore signs is accepted, and nothing that was changed afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from openprofiles.wire.errors import WireError
from openprofiles.wire.signature import (
    SIGNING_NAME,
    SignedRequest,
    canonical_request,
    sign,
    signed_region,
    signing_key,
    verify,
    verify_head,
)

KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TAG_URL = "http://127.0.0.1:8420/tags/arn%3Aaws%3Aprofile%3Aus-east-1%3A1%3Adomains%2Fd?tagKeys=b&tagKeys=a%2Fb&tagKeys"
SECRETS = {KEY_ID: SECRET}.get
NOW = datetime.now(UTC)


def signed(
    method: str = "DELETE",
    url: str = TAG_URL,
    body: bytes = b"",
    *,
    headers: dict[str, str] | None = None,
    service: str = SIGNING_NAME,
    region: str = "eu-west-2",
    token: str | None = None,
) -> SignedRequest:
    """A request that botocore signs at ``NOW``, as a server receives it."""
    request = AWSRequest(method, url, data=body, headers=headers or {})
    # The suite runs longer than a signature is valid.
    with patch("botocore.auth.get_current_datetime", return_value=NOW):
        SigV4Auth(Credentials(KEY_ID, SECRET, token), service, region).add_auth(request)
    parts = urlsplit(str(request.url))
    received = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    received.append((b"host", parts.netloc.encode()))
    return SignedRequest(method, parts.path.encode(), parts.query.encode(), received, body)


def changed(request: SignedRequest, name: bytes, change: Callable[[bytes], bytes]) -> SignedRequest:
    """The request with one header changed."""
    headers = [(given, change(value) if given == name else value) for given, value in request.headers]
    return replace(request, headers=headers)


def without(request: SignedRequest, name: bytes) -> SignedRequest:
    return replace(request, headers=[header for header in request.headers if header[0] != name])


def refusal(request: SignedRequest, now: datetime | None = None) -> WireError:
    with pytest.raises(WireError) as caught:
        verify(request, SECRETS, now or NOW)
    assert "Signature=" not in caught.value.message
    assert SECRET not in caught.value.message
    return caught.value


GOOD = {
    "tag ARN, double encoding, sorted query": signed(),
    "no query": signed("GET", "http://h/domains/d"),
    "root": signed("GET", "http://h"),
    "slash at the end": signed("GET", "http://h/domains/d/upload-jobs/"),
    "empty segment": signed("GET", "http://h/domains//upload-jobs"),
    "dot segments": signed("GET", "http://h/domains/./a/../b"),
    "body": signed("POST", "http://h/domains/d/profiles", b'{"FirstName": "Zo\xc3\xab"}'),
    "declared body hash": signed(
        "POST", "http://h/x", b"{}", headers={"X-Amz-Content-SHA256": hashlib.sha256(b"{}").hexdigest()}
    ),
    "session token": signed(token="session"),
    "blanks in a header": signed(headers={"X-Custom": "  a   b  "}),
    "port": signed("GET", "http://h:1234/domains"),
    "Date header": signed(headers={"Date": "now"}),
    "query out of order": signed("GET", "http://h/domains?next-token=%2B%2F&max-results=5&max-results=10&a="),
    "path beyond ASCII": signed("GET", "http://h/domains/%C3%AB%20~%2B"),
}


@pytest.mark.parametrize("request_", GOOD.values(), ids=GOOD)
def test_what_botocore_signs_is_accepted(request_: SignedRequest) -> None:
    signature = verify(request_, SECRETS, NOW)

    assert (signature.access_key_id, signature.region) == (KEY_ID, "eu-west-2")
    assert abs(signature.signed_at - NOW) < timedelta(minutes=1)
    assert signed_region(request_) == "eu-west-2"


POST = signed("POST", "http://h/domains/d/profiles?a=1&b=2", b'{"FirstName":"Ada"}', headers={"X-Amz-Meta": "1"})

ALTERED = {
    "signature": changed(POST, b"authorization", lambda v: v[:-1] + (b"0" if v[-1:] != b"0" else b"1")),
    "signature cut": changed(POST, b"authorization", lambda v: v[:-1]),
    "signature in capitals": changed(POST, b"authorization", lambda v: v[:-64] + v[-64:].upper()),
    "signature beyond ASCII": changed(POST, b"authorization", lambda v: v + b"\xff"),
    "method": replace(POST, method="PUT"),
    "path": replace(POST, raw_path=b"/domains/e/profiles"),
    "path encoded otherwise": replace(POST, raw_path=b"/domains/%64/profiles"),
    "slash added": replace(POST, raw_path=b"/domains/d/profiles/"),
    "query value": replace(POST, raw_query=b"a=1&b=3"),
    "query removed": replace(POST, raw_query=b""),
    "query added": replace(POST, raw_query=b"a=1&b=2&c=3"),
    "body": replace(POST, body=b'{"FirstName":"Eve"}'),
    "body removed": replace(POST, body=b""),
    "host": changed(POST, b"host", lambda _: b"elsewhere"),
    "signed header": changed(POST, b"x-amz-meta", lambda _: b"2"),
    "signed header removed": without(POST, b"x-amz-meta"),
    "signed header repeated": replace(POST, headers=[*POST.headers, (b"x-amz-meta", b"2")]),
    "region": changed(POST, b"authorization", lambda v: v.replace(b"eu-west-2", b"us-east-1")),
    "list of signed headers": changed(POST, b"authorization", lambda v: v.replace(b";x-amz-meta", b"")),
}


@pytest.mark.parametrize("request_", ALTERED.values(), ids=ALTERED)
def test_an_altered_request_is_refused(request_: SignedRequest) -> None:
    error = refusal(request_)

    assert (error.code, error.status) == ("InvalidSignatureException", 403)
    assert error.message.startswith("The request signature we calculated does not match")


MALFORMED = {
    "no header": (without(POST, b"authorization"), "MissingAuthenticationTokenException", "Missing Authentication"),
    "empty header": (changed(POST, b"authorization", lambda _: b""), "IncompleteSignatureException", "must begin with"),
    "basic": (changed(POST, b"authorization", lambda _: b"Basic eDp5"), "IncompleteSignatureException", "begin with"),
    "algorithm of another kind": (
        changed(POST, b"authorization", lambda v: v.replace(b"SHA256", b"SHA1")),
        "IncompleteSignatureException",
        "must begin with AWS4-HMAC-SHA256",
    ),
    "two headers": (
        replace(POST, headers=[*POST.headers, (b"authorization", b"x")]),
        "IncompleteSignatureException",
        "more than one",
    ),
    "no signature": (
        changed(POST, b"authorization", lambda v: v.split(b", Signature")[0]),
        "IncompleteSignatureException",
        "'Signature' parameter",
    ),
    "no credential": (
        changed(POST, b"authorization", lambda v: v.replace(b"Credential=", b"X=")),
        "IncompleteSignatureException",
        "'Credential' parameter",
    ),
    "no equals sign": (
        changed(POST, b"authorization", lambda v: v + b", x"),
        "IncompleteSignatureException",
        "Name=value",
    ),
    "part given twice": (
        changed(POST, b"authorization", lambda v: v + b", Signature=00"),
        "IncompleteSignatureException",
        "each name once",
    ),
    "scope with a part too few": (
        changed(POST, b"authorization", lambda v: v.replace(b"/aws4_request", b"")),
        "IncompleteSignatureException",
        "Credential must have the form",
    ),
    "scope with NUL": (
        changed(POST, b"authorization", lambda v: v.replace(b"AKID", b"AK\0D")),
        "IncompleteSignatureException",
        "Credential must have the form",
    ),
    "capital in the signed headers": (
        changed(POST, b"authorization", lambda v: v.replace(b"SignedHeaders=host", b"SignedHeaders=Host")),
        "IncompleteSignatureException",
        "lower case",
    ),
    "no date": (without(POST, b"x-amz-date"), "IncompleteSignatureException", "'X-Amz-Date' or a 'Date'"),
    "junk date": (changed(POST, b"x-amz-date", lambda _: b"junk"), "IncompleteSignatureException", "YYYYMMDD"),
    "date that does not exist": (
        changed(POST, b"x-amz-date", lambda _: b"20260231T000000Z"),
        "IncompleteSignatureException",
        "YYYYMMDD",
    ),
    "date at the end of time": (
        changed(POST, b"x-amz-date", lambda _: b"Fri, 31 Dec 9999 23:59:59 -1200"),
        "IncompleteSignatureException",
        "YYYYMMDD",
    ),
    "presigned": (
        replace(without(POST, b"authorization"), raw_query=b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00"),
        "IncompleteSignatureException",
        "Presigned requests are not accepted",
    ),
    "other day in the scope": (
        changed(POST, b"authorization", lambda v: v.replace(b"AKIDEXAMPLE/20", b"AKIDEXAMPLE/19")),
        "InvalidSignatureException",
        "Date in Credential scope does not match",
    ),
    "other service": (
        signed(service="s3"),
        "InvalidSignatureException",
        "Credential should be scoped to correct service: 'profile'.",
    ),
    "host not signed": (
        changed(POST, b"authorization", lambda v: v.replace(b"SignedHeaders=host;", b"SignedHeaders=")),
        "InvalidSignatureException",
        "'host' must be a 'SignedHeader'",
    ),
    "x-amz-date not signed": (
        changed(POST, b"authorization", lambda v: v.replace(b"x-amz-date;", b"")),
        "InvalidSignatureException",
        "'x-amz-date' must be a 'SignedHeader'",
    ),
    "unsigned payload": (
        signed("POST", "http://h/x", b"{}", headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}),
        "InvalidSignatureException",
        "UNSIGNED-PAYLOAD",
    ),
    "hash of another body": (
        signed("POST", "http://h/x", b"{}", headers={"X-Amz-Content-SHA256": hashlib.sha256(b"[]").hexdigest()}),
        "InvalidSignatureException",
        "does not match the x-amz-content-sha256",
    ),
}


@pytest.mark.parametrize(("request_", "code", "message"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_signature_is_refused_with_its_reason(request_: SignedRequest, code: str, message: str) -> None:
    error = refusal(request_)

    assert (error.code, error.status) == (code, 403)
    assert message in error.message


def test_an_unknown_access_key_id_is_refused_by_its_own_code() -> None:
    with pytest.raises(WireError) as caught:
        verify(POST, lambda _: None, NOW)

    assert (caught.value.code, caught.value.status) == ("UnrecognizedClientException", 403)
    assert caught.value.message == "The security token included in the request is invalid."


def test_a_wrong_secret_is_refused() -> None:
    with pytest.raises(WireError, match="does not match the signature"):
        verify(POST, lambda _: "another secret", NOW)


def test_a_signature_is_good_for_five_minutes_on_either_side() -> None:
    request = signed()
    signed_at = verify(request, SECRETS, NOW).signed_at

    for minutes in (-5, 5):
        assert verify(request, SECRETS, signed_at + timedelta(minutes=minutes)).signed_at == signed_at
    expired = refusal(request, signed_at + timedelta(minutes=5, seconds=1))
    early = refusal(request, signed_at - timedelta(minutes=5, seconds=1))

    assert (expired.code, early.code) == ("InvalidSignatureException", "InvalidSignatureException")
    assert expired.message.startswith(f"Signature expired: {signed_at:%Y%m%dT%H%M%SZ} is now earlier than ")
    assert early.message.startswith(f"Signature not yet current: {signed_at:%Y%m%dT%H%M%SZ} is still later than ")


def test_the_signing_key_is_the_one_of_the_published_example() -> None:
    # Source: AWS General Reference, "Examples of how to derive a signing key for Signature Version 4".
    key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam")

    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


def test_what_our_own_signer_signs_is_accepted() -> None:
    now = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    headers = [(b"host", b"h"), (b"x-amz-date", b"20260131T120000Z")]
    request = SignedRequest("GET", b"/openprofiles/v1/x", b"b=1&a=2", headers, b"")
    names = (b"host", b"x-amz-date")

    canonical = canonical_request(request, names, hashlib.sha256(b"").hexdigest())
    signature = sign(canonical, "20260131T120000Z", "r", signing_key(SECRET, "20260131", "r"))
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20260131/r/profile/aws4_request,SignedHeaders=host;x-amz-date,"
        f"Signature={signature}"
    )
    sent = replace(request, headers=[*headers, (b"authorization", authorization.encode())])

    assert verify(sent, SECRETS, now).region == "r"


# Made once by real clients, at noon of 31 January 2026: aws4fetch 1.0.20 and requests-aws4auth 1.4.0. Both sign the
# query in the canonical form and send it as it was given.
OF_OTHER_CLIENTS = {
    "aws4fetch, tags": (
        "DELETE",
        b"/tags/arn%3aaws%3aprofile%3aus-east-1%3a1%3adomains%2fd",
        b"tagKeys=a:b&tagKeys=c%2fd&tagKeys=e+f&tagKeys=~!*()",
        "3a66f90e913852ce842ed4e3b14de75173e4c9a00cfc5dc73915fa6c5b26cf3d",
    ),
    "aws4fetch, token": (
        "GET",
        b"/domains",
        b"next-token=a:b%3dc&max-results=5",
        "207bf4239d54abe1b87b6ead5fc38fee44252082497f263e294f4098fa884d9e",
    ),
    "requests-aws4auth, tags": (
        "DELETE",
        b"/tags/arn%3Aaws%3Aprofile%3Aus-east-1%3A1%3Adomains%2Fd",
        b"tagKeys=a:b&tagKeys=c%2Fd&tagKeys=e+f&tagKeys=x",
        "6cff805ec5ad4509009e7c1038c6b515cc0acf56ae9fad7cb3026a91409d9d42",
    ),
    "requests-aws4auth, token": (
        "GET",
        b"/domains",
        b"next-token=a:b%3Dc&max-results=5",
        "8fec75fc072dfbbc3647cffc0f3fadf434aad5ca190d762f1044918b58959ae7",
    ),
}


def sent_by_another(client: str) -> SignedRequest:
    method, path, query, signature = OF_OTHER_CLIENTS[client]
    with_hash = "requests" in client
    names = "host;x-amz-content-sha256;x-amz-date" if with_hash else "host;x-amz-date"
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20260131/eu-west-2/profile/aws4_request, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    headers = [(b"host", b"h"), (b"x-amz-date", b"20260131T120000Z"), (b"authorization", authorization.encode())]
    if with_hash:
        headers.append((b"x-amz-content-sha256", hashlib.sha256(b"").hexdigest().encode()))
    return SignedRequest(method, path, query, headers, b"")


@pytest.mark.parametrize("client", OF_OTHER_CLIENTS)
def test_a_query_that_is_signed_in_another_form_than_it_is_sent_is_accepted(client: str) -> None:
    request = sent_by_another(client)

    assert verify(request, SECRETS, datetime(2026, 1, 31, 12, tzinfo=UTC)).access_key_id == KEY_ID


@pytest.mark.parametrize(
    ("old", "new"), [(b"a:b", b"a%253Ab"), (b"a:b", b"a:c"), (b"&max-results=5", b"&max-results=5&x"), (b"=a", b"%3Da")]
)
def test_a_query_that_reads_otherwise_than_it_was_signed_is_refused(old: bytes, new: bytes) -> None:
    request = sent_by_another("aws4fetch, token")

    error = refusal(
        replace(request, raw_query=request.raw_query.replace(old, new)), datetime(2026, 1, 31, 12, tzinfo=UTC)
    )

    assert error.code == "InvalidSignatureException"


HEAD_REFUSED = {
    "no signature": (without(POST, b"authorization"), "MissingAuthenticationTokenException"),
    "expired": (changed(POST, b"x-amz-date", lambda v: v[:9] + b"000000Z"), "InvalidSignatureException"),
    "other service": (signed(service="s3"), "InvalidSignatureException"),
    "unknown key": (
        changed(POST, b"authorization", lambda v: v.replace(b"AKID", b"AKIX")),
        "UnrecognizedClientException",
    ),
}


@pytest.mark.parametrize(("request_", "code"), HEAD_REFUSED.values(), ids=HEAD_REFUSED)
def test_what_no_body_could_make_good_is_refused_by_its_head(request_: SignedRequest, code: str) -> None:
    now = NOW if code != "InvalidSignatureException" else NOW + timedelta(days=1)

    with pytest.raises(WireError) as caught:
        verify_head(replace(request_, body=b""), SECRETS, now)

    assert caught.value.code == code


def test_a_head_is_good_without_the_body_that_was_signed() -> None:
    verify_head(replace(POST, body=b""), SECRETS, NOW)
