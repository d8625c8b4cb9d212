"""Exports to a bucket: what a bucket that fails once or for good makes of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.retries.standard import ExponentialBackoff

from openprofiles.aws_clients import make_s3_client
from openprofiles.segments.exports import s3_destination
from openprofiles.segments.exports.destinations import ExportFailed
from openprofiles.segments.exports.s3_destination import S3Destination
from openprofiles.settings import S3Location

KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG"
# The client of S3 sends a larger file in pieces of 8 MiB.
THREE_PIECES = 20 << 20

Answer = tuple[int, str]
Bucket = Callable[[str, dict[str, list[str]]], Answer]


class _Body(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@pytest.fixture
def destination(monkeypatch: pytest.MonkeyPatch) -> Callable[[Bucket], S3Destination]:
    """Open a destination whose requests are answered by a function, by their method and query."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # A failed request is sent again at once.
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.0)

    def open_one(bucket: Bucket) -> S3Destination:
        def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
            query = parse_qs(urlsplit(request.url).query, keep_blank_values=True)
            status, body = bucket(request.method, query)
            return AWSResponse(request.url, status, HTTPHeaders.from_dict({"ETag": '"x"'}), _Body(body.encode()))

        client = make_s3_client()
        client.meta.events.register("before-send.s3", answer)
        monkeypatch.setattr(s3_destination, "make_s3_client", lambda: client)
        return S3Destination(S3Location("exports", "spring"), None)

    return open_one


def test_a_piece_of_a_file_that_a_bucket_refuses_once_is_sent_again(
    destination: Callable[[Bucket], S3Destination], tmp_path: Path
) -> None:
    file = tmp_path / "part-00000.csv"
    with file.open("wb") as sparse:
        sparse.truncate(THREE_PIECES)
    requests = []

    def bucket(method: str, query: dict[str, list[str]]) -> Answer:
        if "uploads" in query:
            return 200, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
        requests.append((method, *query.get("partNumber", [])))
        if requests.count(("PUT", "3")) == 1 and requests[-1] == ("PUT", "3"):
            return 503, "<Error><Code>SlowDown</Code></Error>"
        return 200, "" if method == "PUT" else "<CompleteMultipartUploadResult/>"

    destination(bucket).put_file("gold/part-00000.csv", file)

    assert sorted(requests[:-1]) == [("PUT", "1"), ("PUT", "2"), ("PUT", "3"), ("PUT", "3")]
    assert requests[-1] == ("POST",)


def test_a_bucket_that_refuses_the_keys_is_named_without_them(
    destination: Callable[[Bucket], S3Destination],
) -> None:
    refusal = f"<Error><Code>InvalidAccessKeyId</Code><Message>{KEY_ID}</Message><Key>{SECRET}</Key></Error>"

    with pytest.raises(ExportFailed) as caught:
        destination(lambda _method, _query: (403, refusal)).put_text("test", "x")

    message = str(caught.value)
    assert message.startswith("The bucket exports cannot be written: InvalidAccessKeyId. ")
    assert KEY_ID not in message
    assert SECRET not in message


def test_a_file_that_a_bucket_refuses_fails_with_what_the_bucket_said(
    destination: Callable[[Bucket], S3Destination], tmp_path: Path
) -> None:
    file = tmp_path / "part-00000.csv"
    file.write_text("x")

    with pytest.raises(ExportFailed, match=r"^The bucket exports cannot be written: AccessDenied\. Check"):
        destination(lambda _method, _query: (403, "<Error><Code>AccessDenied</Code></Error>")).put_file("part", file)
