"""Exports to a bucket of an object store with S3's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from boto3.exceptions import Boto3Error, S3UploadFailedError
from botocore.exceptions import BotoCoreError, ClientError

from openprofiles.aws_clients import fault_of, make_s3_client
from openprofiles.segments.exports.destinations import ExportFailed
from openprofiles.settings import S3Location


class S3Destination:
    """See ``Destination``."""

    def __init__(self, location: S3Location, encryption_key: str | None) -> None:
        self._location = location
        self._prefix = f"{location.prefix}/" if location.prefix else ""
        self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": encryption_key} if encryption_key else {}
        with self._errors_in_words():
            self._client = make_s3_client()

    def put_text(self, name: str, text: str) -> None:
        with self._errors_in_words():
            self._client.put_object(
                Bucket=self._location.bucket, Key=self._prefix + name, Body=text.encode(), **self._encryption
            )

    def put_file(self, name: str, file: Path) -> None:
        # In parts, and each is sent again if it breaks.
        with self._errors_in_words():
            self._client.upload_file(
                str(file), self._location.bucket, self._prefix + name, ExtraArgs=self._encryption or None
            )

    @contextmanager
    def _errors_in_words(self) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError, Boto3Error) as error:
            # An upload that fails does not say itself what the bucket has answered.
            cause = error.__context__ if isinstance(error, S3UploadFailedError) else None
            raise ExportFailed(
                f"The bucket {self._location.bucket} cannot be written: {fault_of(cause or error)}. Check that it "
                "exists, and the address, keys and permissions of the server (AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID)."
            ) from error
