"""``openprofiles import --endpoint-url``: through a server, with boto3 and our own client."""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import BinaryIO

import boto3
import requests
from botocore.exceptions import ClientError

from openprofiles.cli.importer import (
    NEW_DOMAIN_EXPIRATION_DAYS,
    ImportDomain,
    ImportFault,
    KeptMapping,
    new_domain_name,
    read_kept_mapping,
)
from openprofiles.cli.job_state import JobState, state_of_progress
from openprofiles.cli.server_faults import known_domain, list_domain_names, server_errors_in_words
from openprofiles.client import Client
from openprofiles.server.job_options_document import options_document
from openprofiles.server.preview_document import read_sample_document
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.preview_sample import PreviewSample

_DEFAULT_REGION = "us-east-1"
_TIMEOUT_SECONDS = 60.0
_SSE_C = "x-amz-server-side-encryption-customer-"
_REFUSALS = ("BadRequestException", "AccessDeniedException")
_XML_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)


class RemoteImporter:
    """Loads a file through a server; see ``Importer``.

    Args:
        session: with credentials and region; by default as boto3 finds them.
    """

    def __init__(self, endpoint_url: str, session: boto3.Session | None = None) -> None:
        self._endpoint_url = endpoint_url.rstrip("/")
        self._session = session or boto3.Session()
        self._region = self._session.region_name or _DEFAULT_REGION
        with server_errors_in_words(self._endpoint_url):
            self._client = self._session.client(
                "customer-profiles", endpoint_url=self._endpoint_url, region_name=self._region
            )
            self._own = Client(self._session, self._endpoint_url)
        self._http = requests.Session()
        # The URL is signed already; credentials from a .netrc file must not replace the signature.
        self._http.auth = lambda request: request
        self._domain = ""
        self._job_id = ""
        self._preview_id = ""
        self._left_out_options = False

    def read_mapping(self, domain: str, mapping_name: str) -> KeptMapping:
        with server_errors_in_words(self._endpoint_url), known_domain(self._client, domain):
            found = self._own.get_mapping(domain, mapping_name)
        return read_kept_mapping(found)

    def find_phone_region(self, domain: str) -> str | None:  # noqa: ARG002  (a server shows it once there is a job)
        return None

    def find_or_create_domain(self, name: str, *, is_dry_run: bool) -> ImportDomain:
        was_created = False
        with server_errors_in_words(self._endpoint_url):
            try:
                days = self._client.get_domain(DomainName=name)["DefaultExpirationDays"]
            except self._client.exceptions.ResourceNotFoundException:
                name = new_domain_name(name, is_dry_run=is_dry_run)
                days = self._client.create_domain(DomainName=name, DefaultExpirationDays=NEW_DOMAIN_EXPIRATION_DAYS)[
                    "DefaultExpirationDays"
                ]
                was_created = True
        self._domain = name
        return ImportDomain(name, days, was_created, None)

    def domain_names(self) -> Sequence[str]:
        return list_domain_names(self._client)

    def create_job(
        self,
        domain: str,
        *,
        display_name: str,
        fields: Mapping[str, Mapping[str, str]],
        unique_key: str,
        data_expiry_days: int,
        options: JobOptions | None,
        needs_options: bool,
    ) -> str:
        create = partial(
            self._own.create_upload_job,
            domain,
            display_name=display_name,
            fields=fields,
            unique_key=unique_key,
            data_expiry=data_expiry_days,
        )
        with server_errors_in_words(self._endpoint_url):
            try:
                self._job_id = create(options=None if options is None else options_document(options))
            except ClientError as error:
                if options is None or needs_options or error.response["Error"]["Code"] not in _REFUSALS:
                    raise
                # A strict server, or a credential for AWS's operations alone. What else is wrong is told again.
                self._job_id = create()
                self._left_out_options = True
        return self._job_id

    def read_phone_region(self) -> str | None:
        with server_errors_in_words(self._endpoint_url):
            region = self._own.get_progress(self._domain, self._job_id).get("PhoneRegion")
        return None if region is None else str(region)

    @property
    def left_out_options(self) -> bool:
        return self._left_out_options

    def send_file(self, file: BinaryIO, on_sent: Callable[[int], None]) -> None:
        with server_errors_in_words(self._endpoint_url):
            path = self._client.get_upload_job_path(DomainName=self._domain, JobId=self._job_id)
            key = path["ClientToken"]
            md5 = base64.b64encode(hashlib.md5(base64.b64decode(key), usedforsecurity=False).digest()).decode()
            answer = self._http.put(
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

    def start_job(self) -> None:
        with server_errors_in_words(self._endpoint_url):
            self._own.start_upload_job(self._domain, self._job_id)

    def save_mapping(self, mapping_name: str, mapping: KeptMapping) -> None:
        with server_errors_in_words(self._endpoint_url):
            self._own.put_mapping(
                self._domain,
                mapping_name,
                fields=mapping.fields,
                unique_key=mapping.unique_key,
                columns=mapping.columns,
                reading=mapping.reading.to_document(),
            )

    def start_preview(self) -> None:
        with server_errors_in_words(self._endpoint_url):
            self._preview_id = self._own.start_preview(self._domain, self._job_id)

    def read_samples(self) -> Sequence[PreviewSample]:
        with server_errors_in_words(self._endpoint_url):
            preview = self._own.get_preview(self._domain, self._followed_id)
        return [read_sample_document(sample) for sample in preview["Samples"]]

    def discard(self, domain: ImportDomain) -> None:
        with server_errors_in_words(self._endpoint_url):
            if self._job_id:
                self._client.stop_upload_job(DomainName=self._domain, JobId=self._job_id)
            if domain.was_created:
                self._client.delete_domain(DomainName=domain.name)

    @property
    def _followed_id(self) -> str:
        """The job that runs: the one that was made, or its preview."""
        return self._preview_id or self._job_id

    def read_state(self) -> JobState:
        with server_errors_in_words(self._endpoint_url):
            return state_of_progress(self._own.get_progress(self._domain, self._followed_id))

    def stop_job(self) -> None:
        if not self._job_id:
            return
        with server_errors_in_words(self._endpoint_url):
            if self._preview_id:
                self._own.stop_preview(self._domain, self._preview_id)
                return
            try:
                self._client.stop_upload_job(DomainName=self._domain, JobId=self._job_id)
            except self._client.exceptions.BadRequestException:
                # It ended on its own first, and its end will be told.
                return

    def read_failed_rows(self, *, for_spreadsheet: bool) -> Iterator[bytes]:
        with server_errors_in_words(self._endpoint_url):
            yield from self._own.read_failed_rows_file(self._domain, self._followed_id, for_spreadsheet=for_spreadsheet)

    def close(self) -> None:
        self._client.close()
        self._own.close()
        self._http.close()


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
