"""Uploaded files in a bucket of an object store with S3's protocol, for servers and workers on many hosts.

The files are encrypted before they are sent, so the bucket needs no encryption of its own. Address, keys and region are
configured as for every AWS program (``AWS_ENDPOINT_URL_S3``, ``AWS_ACCESS_KEY_ID``, ``AWS_DEFAULT_REGION``, a profile,
a role).

Source: Amazon S3 API Reference, CreateMultipartUpload to ListMultipartUploads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from openprofiles.aws_clients import fault_of, make_s3_client
from openprofiles.errors import FilesUnreachable
from openprofiles.settings import S3Location, SettingsError
from openprofiles.uploads.arrival.files import FILE_NAME, UNPUBLISHED_FILE_SECONDS, NewFile, ReadableFile

# An object has at most 10,000 parts, so this is good for files of 160 GB; each upload under way holds one in memory.
_PART_BYTES = 16 << 20
# Requests are retried by the library, and a file that breaks off in the middle is read on from there.
_TRIES = 3
# A listing of a bucket is paid for.
_CLEANING_SECONDS = 600.0
# The object store reports only when a multipart upload was begun, and a large file may take a night.
_ABANDONED_UPLOAD_DAYS = 3
# Next to the files, which are named after their jobs.
_OWNER_NAME = "owner"
_NOT_FOUND = frozenset(("NoSuchKey", "404", "NotFound"))


class S3Files:
    """See ``Files``."""

    def __init__(self, location: S3Location) -> None:
        self._location = location
        self._prefix = f"{location.prefix}/" if location.prefix else ""
        self._client = make_s3_client()
        # What the last cleaning found that nobody needed.
        self._orphans: set[str] = set()

    @property
    def place(self) -> str:
        """See ``Files``."""
        return str(self._location)

    @property
    def cleaning_seconds(self) -> float:
        """See ``Files``."""
        return _CLEANING_SECONDS

    def check_owner(self, *marks: str) -> None:
        """See ``Files``."""
        try:
            found = self._read_owner()
            if found is None:
                self._refuse_what_is_not_empty()
                found = marks[0]
                self.set_owner(found)
        except FilesUnreachable as error:
            cause = error.__cause__
            raise SettingsError(
                f"The files {self._location} cannot be used: {fault_of(cause or error)}. Check that the bucket exists, "
                "and check the address (AWS_ENDPOINT_URL_S3), the keys and their permissions."
            ) from error
        if found not in marks:
            raise SettingsError(
                f"The files {self._location} belong to another store, or to this store with a different master key. "
                "Use a separate bucket or prefix for each store, and the same master key for all its servers and "
                "workers."
            )

    def set_owner(self, mark: str) -> None:
        """See ``Files``."""
        with self._clear_errors():
            self._client.put_object(**self._object(_OWNER_NAME), Body=mark.encode())

    def create(self, name: str) -> NewFile:
        """See ``Files``."""
        return _NewS3File(self, name)

    @contextmanager
    def open(self, name: str) -> Iterator[ReadableFile]:
        """See ``Files``."""
        file = _S3File(self, name)
        try:
            yield file
        finally:
            file.close()

    def remove(self, name: str) -> None:
        """See ``Files``."""
        with self._clear_errors():
            self._client.delete_object(**self._object(name))

    def remove_orphans(self, needed: set[str], now: datetime) -> int:
        """See ``Files``."""
        removed = 0
        # Not what lies deeper: another store may have its files there.
        place = {"Bucket": self._location.bucket, "Prefix": self._prefix, "Delimiter": "/"}
        orphans = set()
        with self._clear_errors():
            for page in self._client.get_paginator("list_objects_v2").paginate(**place):
                for found in page.get("Contents", ()):
                    name = found["Key"].removeprefix(self._prefix)
                    is_old = found["LastModified"] < now - timedelta(seconds=UNPUBLISHED_FILE_SECONDS)
                    if is_old and name not in needed and FILE_NAME.fullmatch(name):
                        orphans.add(name)
            # The date of a file that was sent in parts is that of its first part, so one that was published just now
            # may look old, while ``needed`` is a moment older. Only what is seen a second time is nobody's.
            for name in orphans & self._orphans:
                self._client.delete_object(**self._object(name))
                removed += 1
            self._orphans = orphans
            for page in self._client.get_paginator("list_multipart_uploads").paginate(**place):
                for upload in page.get("Uploads", ()):
                    name = upload["Key"].removeprefix(self._prefix)
                    is_old = upload["Initiated"] < now - timedelta(days=_ABANDONED_UPLOAD_DAYS)
                    if is_old and FILE_NAME.fullmatch(name):
                        self._client.abort_multipart_upload(**self._object(name), UploadId=upload["UploadId"])
                        removed += 1
        return removed

    def check_bucket(self) -> None:
        """Make sure that the bucket is there.

        Raises:
            FilesUnreachable: it is not.
        """
        try:
            with self._clear_errors():
                self._client.head_bucket(Bucket=self._location.bucket)
        except FileNotFoundError as error:
            raise self._unreachable() from error

    def _refuse_what_is_not_empty(self) -> None:
        with self._clear_errors():
            found = self._client.list_objects_v2(Bucket=self._location.bucket, Prefix=self._prefix, MaxKeys=1)
        if found.get("Contents"):
            raise SettingsError(
                f"{self._location} contains files that openprofiles did not write. Use a bucket or a "
                "prefix that is empty."
            )

    def _read_owner(self) -> str | None:
        try:
            with self._clear_errors():
                answer = self._client.get_object(**self._object(_OWNER_NAME))
                return str(answer["Body"].read().decode("ascii", "replace"))
        except FileNotFoundError:
            return None

    def _object(self, name: str) -> dict[str, str]:
        return {"Bucket": self._location.bucket, "Key": self._prefix + name}

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NOT_FOUND:
                raise FileNotFoundError(f"The bucket {self._location.bucket} has no such file.") from error
            raise self._unreachable() from error
        except BotoCoreError as error:
            raise self._unreachable() from error

    def _unreachable(self) -> FilesUnreachable:
        return FilesUnreachable(f"The object store of the files {self._location} returned an unexpected response.")


class _NewS3File:
    """See ``NewFile``. Sent in parts, unless it fits into one; invisible until all of them are put together."""

    def __init__(self, files: S3Files, name: str) -> None:
        self._files = files
        self._object = files._object(name)
        self._pending = bytearray()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []

    def write(self, data: bytes, /) -> int:
        self._pending += data
        while len(self._pending) > _PART_BYTES:
            self._send_part(bytes(self._pending[:_PART_BYTES]))
            del self._pending[:_PART_BYTES]
        return len(data)

    def publish(self) -> None:
        if self._upload_id is None:
            with self._files._clear_errors():
                self._files._client.put_object(**self._object, Body=bytes(self._pending))
        else:
            self._send_part(bytes(self._pending))
            with self._files._clear_errors():
                self._files._client.complete_multipart_upload(
                    **self._object, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
                )
            self._upload_id = None
        self._pending.clear()

    def discard(self) -> None:
        self._pending.clear()
        if self._upload_id is not None:
            # Should this fail, the cleaning aborts it later.
            with suppress(FilesUnreachable, FileNotFoundError), self._files._clear_errors():
                self._files._client.abort_multipart_upload(**self._object, UploadId=self._upload_id)
            self._upload_id = None

    def _send_part(self, data: bytes) -> None:
        client = self._files._client
        with self._files._clear_errors():
            if self._upload_id is None:
                self._upload_id = client.create_multipart_upload(**self._object)["UploadId"]
            number = len(self._parts) + 1
            answer = client.upload_part(**self._object, UploadId=self._upload_id, PartNumber=number, Body=data)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})


class _S3File:
    """See ``ReadableFile``. A connection that breaks is opened again where it broke."""

    def __init__(self, files: S3Files, name: str) -> None:
        self._files = files
        self._object = files._object(name)
        self._offset = 0
        self._body: Any = None
        try:
            with files._clear_errors():
                self._size_bytes = int(files._client.head_object(**self._object)["ContentLength"])
        except FileNotFoundError:
            # A bucket that is not there gets the same answer; it may come back, with the file.
            files.check_bucket()
            raise

    def read(self, size_bytes: int, /) -> bytes:
        wanted = min(size_bytes, self._size_bytes - self._offset)
        parts: list[bytes] = []
        failures = 0
        while wanted > 0:
            try:
                part = self._read_some(wanted)
            except BotoCoreError as error:
                self.close()
                failures += 1
                if failures >= _TRIES:
                    raise self._files._unreachable() from error
                continue
            failures = 0
            self._offset += len(part)
            wanted -= len(part)
            parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def _read_some(self, size_bytes: int) -> bytes:
        if self._body is None:
            with self._files._clear_errors():
                answer = self._files._client.get_object(**self._object, Range=f"bytes={self._offset}-")
            self._body = answer["Body"]
        part: bytes = self._body.read(size_bytes)
        if not part:
            # It ended before its end.
            self.close()
            raise HTTPClientError(error="the response is shorter than the file")
        return part
