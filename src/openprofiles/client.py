"""Load files from Python, and use what AWS has no operation for, on top of a boto3 session.

    result = Client().load_file("leads.csv", domain="demo", unique_key="Email")
    print(result.created, "created,", result.failed, "failed")
    for row in result.failed_rows:
        print(row["Line"], [fault["Code"] for fault in row["Faults"]])

It needs ``openprofiles[client]``. Credentials and region are those of the session. ``docs/python.md`` is the guide; the
paths of the server are described in ``docs/openapi.yaml``.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError, NoCredentialsError
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from openprofiles.file_load import FailureReason, FileLoad, JobFailed, LoadError, LoadProgress, LoadResult

__all__ = ["Client", "FailureReason", "JobFailed", "LoadError", "LoadProgress", "LoadResult"]

_SIGNING_NAME = "profile"
_DEFAULT_REGION = "us-east-1"
_TIMEOUT_SECONDS = 60.0
_PART_BYTES = 256 * 1024


class Client:
    """One server. May be used from several threads.

    Every method except ``load_file`` raises ``botocore.exceptions.ClientError`` with the server's code and message
    where it refuses, and ``requests.RequestException`` where it cannot be reached.

    Args:
        session: with the credentials; by default as boto3 finds them.
        endpoint_url: the server's address; by default as the AWS SDKs find it (``AWS_ENDPOINT_URL_CUSTOMER_PROFILES``).
    """

    def __init__(self, session: boto3.Session | None = None, endpoint_url: str | None = None) -> None:
        self._session = session or boto3.Session()
        self._region = self._session.region_name or _DEFAULT_REGION
        profiles = self._session.client("customer-profiles", endpoint_url=endpoint_url, region_name=self._region)
        self._endpoint_url = profiles.meta.endpoint_url.rstrip("/")
        profiles.close()
        self._http = _http_session("GET", "PUT")
        # For what can be sent again although its method does not say so.
        self._repeating_http = _http_session("GET", "PUT", "POST")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._repeating_http.close()

    def load_file(
        self,
        path: str | os.PathLike[str],
        domain: str,
        *,
        unique_key: str | None = None,
        map: Mapping[str, str] | None = None,
        only: Sequence[str] | str = (),
        mapping: str | None = None,
        sheet: str | None = None,
        options: Mapping[str, Any] | None = None,
        data_expiry: int | None = None,
        display_name: str | None = None,
        progress: Callable[[LoadProgress], object] | bool = True,
    ) -> LoadResult:
        """Load a file into a domain, and wait until that is done.

        It does what ``openprofiles import`` does: it detects the format of the file, creates the domain if it is
        missing, suggests where each column goes, and checks email addresses and phone numbers. If it is interrupted, it
        stops the upload job; rows that were loaded before stay.

        Args:
            path: the file: CSV, an Excel workbook, Parquet or JSON.
            domain: the name of the domain that the profiles go to.
            unique_key: the column that tells customers apart. Required without ``mapping``.
            map: where columns go, by their name, such as ``{"Tier": "Attributes.tier"}``; ``""`` leaves a column out.
                The others go where their names and values suggest, or where ``mapping`` says.
            only: the columns to load, by their name, besides those of ``map`` and ``unique_key``; by default all.
            mapping: the name of a saved mapping.
            sheet: the name of a sheet of a workbook; by default the first.
            options: as in ``set_options``. Members that are not given are as ``openprofiles import`` has them.
            data_expiry: days until the profiles expire, if no later load touches them; by default those of the domain.
            display_name: the name of the upload job; by default that of the file.
            progress: True shows a bar where standard error is a terminal, False shows nothing, and a function is called
                with a ``LoadProgress`` several times a second.

        Raises:
            LoadError: the file cannot be read, the mapping cannot be used, or the server refused it or cannot be
                reached; ``__cause__`` has the original error.
            JobFailed: a LoadError: the upload job failed, or somebody else stopped it.
        """
        return FileLoad(
            path=Path(path),
            domain=domain,
            unique_key=unique_key,
            map=map or {},
            only=[only] if isinstance(only, str) else only,
            mapping=mapping,
            sheet=sheet,
            options=options or {},
            data_expiry=data_expiry,
            display_name=display_name,
            progress=progress,
        ).run(self, self._session, self._endpoint_url)

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
    ) -> str:
        """Make an upload job, and only one, although the request may be sent again when the connection breaks.

        Args:
            display_name, fields, unique_key: as in CreateUploadJob.
            object_type: the name of the type of the objects that the rows are; without fields and unique key.
            data_expiry: days; by default as CreateUploadJob.
            options: as in ``set_options``.
            idempotency_token: 1 to 64 letters, digits, ``_``, ``-`` and dots; by default a new one for each call. The
                same request with the same token gives the same job, another one is refused. So a program that gives
                its own may die and call again.

        Returns:
            Its job id.
        """
        given: dict[str, Any] = {
            "DisplayName": display_name,
            "Fields": fields,
            "UniqueKey": unique_key,
            "ObjectType": object_type,
            "DataExpiry": data_expiry,
            "Options": options,
        }
        url = self._domain_url(domain_name, "upload-jobs")
        return str(self._repeat("CreateUploadJob", url, given, idempotency_token)["JobId"])

    def start_upload_job(self, domain_name: str, job_id: str, idempotency_token: str | None = None) -> None:
        """Start an upload job that has its file, also when the request has to be sent again.

        Args:
            idempotency_token: as in ``create_upload_job``: a job that was started with this token need not be started.
        """
        self._repeat("StartUploadJob", self._url(domain_name, job_id, "start"), {}, idempotency_token)

    def get_progress(self, domain_name: str, job_id: str) -> dict[str, Any]:
        """How far an upload job has come: ``Status``, ``Phase``, ``RecordCount`` and the counts."""
        return self._ask("GetProgress", "GET", self._url(domain_name, job_id, "progress"))

    def start_preview(self, domain_name: str, job_id: str) -> str:
        """Have the workers find out what an upload job would do that has its file and was not started.

        Returns:
            the preview's id. ``get_progress``, ``list_failed_rows`` and the like take it in place of a job's.
        """
        answer = self._ask("PreviewUploadJob", "POST", self._url(domain_name, job_id, "preview"))
        return str(answer["PreviewId"])

    def get_preview(self, domain_name: str, preview_id: str) -> dict[str, Any]:
        """What a preview has found: the members of ``get_progress``, and ``Samples``, once it has ended."""
        return self._ask("GetPreview", "GET", self._url(domain_name, preview_id, "preview"))

    def stop_preview(self, domain_name: str, preview_id: str) -> None:
        """End a preview early."""
        self._ask("StopPreview", "DELETE", self._url(domain_name, preview_id, "preview"))

    def start_undo(self, domain_name: str, job_id: str) -> dict[str, Any]:
        """Have the workers take an upload job back that has ended: see ``get_undo`` for the answer.

        Once: asked for again, it tells what has become of it, and one that failed goes on.
        """
        return self._ask("UndoUploadJob", "POST", self._url(domain_name, job_id, "undo"))

    def get_undo(self, domain_name: str, job_id: str) -> dict[str, Any]:
        """What has become of taking an upload job back.

        ``Status`` as of an upload job; ``RemovedProfiles`` that it had made, ``RestoredProfiles`` that it had changed,
        ``KeptProfiles`` that something else has changed since and ``GoneProfiles`` that were deleted since.
        """
        return self._ask("GetUndo", "GET", self._url(domain_name, job_id, "undo"))

    def list_kept_profiles(self, domain_name: str, job_id: str) -> Iterator[dict[str, Any]]:
        """The profiles that stayed when an upload job was taken back, fetched a page at a time.

        Each has ``ProfileId`` and ``Loaded``: whether the job had ``CREATED`` or ``UPDATED`` it.
        """
        return self._pages("ListKeptProfiles", self._url(domain_name, job_id, "kept-profiles"))

    def get_options(self, domain_name: str, job_id: str) -> dict[str, Any]:
        """What an upload job was told beyond its mapping."""
        return self._ask("GetUploadJobOptions", "GET", self._url(domain_name, job_id, "options"))

    def set_options(self, domain_name: str, job_id: str, options: Mapping[str, Any]) -> None:
        """Tell an upload job, before it is started, what its file is to be read as and what it may do.

        Args:
            options: such as ``{"File": {"Encoding": "windows-1252", "Delimiter": ";"}}``; they replace all that were
                set before.
        """
        body = json.dumps(options).encode()
        self._ask("SetUploadJobOptions", "PUT", self._url(domain_name, job_id, "options"), body)

    def list_failed_rows(self, domain_name: str, job_id: str) -> Iterator[dict[str, Any]]:
        """The rows of an upload job that were not loaded, in file order, fetched a page at a time.

        Each has ``Record``, ``Line``, ``Faults`` (``Code``, ``Message``, perhaps ``Column``) and, where they were kept,
        ``Cells`` and ``Surplus``.
        """
        return self._pages("ListFailedRows", self._url(domain_name, job_id, "failed-rows"))

    def list_repeated_rows(self, domain_name: str, job_id: str) -> Iterator[dict[str, Any]]:
        """The rows of an upload job whose unique key an earlier row has too, in file order, fetched a page at a time.

        Each has ``Record``, ``Line``, ``FirstRecord`` and ``FirstLine``. A job keeps the first 100,000;
        ``RepeatedRecords`` in ``get_progress`` counts all.
        """
        return self._pages("ListRepeatedRows", self._url(domain_name, job_id, "repeated-rows"))

    def read_failed_rows_file(self, domain_name: str, job_id: str, *, for_spreadsheet: bool = False) -> Iterator[bytes]:
        """The failed rows as a CSV file that can be mended and uploaded again, part by part.

        Args:
            for_spreadsheet: with a byte order mark, the delimiter of the uploaded file, and apostrophes before texts
                that a spreadsheet would calculate; loading the file removes them. A server with ``--compat strict``
                sends the plain form.
        """
        query = {"form": "spreadsheet"} if for_spreadsheet else {}
        with self._get("GetFailedRowsFile", domain_name, job_id, "failed-rows.csv", query, stream=True) as answer:
            yield from answer.iter_content(_PART_BYTES)

    def suggest_mapping(self, domain_name: str, beginning: bytes) -> dict[str, Any]:
        """Where each column of a file may go, and which one is a good unique key.

        Args:
            beginning: the first bytes of the file as it is, at most 1 MiB; a few hundred rows are enough.

        Returns:
            ``File`` (what it is read as), ``Columns`` (each with ``Header``, ``Target``, ``Confidence`` and
            ``Reason``); ``Fields`` and, if one was found, ``UniqueKey`` as CreateUploadJob takes them.
        """
        url = self._domain_url(domain_name, "mapping-suggestions")
        return self._ask("SuggestMapping", "POST", url, beginning)

    def put_mapping(
        self,
        domain_name: str,
        mapping_name: str,
        *,
        fields: Mapping[str, Mapping[str, str]],
        unique_key: str,
        columns: Sequence[str],
        reading: Mapping[str, Any] | None = None,
    ) -> None:
        """Save a mapping under a name, in place of the one that has it.

        Args:
            fields, unique_key: as in CreateUploadJob.
            columns: the header of the file that it is made for: the names of all columns.
            reading: what was chosen about reading the file, such as ``Encoding`` and ``Sheet``. ``load_file`` and
                ``openprofiles import`` use it.
        """
        document: dict[str, Any] = {"Fields": fields, "UniqueKey": unique_key, "Columns": list(columns)}
        if reading:
            document["Reading"] = dict(reading)
        body = json.dumps(document).encode()
        self._ask("PutMapping", "PUT", self._domain_url(domain_name, "mappings", mapping_name), body)

    def get_mapping(self, domain_name: str, mapping_name: str) -> dict[str, Any]:
        """A saved mapping: ``Fields``, ``UniqueKey`` and ``Columns``, the header of the file that it was made for."""
        url = self._domain_url(domain_name, "mappings", mapping_name)
        return self._ask("GetMapping", "GET", url)

    def list_mappings(self, domain_name: str) -> Iterator[dict[str, Any]]:
        """The saved mappings of a domain by name, each with ``MappingName``, ``CreatedAt`` and ``UpdatedAt``."""
        return self._pages("ListMappings", self._domain_url(domain_name, "mappings"))

    def delete_mapping(self, domain_name: str, mapping_name: str) -> None:
        """Save a mapping no longer; upload jobs that were made from it stay as they are."""
        self._ask("DeleteMapping", "DELETE", self._domain_url(domain_name, "mappings", mapping_name))

    def explain_object(self, domain_name: str, object_type_name: str, content: str) -> dict[str, Any]:
        """Explain what an object would do if it were ingested now, and why; nothing is written.

        Args:
            content: the JSON text of the object, as in PutProfileObject.
        """
        body = json.dumps({"ObjectTypeName": object_type_name, "Object": content}).encode()
        return self._ask("ExplainObject", "POST", self._domain_url(domain_name, "objects", "explain"), body)

    def get_lineage(self, domain_name: str, profile_id: str) -> dict[str, Any]:
        """Read where the value of each field of a profile comes from."""
        return self._ask("GetLineage", "GET", self._domain_url(domain_name, "profiles", profile_id, "lineage"))

    def list_dead_letters(self, domain_name: str) -> Iterator[dict[str, Any]]:
        """Yield the objects that found no profile, oldest first, without their content."""
        return self._pages("ListDeadLetters", self._domain_url(domain_name, "dead-letters"))

    def get_dead_letter(self, domain_name: str, dead_letter_id: str) -> dict[str, Any]:
        """Read an object that found no profile."""
        return self._ask("GetDeadLetter", "GET", self._domain_url(domain_name, "dead-letters", dead_letter_id))

    def retry_dead_letter(self, domain_name: str, dead_letter_id: str, content: str | None = None) -> dict[str, Any]:
        """Ingest an object again that found no profile: ``Ingested``, with ``Code`` and ``Message`` if it is not.

        Args:
            content: the JSON text of the object as it was fixed; None: as it is.
        """
        url = self._domain_url(domain_name, "dead-letters", dead_letter_id, "retry")
        body = b"" if content is None else json.dumps({"Object": content}).encode()
        return self._ask("RetryDeadLetter", "POST", url, body)

    def scrub_profile_object(self, domain_name: str, profile_id: str, object_type_name: str, unique_key: str) -> None:
        """Delete an object with the fields that it has given its profile; DeleteProfileObject leaves them.

        Args:
            unique_key: the ProfileObjectUniqueKey.
        """
        given = {"ProfileId": profile_id, "ObjectTypeName": object_type_name, "ProfileObjectUniqueKey": unique_key}
        url = self._domain_url(domain_name, "objects", "scrub")
        self._ask("ScrubProfileObject", "POST", url, json.dumps(given).encode())

    def delete_dead_letter(self, domain_name: str, dead_letter_id: str) -> None:
        """Delete an object that found no profile."""
        self._ask("DeleteDeadLetter", "DELETE", self._domain_url(domain_name, "dead-letters", dead_letter_id))

    def put_webhook(self, domain_name: str, *, url: str | None = None, secret: str | None = None) -> str | None:
        """Have a URL told when upload jobs of the domain end, in place of the one that is told now.

        Args:
            url: None tells of those jobs alone that have a URL of their own (``Webhook`` of ``set_options``).
            secret: what is told is signed with it, 16 to 256 characters; None has one made.

        Returns:
            The secret that was made, which is never told again; None if it was given.
        """
        given = {name: value for name, value in (("Url", url), ("Secret", secret)) if value is not None}
        answer = self._ask("PutWebhook", "PUT", self._domain_url(domain_name, "webhook"), json.dumps(given).encode())
        return answer.get("Secret")

    def get_webhook(self, domain_name: str) -> dict[str, Any]:
        """The domain's webhook: ``Url``, if it has one, and ``CreatedAt``."""
        return self._ask("GetWebhook", "GET", self._domain_url(domain_name, "webhook"))

    def delete_webhook(self, domain_name: str) -> None:
        """Have nobody told any more, of no job of the domain."""
        self._ask("DeleteWebhook", "DELETE", self._domain_url(domain_name, "webhook"))

    def _pages(self, name: str, url: str) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            page = self._ask(name, "GET", url + ("?" + urlencode({"next-token": token}) if token else ""))
            yield from page["Items"]
            token = page.get("NextToken")
            if token is None:
                return

    def _get(
        self, name: str, domain_name: str, job_id: str, what: str, query: Mapping[str, str], *, stream: bool = False
    ) -> requests.Response:
        url = self._url(domain_name, job_id, what)
        return self._call(name, "GET", f"{url}?{urlencode(query)}" if query else url, stream=stream)

    def _url(self, domain_name: str, job_id: str, what: str) -> str:
        return self._domain_url(domain_name, "upload-jobs", job_id, what)

    def _domain_url(self, domain_name: str, *parts: str) -> str:
        path = "/".join(quote(part, safe="") for part in (domain_name, *parts))
        return f"{self._endpoint_url}/openprofiles/v1/domains/{path}"

    def _repeat(self, name: str, url: str, members: Mapping[str, Any], idempotency_token: str | None) -> dict[str, Any]:
        """POST the members with a token by which the server knows the request when it comes again."""
        token = uuid.uuid4().hex if idempotency_token is None else idempotency_token
        given = {**members, "IdempotencyToken": token}
        body = json.dumps({member: value for member, value in given.items() if value is not None}).encode()
        return self._ask(name, "POST", url, body, http=self._repeating_http)

    def _ask(self, name: str, method: str, url: str, body: bytes = b"", **more: Any) -> dict[str, Any]:
        """Send a request and read the document of its answer; empty if it has none."""
        answer = self._call(name, method, url, body, **more)
        return dict(answer.json()) if answer.content else {}

    def _call(
        self,
        name: str,
        method: str,
        url: str,
        body: bytes = b"",
        *,
        http: requests.Session | None = None,
        stream: bool = False,
    ) -> requests.Response:
        credentials = self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        request = AWSRequest(method, url, data=body)
        SigV4Auth(credentials.get_frozen_credentials(), _SIGNING_NAME, self._region).add_auth(request)
        headers = dict(request.headers.items())
        http = http or self._http
        answer = http.request(method, url, data=body, headers=headers, timeout=_TIMEOUT_SECONDS, stream=stream)
        if answer.ok:
            return answer
        try:
            message = answer.json()["Message"]
        except (requests.JSONDecodeError, KeyError, TypeError):
            message = f"it answered {answer.status_code}"
        code = answer.headers.get("x-amzn-errortype", str(answer.status_code))
        answer.close()
        raise ClientError({"Error": {"Code": code, "Message": message}}, name)


def _http_session(*repeated_methods: str) -> requests.Session:
    """A session that sends requests of these methods again when that may help.

    A job goes on while the server restarts or the network fails for a moment; so does watching it.
    """
    http = requests.Session()
    # Requests are signed already; credentials from a .netrc file must not replace the signature.
    http.auth = lambda request: request
    retries = Retry(
        total=6,
        backoff_factor=0.5,
        status_forcelist=(429, 502, 503, 504),
        allowed_methods=repeated_methods,
        raise_on_status=False,
    )
    for scheme in ("http://", "https://"):
        http.mount(scheme, HTTPAdapter(max_retries=retries))
    return http
