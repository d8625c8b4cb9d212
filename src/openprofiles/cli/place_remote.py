"""The place of commands with ``--endpoint-url``: a server, through boto3 and ``openprofiles.client``."""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, BinaryIO

import boto3
import requests
from botocore import xform_name
from botocore.exceptions import ClientError

from openprofiles.cli.api_requests import checked_request
from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.importer import ImportFault
from openprofiles.cli.place import NEW_DOMAIN_EXPIRATION_DAYS, ImportDomain
from openprofiles.cli.server_faults import known_domain, list_domain_names, refusal_code, server_errors_in_words
from openprofiles.client import Client
from openprofiles.server.preview_document import read_sample_document
from openprofiles.uploads.mappings.known_attributes import attributes_among
from openprofiles.uploads.preview_sample import PreviewSample

_DEFAULT_REGION = "us-east-1"
_TIMEOUT_SECONDS = 60.0
# Each is a request.
_JOBS_LOOKED_AT = 10
_LOADED = ("CreatedRecords", "UpdatedRecords")
_SSE_C = "x-amz-server-side-encryption-customer-"
_BAD_REQUEST = "BadRequestException"
_XML_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)


class RemotePlace(Client):
    """The domains, jobs and mappings of a server; its methods are those of ``LocalPlace``.

    Args:
        session: with credentials and region; by default as boto3 finds them.
    """

    sending = "Sending"

    def __init__(self, endpoint_url: str, session: boto3.Session | None = None) -> None:
        self._address = endpoint_url.rstrip("/")
        session = session or boto3.Session()
        with server_errors_in_words(self._address):
            super().__init__(session, self._address)
            self._aws = session.client(
                "customer-profiles", endpoint_url=self._address, region_name=session.region_name or _DEFAULT_REGION
            )
        self._sending = requests.Session()
        # The URL is signed already; credentials from a .netrc file must not replace the signature.
        self._sending.auth = lambda request: request
        self._left_out_options = False

    def find_domain(self, name: str) -> ImportDomain | None:
        with self._asking():
            try:
                found = self._aws.get_domain(DomainName=name)
            except self._aws.exceptions.ResourceNotFoundException:
                return None
        return ImportDomain(name, found["DefaultExpirationDays"], was_created=False, phone_region=None)

    def find_phone_region(self, domain_name: str) -> str | None:  # noqa: ARG002  (it is shown once there is a job)
        return None

    def list_attributes(self, domain_name: str) -> Sequence[str]:
        # Without the permission, or without the domain, there are none.
        with self._asking(), suppress(ClientError):
            jobs = self._aws.list_upload_jobs(DomainName=domain_name, MaxResults=_JOBS_LOOKED_AT)["Items"]
            found = [self._aws.get_upload_job(DomainName=domain_name, JobId=job["JobId"]) for job in jobs]
            loaded = [job for job in found if any(job["ResultsSummary"].get(name) for name in _LOADED)]
            return attributes_among(entry.get("Target", "") for job in loaded for entry in job["Fields"].values())
        return ()

    def create_domain(self, name: str) -> ImportDomain:
        with self._asking():
            made = self._aws.create_domain(DomainName=name, DefaultExpirationDays=NEW_DOMAIN_EXPIRATION_DAYS)
        return ImportDomain(name, made["DefaultExpirationDays"], was_created=True, phone_region=None)

    def delete_domain(self, name: str) -> None:
        with self._asking():
            self._aws.delete_domain(DomainName=name)

    def call(self, operation: str, **request: Any) -> Any:
        # Before boto3 does, whose message would be taken for the server's.
        checked = checked_request(operation, request)
        with self._asking():
            return getattr(self._aws, xform_name(operation))(**checked)

    def domain_names(self) -> Sequence[str]:
        return list_domain_names(self._aws)

    def create_upload_job(
        self,
        domain_name: str,
        *,
        display_name: str,
        fields: Mapping[str, Mapping[str, str]] | None = None,
        unique_key: str | None = None,
        object_type: str | None = None,
        data_expiry: int | None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_token: str | None = None,
        needs_options: bool = True,
    ) -> str:
        create = partial(
            super().create_upload_job,
            domain_name,
            display_name=display_name,
            fields=fields,
            unique_key=unique_key,
            object_type=object_type,
            data_expiry=data_expiry,
            idempotency_token=idempotency_token,
        )
        try:
            return create(options=options)
        except CommandFault as fault:
            if options is None or needs_options or refusal_code(fault) not in (_BAD_REQUEST, "AccessDeniedException"):
                raise
            # A strict server, or a credential for AWS's operations alone. What else is wrong is reported again.
            job_id = create()
            self._left_out_options = True
            return job_id

    @property
    def left_out_options(self) -> bool:
        return self._left_out_options

    def send_file(self, domain_name: str, job_id: str, file: BinaryIO, on_sent: Callable[[int], None]) -> None:
        with self._asking():
            path = self._aws.get_upload_job_path(DomainName=domain_name, JobId=job_id)
            key = path["ClientToken"]
            md5 = base64.b64encode(hashlib.md5(base64.b64decode(key), usedforsecurity=False).digest()).decode()
            answer = self._sending.put(
                path["Url"],
                data=_CountedFile(file, on_sent),
                headers={
                    _SSE_C + "algorithm": "AES256",
                    _SSE_C + "key": key,
                    _SSE_C + "key-MD5": md5,
                    "Content-Type": "text/csv",
                },
                timeout=_TIMEOUT_SECONDS,
            )
        if not answer.ok:
            told = _XML_MESSAGE.search(answer.text)
            reason = html.unescape(told[1]) if told else f"it answered {answer.status_code}"
            raise ImportFault(f"The server did not accept the file: {reason}")

    def run_upload_job(self, domain_name: str, job_id: str, status: str) -> None:
        """Leave it to the server."""

    def list_upload_jobs(self, domain_name: str, page_size: int = 100) -> Iterator[Mapping[str, Any]]:
        pages = self._aws.get_paginator("list_upload_jobs").paginate(
            DomainName=domain_name, PaginationConfig={"PageSize": page_size}
        )
        with self._asking():
            for page in pages:
                yield from page["Items"]

    def read_listed_job(self, domain_name: str, item: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.get_progress(domain_name, item["JobId"])

    def get_upload_job(self, domain_name: str, job_id: str) -> Mapping[str, Any]:
        with self._asking():
            return self._aws.get_upload_job(DomainName=domain_name, JobId=job_id)

    def stop_upload_job(self, domain_name: str, job_id: str) -> None:
        with self._asking():
            self._aws.stop_upload_job(DomainName=domain_name, JobId=job_id)

    def is_refusal(self, fault: Exception) -> bool:
        return refusal_code(fault) == _BAD_REQUEST

    def discard_upload_job(self, domain_name: str, job_id: str) -> None:
        self.stop_upload_job(domain_name, job_id)

    def read_samples(self, domain_name: str, preview_id: str) -> Sequence[PreviewSample]:
        return [read_sample_document(sample) for sample in self.get_preview(domain_name, preview_id)["Samples"]]

    def read_failed_rows_file(self, domain_name: str, job_id: str, *, for_spreadsheet: bool = False) -> Iterator[bytes]:
        with self._asking():
            yield from super().read_failed_rows_file(domain_name, job_id, for_spreadsheet=for_spreadsheet)

    @property
    def objects(self) -> RemotePlace:
        """What is done with objects."""
        return self

    def close(self) -> None:
        self._aws.close()
        self._sending.close()
        super().close()

    def _ask(self, operation: str, **members: Any) -> dict[str, Any]:
        with self._asking():
            return super()._ask(operation, **members)

    def _items(self, operation: str, **members: Any) -> Iterator[dict[str, Any]]:
        with self._asking():
            yield from super()._items(operation, **members)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        with server_errors_in_words(self._address), known_domain(self._aws):
            yield


class _CountedFile:
    """A file that requests sends as a stream, and that says how much of it is gone."""

    def __init__(self, file: BinaryIO, on_sent: Callable[[int], None]) -> None:
        self._file = file
        self._on_sent = on_sent
        self._size_bytes = os.fstat(file.fileno()).st_size
        self._sent_bytes = 0

    def __len__(self) -> int:
        return self._size_bytes

    def read(self, size_bytes: int = -1) -> bytes:
        data = self._file.read(size_bytes)
        self._sent_bytes += len(data)
        self._on_sent(self._sent_bytes)
        return data
