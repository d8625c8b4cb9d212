"""Load files from Python, and use what AWS has no operation for, on top of a boto3 session.

    result = Client().load_file("leads.csv", domain="demo", unique_key="Email")
    print(result.created, "created,", result.failed, "failed")
    for row in result.failed_rows:
        print(row["Line"], [fault["Code"] for fault in row["Faults"]])

It needs ``openprofiles[client]``. Credentials and region are those of the session. ``docs/python.md`` is the guide; the
paths of the server are described in ``docs/openapi.yaml``, and its operations in ``wire/own_model.json``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
from botocore import xform_name

from openprofiles.file_load import FailureReason, FileLoad, JobFailed, LoadError, LoadProgress, LoadResult
from openprofiles.own_operations import create_operations_client

__all__ = [
    "Client",
    "FailureReason",
    "JobFailed",
    "LoadError",
    "LoadProgress",
    "LoadResult",
    "create_operations_client",
]

_PART_BYTES = 256 * 1024


class Client:
    """One server. May be used from several threads.

    Every method except ``load_file`` raises ``botocore.exceptions.ClientError`` with the server's code and message
    where it refuses, and another exception of botocore where it cannot be reached (``EndpointConnectionError``) or an
    argument is not as the model says (``ParamValidationError``).

    Args:
        session: with the credentials; by default as boto3 finds them.
        endpoint_url: the server's address; by default as the AWS SDKs find it (``AWS_ENDPOINT_URL_CUSTOMER_PROFILES``).

    Attributes:
        operations: the botocore client of all operations, also those that have no method here:
            ``operations.get_progress(DomainName=..., JobId=...)``, ``operations.get_paginator("list_failed_rows")``.
    """

    def __init__(self, session: boto3.Session | None = None, endpoint_url: str | None = None) -> None:
        self._session = session or boto3.Session()
        self.operations = create_operations_client(self._session, endpoint_url)

    def close(self) -> None:
        """Close the connections."""
        self.operations.close()

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
            unique_key: the column that identifies customers. Required without ``mapping``.
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
        ).run(self, self._session, self.operations.meta.endpoint_url)

    def create_upload_job(
        self,
        domain_name: str,
        *,
        display_name: str,
        fields: Mapping[str, Mapping[str, str]] | None = None,
        targets: Mapping[str, str] | None = None,
        unique_key: str | None = None,
        object_type: str | None = None,
        data_expiry: int | None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_token: str | None = None,
    ) -> str:
        """Make an upload job, and only one, even if a broken connection repeats the request.

        Args:
            display_name, fields, unique_key: as in CreateUploadJob.
            targets: instead of fields, where each column goes by its header, as ``{"Tier": "Attributes.tier"}``; then
                ``unique_key`` is a header, too.
            object_type: the name of the type of the objects that the rows are; without fields and unique key.
            data_expiry: days; by default as CreateUploadJob.
            options: as in ``set_options``.
            idempotency_token: 1 to 64 letters, digits, ``_``, ``-`` and dots; by default a new one for each call. The
                same request with the same token gives the same job, another one is refused. So a program that gives
                its own may die and call again.

        Returns:
            Its job id.
        """
        made = self._ask(
            "CreateUploadJob",
            DomainName=domain_name,
            DisplayName=display_name,
            Fields=fields,
            Targets=targets,
            UniqueKey=unique_key,
            ObjectType=object_type,
            DataExpiry=data_expiry,
            Options=options,
            IdempotencyToken=idempotency_token,
        )
        return str(made["JobId"])

    def start_upload_job(self, domain_name: str, job_id: str, idempotency_token: str | None = None) -> None:
        """Start an upload job that has its file, once, however often the request is sent.

        Args:
            idempotency_token: as in ``create_upload_job``: a job that was started with this token need not be started.
        """
        self._ask("StartUploadJob", DomainName=domain_name, JobId=job_id, IdempotencyToken=idempotency_token)

    def get_progress(self, domain_name: str, job_id: str) -> dict[str, Any]:
        """Return how far an upload job is: ``Status``, ``Phase``, ``RecordCount`` and the counts."""
        return self._ask("GetProgress", DomainName=domain_name, JobId=job_id)

    def start_preview(self, domain_name: str, job_id: str) -> str:
        """Start a preview of an upload job that has its file and was not started.

        Returns:
            The preview's id. ``get_progress``, ``list_failed_rows`` and the like accept it instead of a job's.
        """
        return str(self._ask("PreviewUploadJob", DomainName=domain_name, JobId=job_id)["PreviewId"])

    def get_preview(self, domain_name: str, preview_id: str) -> dict[str, Any]:
        """Return what a preview has found, once it has ended: as ``get_progress``, with ``Samples``."""
        return self._ask("GetPreview", DomainName=domain_name, JobId=preview_id)

    def stop_preview(self, domain_name: str, preview_id: str) -> None:
        """End a preview early."""
        self._ask("StopPreview", DomainName=domain_name, JobId=preview_id)

    def start_undo(self, domain_name: str, job_id: str) -> dict[str, Any]:
        """Request the undo of an upload job that has ended, and return what ``get_undo`` returns.

        A second request changes nothing, unless the undo has failed: then it continues.
        """
        return self._ask("UndoUploadJob", DomainName=domain_name, JobId=job_id)

    def get_undo(self, domain_name: str, job_id: str) -> dict[str, Any]:
        """Return the state of the undo of an upload job.

        ``Status`` as of an upload job; ``RemovedProfiles`` that it had made, ``RestoredProfiles`` that it had changed,
        ``KeptProfiles`` that something else has changed since and ``GoneProfiles`` that were deleted since.
        """
        return self._ask("GetUndo", DomainName=domain_name, JobId=job_id)

    def list_kept_profiles(self, domain_name: str, job_id: str) -> Iterator[dict[str, Any]]:
        """Yield the profiles that stayed when an upload job was undone.

        Each has ``ProfileId`` and ``Loaded``: whether the job had ``CREATED`` or ``UPDATED`` it.
        """
        return self._items("ListKeptProfiles", DomainName=domain_name, JobId=job_id)

    def get_options(self, domain_name: str, job_id: str) -> dict[str, Any]:
        """Return the options of an upload job."""
        return self._ask("GetUploadJobOptions", DomainName=domain_name, JobId=job_id)

    def set_options(self, domain_name: str, job_id: str, options: Mapping[str, Any]) -> None:
        """Set how an upload job reads its file, before it is started.

        Args:
            options: such as ``{"File": {"Encoding": "windows-1252", "Delimiter": ";"}}``; they replace all that were
                set before.
        """
        self._ask("SetUploadJobOptions", **{**options, "DomainName": domain_name, "JobId": job_id})

    def list_failed_rows(self, domain_name: str, job_id: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of an upload job that were not loaded, in file order.

        Each has ``Record``, ``Line``, ``Faults`` (``Code``, ``Message``, perhaps ``Column``) and, where they were kept,
        ``Cells`` and ``Surplus``.
        """
        return self._items("ListFailedRows", DomainName=domain_name, JobId=job_id)

    def list_repeated_rows(self, domain_name: str, job_id: str) -> Iterator[dict[str, Any]]:
        """Yield the rows whose unique key an earlier row has too, in file order.

        Each has ``Record``, ``Line``, ``FirstRecord`` and ``FirstLine``. A job keeps the first 100,000;
        ``RepeatedRecords`` in ``get_progress`` counts all.
        """
        return self._items("ListRepeatedRows", DomainName=domain_name, JobId=job_id)

    def read_failed_rows_file(self, domain_name: str, job_id: str, *, for_spreadsheet: bool = False) -> Iterator[bytes]:
        """Read the failed rows as a CSV file to fix and import again.

        Args:
            for_spreadsheet: with a byte order mark, the delimiter of the uploaded file, and apostrophes before texts
                that a spreadsheet would calculate; loading the file removes them. A server with ``--compat strict``
                sends the plain form.
        """
        form = "spreadsheet" if for_spreadsheet else None
        with closing(self._ask("GetFailedRowsFile", DomainName=domain_name, JobId=job_id, Form=form)["Body"]) as file:
            yield from file.iter_chunks(_PART_BYTES)

    def suggest_mapping(self, domain_name: str, beginning: bytes) -> dict[str, Any]:
        """Suggest where each column of a file goes, and a unique key.

        Args:
            beginning: the first bytes of the file as it is, at most 1 MiB; a few hundred rows are enough.

        Returns:
            ``File`` (what it is read as), ``Columns`` (each with ``Header``, ``Target``, ``Confidence`` and
            ``Reason``); ``Fields`` and, if one was found, ``UniqueKey`` as CreateUploadJob takes them.
        """
        return self._ask("SuggestMapping", DomainName=domain_name, Body=beginning)

    def put_mapping(
        self,
        domain_name: str,
        mapping_name: str,
        *,
        fields: Mapping[str, Mapping[str, str]] | None = None,
        targets: Mapping[str, str] | None = None,
        unique_key: str,
        columns: Sequence[str],
        reading: Mapping[str, Any] | None = None,
    ) -> None:
        """Save a mapping under a name; it replaces one of the same name.

        Args:
            fields, targets, unique_key: as in ``create_upload_job``.
            columns: the header of the file that it is made for: the names of all columns.
            reading: what was chosen about reading the file, such as ``Encoding`` and ``Sheet``. ``load_file`` and
                ``openprofiles import`` use it.
        """
        self._ask(
            "PutMapping",
            DomainName=domain_name,
            MappingName=mapping_name,
            Fields=fields,
            Targets=targets,
            UniqueKey=unique_key,
            Columns=list(columns),
            Reading=reading or None,
        )

    def get_mapping(self, domain_name: str, mapping_name: str) -> dict[str, Any]:
        """Return a saved mapping: ``Fields``, ``UniqueKey`` and ``Columns``, the header of its file."""
        return self._ask("GetMapping", DomainName=domain_name, MappingName=mapping_name)

    def list_mappings(self, domain_name: str) -> Iterator[dict[str, Any]]:
        """Yield the saved mappings by name, each with ``MappingName``, ``CreatedAt`` and ``UpdatedAt``."""
        return self._items("ListMappings", DomainName=domain_name)

    def delete_mapping(self, domain_name: str, mapping_name: str) -> None:
        """Delete a saved mapping; upload jobs that were made from it stay as they are."""
        self._ask("DeleteMapping", DomainName=domain_name, MappingName=mapping_name)

    def explain_object(self, domain_name: str, object_type_name: str, content: str) -> dict[str, Any]:
        """Explain what an object would do if it were ingested now, and why; nothing is written.

        Args:
            content: the JSON text of the object, as in PutProfileObject.
        """
        return self._ask("ExplainObject", DomainName=domain_name, ObjectTypeName=object_type_name, Object=content)

    def get_lineage(self, domain_name: str, profile_id: str) -> dict[str, Any]:
        """Read where the value of each field of a profile comes from."""
        return self._ask("GetLineage", DomainName=domain_name, ProfileId=profile_id)

    def list_dead_letters(self, domain_name: str) -> Iterator[dict[str, Any]]:
        """Yield the objects that found no profile, oldest first, without their content."""
        return self._items("ListDeadLetters", DomainName=domain_name)

    def get_dead_letter(self, domain_name: str, dead_letter_id: str) -> dict[str, Any]:
        """Read an object that found no profile."""
        return self._ask("GetDeadLetter", DomainName=domain_name, DeadLetterId=dead_letter_id)

    def retry_dead_letter(self, domain_name: str, dead_letter_id: str, content: str | None = None) -> dict[str, Any]:
        """Ingest an object again that found no profile: ``Ingested``, with ``Code`` and ``Message`` if it is not.

        Args:
            content: the JSON text of the object as it was fixed; None: as it is.
        """
        return self._ask("RetryDeadLetter", DomainName=domain_name, DeadLetterId=dead_letter_id, Object=content)

    def scrub_profile_object(self, domain_name: str, profile_id: str, object_type_name: str, unique_key: str) -> None:
        """Delete an object with the fields that it has given its profile; DeleteProfileObject leaves them.

        Args:
            unique_key: the ProfileObjectUniqueKey.
        """
        self._ask(
            "ScrubProfileObject",
            DomainName=domain_name,
            ProfileId=profile_id,
            ObjectTypeName=object_type_name,
            ProfileObjectUniqueKey=unique_key,
        )

    def delete_dead_letter(self, domain_name: str, dead_letter_id: str) -> None:
        """Delete an object that found no profile."""
        self._ask("DeleteDeadLetter", DomainName=domain_name, DeadLetterId=dead_letter_id)

    def put_webhook(self, domain_name: str, *, url: str | None = None, secret: str | None = None) -> str | None:
        """Save the webhook that is called when an upload job of the domain ends; it replaces the old one.

        Args:
            url: None: it is called only for jobs that have a URL of their own (``Webhook`` of ``set_options``).
            secret: signs what is sent, 16 to 256 characters; None has one made.

        Returns:
            The secret that was made, which no other call returns; None if it was given.
        """
        return self._ask("PutWebhook", DomainName=domain_name, Url=url, Secret=secret).get("Secret")

    def get_webhook(self, domain_name: str) -> dict[str, Any]:
        """Return the domain's webhook: ``Url``, if it has one, and ``CreatedAt``."""
        return self._ask("GetWebhook", DomainName=domain_name)

    def delete_webhook(self, domain_name: str) -> None:
        """Delete the domain's webhook, for all of its jobs."""
        self._ask("DeleteWebhook", DomainName=domain_name)

    def _ask(self, operation: str, **members: Any) -> dict[str, Any]:
        """Call an operation; a member that is None is not sent."""
        given = {name: value for name, value in members.items() if value is not None}
        answer: dict[str, Any] = getattr(self.operations, xform_name(operation))(**given)
        del answer["ResponseMetadata"]
        return answer

    def _items(self, operation: str, **members: Any) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages of an operation that lists some."""
        pages: Iterator[dict[str, Any]] = self.operations.get_paginator(xform_name(operation)).paginate(**members)
        for page in pages:
            yield from page["Items"]
