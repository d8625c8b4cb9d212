"""``openprofiles import --endpoint-url``: through a server, as any other client of the API, with boto3."""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote, urlencode

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from openprofiles.cli.importer import (
    NEW_DOMAIN_EXPIRATION_DAYS,
    FailedRowReport,
    ImportDomain,
    ImportFault,
    JobState,
)

if TYPE_CHECKING:
    from mypy_boto3_customer_profiles.type_defs import ObjectTypeFieldTypeDef

_SIGNING_NAME = "profile"
_DEFAULT_REGION = "us-east-1"
_TIMEOUT_SECONDS = 60.0
_SSE_C = "x-amz-server-side-encryption-customer-"
_XML_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)


class RemoteImporter:
    """Loads a file through a server; see ``Importer``. Credentials and region come from where boto3 looks for them."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url.rstrip("/")
        self._session = boto3.Session()
        self._region = self._session.region_name or _DEFAULT_REGION
        with _told_in_a_sentence(self._endpoint_url):
            self._client = self._session.client(
                "customer-profiles", endpoint_url=self._endpoint_url, region_name=self._region
            )
        self._http = requests.Session()
        # Requests are signed already; credentials from a .netrc file must not replace the signature.
        self._http.auth = lambda request: request
        # A job goes on while the server restarts or the network fails for a moment; so does watching it.
        retries = Retry(total=6, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), allowed_methods=("GET",))
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, HTTPAdapter(max_retries=retries))
        self._domain = ""
        self._job_id = ""

    def find_or_create_domain(self, name: str) -> ImportDomain:
        was_created = False
        with _told_in_a_sentence(self._endpoint_url):
            try:
                days = self._client.get_domain(DomainName=name)["DefaultExpirationDays"]
            except self._client.exceptions.ResourceNotFoundException:
                days = self._client.create_domain(DomainName=name, DefaultExpirationDays=NEW_DOMAIN_EXPIRATION_DAYS)[
                    "DefaultExpirationDays"
                ]
                was_created = True
        self._domain = name
        return ImportDomain(name, days, was_created)

    def create_job(
        self,
        domain: str,
        *,
        display_name: str,
        fields: Mapping[str, Mapping[str, str]],
        unique_key: str,
        data_expiry_days: int,
    ) -> str:
        with _told_in_a_sentence(self._endpoint_url):
            self._job_id = self._client.create_upload_job(
                DomainName=domain,
                DisplayName=display_name,
                Fields=cast("Mapping[str, ObjectTypeFieldTypeDef]", fields),
                UniqueKey=unique_key,
                DataExpiry=data_expiry_days,
            )["JobId"]
        return self._job_id

    def send_file(self, file: BinaryIO, on_sent: Callable[[int], None]) -> None:
        with _told_in_a_sentence(self._endpoint_url):
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
            raise ImportFault(f"The server did not take the file: {reason}")

    def start_job(self) -> None:
        with _told_in_a_sentence(self._endpoint_url):
            self._client.start_upload_job(DomainName=self._domain, JobId=self._job_id)

    def read_state(self) -> JobState:
        answer = self._get("progress")
        return JobState(
            status=answer["Status"],
            phase=answer.get("Phase"),
            position=answer.get("Position", 0),
            record_count=answer.get("RecordCount"),
            created_count=answer["CreatedRecords"],
            updated_count=answer["UpdatedRecords"],
            failed_count=answer["FailedRecords"],
            message=answer.get("Message"),
        )

    def stop_job(self) -> None:
        if not self._job_id:
            return
        with _told_in_a_sentence(self._endpoint_url):
            try:
                self._client.stop_upload_job(DomainName=self._domain, JobId=self._job_id)
            except self._client.exceptions.BadRequestException:
                # It ended on its own first, and its end will be told.
                return

    def list_failed_rows(self) -> Iterator[FailedRowReport]:
        token: str | None = None
        while True:
            page = self._get("failed-rows", {"next-token": token} if token else {})
            for item in page["Items"]:
                yield FailedRowReport(item["Record"], item["Line"], item.get("Column"), item["Code"], item["Message"])
            token = page.get("NextToken")
            if token is None:
                return

    def close(self) -> None:
        self._client.close()
        self._http.close()

    def _get(self, what: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """One of openprofiles' own paths for this job, signed like the API."""
        domain = quote(self._domain, safe="")
        url = f"{self._endpoint_url}/openprofiles/v1/domains/{domain}/upload-jobs/{self._job_id}/{what}"
        if query:
            url += "?" + urlencode(query)
        with _told_in_a_sentence(self._endpoint_url):
            credentials = self._session.get_credentials()
            if credentials is None:
                raise NoCredentialsError
            request = AWSRequest("GET", url)
            SigV4Auth(credentials.get_frozen_credentials(), _SIGNING_NAME, self._region).add_auth(request)
            answer = self._http.get(url, headers=dict(request.headers.items()), timeout=_TIMEOUT_SECONDS)
        try:
            document = answer.json()
        except requests.JSONDecodeError:
            document = {}
        if not answer.ok:
            reason = document.get("Message", f"it answered {answer.status_code}")
            raise ImportFault(f"The server at {self._endpoint_url} does not tell about the job: {reason}")
        return cast(dict[str, Any], document)


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


@contextmanager
def _told_in_a_sentence(endpoint_url: str) -> Iterator[None]:
    try:
        yield
    except NoCredentialsError as error:
        raise ImportFault(
            'No credentials were found. On the server\'s machine use: eval "$(openprofiles env)"; elsewhere set '
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    except ClientError as error:
        detail = error.response.get("Error", {})
        raise ImportFault(
            f"The server refused {error.operation_name}: {detail.get('Message') or detail.get('Code')}"
        ) from error
    except BotoCoreError as error:
        raise ImportFault(f"The server at {endpoint_url} cannot be used: {error}") from error
    except requests.RequestException as error:
        # What requests says holds the upload's URL, and that is signed: whoever reads it could send a file.
        raise ImportFault(
            f"The connection to {endpoint_url} broke ({type(error).__name__}). Is the server running?"
        ) from error
