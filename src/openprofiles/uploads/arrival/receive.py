"""Step 1, receive: the presigned PUT of the file.

The URL and its three headers work as S3's for a customer's own key (SSE-C): the key is the job's ClientToken. The
file is streamed to the storage (``files``), encrypted, under a new name, and published by one change of the job's row
once it is completely stored. After an interrupted PUT the job has no file and cannot be started.

Source: reference, section 2.5; the texts are S3's own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO
from urllib.parse import urlencode

from openprofiles.clock import utc_now
from openprofiles.errors import FilesUnreachable, InvalidRequest
from openprofiles.master_key import MasterKey
from openprofiles.store import job_queue, upload_jobs
from openprofiles.store.connections import Store
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.arrival.client_token import CLIENT_TOKEN_BYTES
from openprofiles.uploads.arrival.encrypted_file import EncryptingWriter
from openprofiles.uploads.arrival.files import Files, new_file_name
from openprofiles.uploads.arrival.refused import Refused
from openprofiles.uploads.arrival.sent_body import SentBody
from openprofiles.uploads.jobs import client_token

UPLOAD_PATH = "/openprofiles/v1/uploads/"

_URL_PURPOSE = "upload url"
_SSE_C = "x-amz-server-side-encryption-customer-"
ALGORITHM_HEADER = _SSE_C + "algorithm"
KEY_HEADER = _SSE_C + "key"
KEY_MD5_HEADER = _SSE_C + "key-md5"


_LOCAL_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class UploadPath:
    """Where and how to PUT the file. ``client_token`` is the base64 text that goes into the key header."""

    url: str
    client_token: str
    valid_until: datetime


def upload_headers(client_token: str) -> dict[str, str]:
    """Return the headers of the PUT of a file.

    Args:
        client_token: as in GetUploadJobPath.
    """
    # MD5 detects a corrupted key, as S3 defines it.
    digest = hashlib.md5(base64.b64decode(client_token), usedforsecurity=False).digest()
    return {
        ALGORITHM_HEADER: "AES256",
        KEY_HEADER: client_token,
        KEY_MD5_HEADER: base64.b64encode(digest).decode(),
    }


def make_upload_path(
    master_key: MasterKey, job: UploadJob, *, base_url: str, lifetime_seconds: int, now: datetime
) -> UploadPath:
    """Return a new URL for this job's file. The key is the same for all URLs of a job.

    Raises:
        InvalidRequest: the job is not CREATED; its file can no longer be replaced.
    """
    if job.status is not UploadJobStatus.CREATED:
        raise InvalidRequest(
            f"Upload job {job.job_id} is in {job.status} status; a file can be uploaded only while it is CREATED."
        )
    # Whole seconds: the URL says so, and ValidUntil must be exact.
    valid_until = now.replace(microsecond=0) + timedelta(seconds=lifetime_seconds)
    expires = str(int(valid_until.timestamp()))
    query = urlencode(
        {"expires": expires, "signature": master_key.sign(_URL_PURPOSE, _signed(job.job_id, expires)).hex()}
    )
    token = base64.b64encode(client_token(master_key, job)).decode()
    return UploadPath(f"{base_url}{UPLOAD_PATH}{job.job_id}?{query}", token, valid_until)


def open_upload(
    store: Store,
    master_key: MasterKey,
    files: Files,
    *,
    job_id: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    max_size_bytes: int,
    now: datetime,
) -> FileReceiver:
    """Check URL and headers of a PUT and make ready to take the file.

    The receiver keeps the store: a transaction must not wait for the file.

    Args:
        query: the parameters of the URL.
        headers: by lower-case name.

    Raises:
        Refused: with S3's status, code and text.
    """
    _check_url(master_key, job_id, query, now)
    key = _check_encryption_headers(headers)
    body = SentBody(headers)
    if (body.declared_content_bytes or 0) > max_size_bytes:
        raise _too_large()
    with store.read() as connection:
        job = upload_jobs.find_job_by_id(connection, job_id)
    if job is None:
        raise Refused(404, "NoSuchUpload", "The upload job of this URL no longer exists.")
    if job.status is not UploadJobStatus.CREATED:
        raise _already_started(job)
    if not secrets.compare_digest(key, client_token(master_key, job)):
        raise Refused(
            403,
            "AccessDenied",
            "The encryption key is not the ClientToken that GetUploadJobPath returned for this job.",
        )
    return FileReceiver(store, files, job, key, max_size_bytes, body)


def receive_local(
    store: Store,
    master_key: MasterKey,
    files: Files,
    job: UploadJob,
    file: BinaryIO,
    on_received: Callable[[int], None],
) -> None:
    """Take the job's file from this machine's disk, with no URL between; its size has no limit but the disk's.

    It takes the store, since a transaction must not wait for the file.

    Args:
        file: open at its beginning, for reading bytes.
        on_received: called with the number of bytes taken so far; what it raises ends this, and nothing is kept.

    Raises:
        Refused: the job was started or removed in the meantime.
        OSError: the file cannot be read, or the disk is full.
        FilesUnreachable: the object store does not answer.
    """
    receiver = FileReceiver(store, files, job, client_token(master_key, job), sys.maxsize)
    try:
        size_bytes = 0
        while data := file.read(_LOCAL_READ_BYTES):
            receiver.write(data)
            size_bytes += len(data)
            on_received(size_bytes)
        receiver.publish()
    finally:
        receiver.discard()


class FileReceiver:
    """Takes the bytes of one PUT. Exactly one of ``publish`` and ``discard`` ends it.

    Args:
        body: unpacks and checks the bytes; None takes them as they are.
    """

    def __init__(
        self,
        store: Store,
        files: Files,
        job: UploadJob,
        key: bytes,
        max_size_bytes: int,
        body: SentBody | None = None,
    ) -> None:
        self._body = body
        self._store = store
        self._files = files
        self._job = job
        self._max_size_bytes = max_size_bytes
        self._size_bytes = 0
        self._name = new_file_name(job.job_id)
        self._file = files.create(self._name)
        self._writer = EncryptingWriter(self._file, key)

    def write(self, data: bytes) -> None:
        """Append to the file.

        Raises:
            Refused: the file is larger than allowed, or its framing is malformed.
            OSError: the disk is full.
            FilesUnreachable: the object store does not answer.
        """
        if self._body is not None:
            data = self._body.unpack(data)
        self._size_bytes += len(data)
        if self._size_bytes > self._max_size_bytes:
            raise _too_large()
        self._writer.write(data)

    def publish(self) -> str:
        """Make the file the job's file, replacing an earlier one.

        Returns:
            its entity tag, without quotes: another one for each file. S3's under SSE-C says nothing of the content
            either.

        Raises:
            Refused: the body does not match the client's checksum or length, or the job was started or removed in the
                meantime; the file is removed.
            OSError: the disk is full.
            FilesUnreachable: the object store does not answer.
        """
        if self._body is not None:
            self._body.finish()
        self._writer.finish()
        self._file.publish()
        try:
            with self._store.write() as connection:
                job = upload_jobs.find_job_by_id(connection, self._job.job_id, for_change=True)
                published = job is not None and job.status is UploadJobStatus.CREATED
                if job is not None and published:
                    upload_jobs.update_job(
                        connection,
                        job,
                        file_name=self._name,
                        file_size_bytes=self._size_bytes,
                        file_received_at=utc_now(),
                    )
                    # The file that they read goes.
                    job_queue.stop_previews_of(connection, job, utc_now())
        except Exception:
            # The disk may be full, and this file what fills it. A commit that fails may still have been kept, so the
            # store is asked.
            with self._store.read() as connection:
                job = upload_jobs.find_job_by_id(connection, self._job.job_id)
            if job is None or job.file_name != self._name:
                self._files.remove(self._name)
            raise
        if not published:
            self._files.remove(self._name)
            raise _already_started(job or self._job)
        if job and job.file_name:
            # The new file is the job's. Should the old one not be removed now, the cleaning does it.
            with suppress(FilesUnreachable):
                self._files.remove(job.file_name)
        return hashlib.sha256(self._name.encode()).hexdigest()[:32]

    def discard(self) -> None:
        """Remove what was written; does nothing to a file that was published."""
        self._file.discard()


def _signed(job_id: str, expires: str) -> bytes:
    return f"PUT\n{job_id}\n{expires}".encode()


def _check_url(master_key: MasterKey, job_id: str, query: Mapping[str, str], now: datetime) -> None:
    expires = query.get("expires", "")
    try:
        signature = bytes.fromhex(query.get("signature", ""))
    except ValueError:
        signature = b""
    if not master_key.verify_signature(_URL_PURPOSE, _signed(job_id, expires), signature):
        raise Refused(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing "
            "method.",
        )
    if now.timestamp() >= int(expires):
        raise Refused(403, "AccessDenied", "Request has expired")


def _check_encryption_headers(headers: Mapping[str, str]) -> bytes:
    algorithm, key, md5 = (headers.get(name, "") for name in (ALGORITHM_HEADER, KEY_HEADER, KEY_MD5_HEADER))
    if not algorithm:
        raise _needs("a valid encryption algorithm")
    if algorithm != "AES256":
        raise Refused(
            400,
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256.",
        )
    if not key:
        raise _needs("an appropriate secret key")
    try:
        raw_key = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raw_key = b""
    if len(raw_key) != CLIENT_TOKEN_BYTES:
        raise Refused(400, "InvalidArgument", "The secret key was invalid for the specified algorithm.")
    if not md5:
        raise _needs("the client calculated MD5 of the secret key")
    # MD5 guards against a garbled key here, as S3 defines it, and nothing else.
    expected = base64.b64encode(hashlib.md5(raw_key, usedforsecurity=False).digest()).decode()
    if not secrets.compare_digest(md5.encode(), expected.encode()):
        raise Refused(
            400, "InvalidArgument", "The calculated MD5 hash of the key did not match the hash that was provided."
        )
    return raw_key


def _needs(what: str) -> Refused:
    message = f"Requests specifying Server Side Encryption with Customer provided keys must provide {what}."
    return Refused(400, "InvalidArgument", message)


def _too_large() -> Refused:
    return Refused(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")


def _already_started(job: UploadJob) -> Refused:
    return Refused(
        409,
        "InvalidObjectState",
        f"Upload job {job.job_id} is in {job.status} status; a file can be uploaded only while it is CREATED.",
    )
