"""``openprofiles jobs --endpoint-url``: through a server, with boto3 and the paths of ``openprofiles.client``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any, cast

import boto3

from openprofiles.cli.job_place import (
    FaultyRow,
    JobAccount,
    JobName,
    KeptProfile,
    ListedJob,
    ToldFault,
    UndoState,
    mapping_members,
)
from openprofiles.cli.job_state import JobState, state_of_progress
from openprofiles.cli.server_faults import known_domain, server_errors_in_words
from openprofiles.client import Client
from openprofiles.clock import from_milliseconds
from openprofiles.server.job_options_document import read_file_form

_DEFAULT_REGION = "us-east-1"
_JOBS_PER_PAGE = 100


class RemoteJobs:
    """The upload jobs of a domain of a server; see ``JobPlace``. Credentials come from where boto3 looks for them."""

    def __init__(self, endpoint_url: str, domain_name: str) -> None:
        self._endpoint_url = endpoint_url.rstrip("/")
        self._domain_name = domain_name
        session = boto3.Session()
        with server_errors_in_words(self._endpoint_url):
            self._client = session.client(
                "customer-profiles",
                endpoint_url=self._endpoint_url,
                region_name=session.region_name or _DEFAULT_REGION,
            )
            self._own = Client(session, self._endpoint_url)

    def list_jobs(self, status: str | None, limit: int) -> list[ListedJob]:
        with self._asking():
            pages = self._client.get_paginator("list_upload_jobs").paginate(
                DomainName=self._domain_name, PaginationConfig={"PageSize": min(limit, _JOBS_PER_PAGE)}
            )
            wanted = (item for page in pages for item in page["Items"] if status in (None, item["Status"]))
            return [
                ListedJob(**_listed(item["DisplayName"], self._own.get_progress(self._domain_name, item["JobId"])))
                for item in islice(wanted, limit)
            ]

    def iterate_job_names(self) -> Iterator[JobName]:
        with self._asking():
            for page in self._client.get_paginator("list_upload_jobs").paginate(DomainName=self._domain_name):
                for item in page["Items"]:
                    yield JobName(item["JobId"], item["DisplayName"])

    def read_report(self, job_id: str) -> JobAccount:
        with self._asking():
            job = self._client.get_upload_job(DomainName=self._domain_name, JobId=job_id)
            progress = self._own.get_progress(self._domain_name, job_id)
        fields = cast("Mapping[str, Mapping[str, str]]", job["Fields"])
        not_mapped = progress.get("ColumnsNotMapped")
        return JobAccount(
            **_listed(job["DisplayName"], progress),
            status_reason=progress.get("StatusReason"),
            stop_requested=progress["StopRequested"],
            data_expiry_days=job["DataExpiry"],
            **mapping_members(fields, job["UniqueKey"]),
            columns_not_mapped=None if not_mapped is None else tuple(not_mapped),
            file_form=read_file_form(progress["File"]) if "File" in progress else None,
            rows_per_second=progress.get("RecordsPerSecond"),
            undo_until=_moment(progress.get("UndoUntil")),
            undo_status=progress.get("UndoStatus"),
        )

    def read_state(self, job_id: str) -> JobState:
        with self._asking():
            return state_of_progress(self._own.get_progress(self._domain_name, job_id))

    def list_failed_rows(self, job_id: str, limit: int) -> list[FaultyRow]:
        with self._asking():
            return [
                FaultyRow(
                    row["Record"],
                    row["Line"],
                    tuple(ToldFault(fault["Code"], fault.get("Column"), fault["Message"]) for fault in row["Faults"]),
                )
                for row in islice(self._own.list_failed_rows(self._domain_name, job_id), limit)
            ]

    def read_failed_rows_file(self, job_id: str, *, for_spreadsheet: bool) -> Iterator[bytes]:
        with self._asking():
            yield from self._own.read_failed_rows_file(self._domain_name, job_id, for_spreadsheet=for_spreadsheet)

    def stop_job(self, job_id: str) -> None:
        with self._asking():
            self._client.stop_upload_job(DomainName=self._domain_name, JobId=job_id)

    def start_undo(self, job_id: str) -> UndoState:
        with self._asking():
            return _state_of_undo(self._own.start_undo(self._domain_name, job_id))

    def read_undo(self, job_id: str) -> UndoState:
        with self._asking():
            return _state_of_undo(self._own.get_undo(self._domain_name, job_id))

    def list_kept_profiles(self, job_id: str, limit: int) -> list[KeptProfile]:
        with self._asking():
            return [
                KeptProfile(item["ProfileId"], item["Loaded"] == "CREATED")
                for item in islice(self._own.list_kept_profiles(self._domain_name, job_id), limit)
            ]

    def close(self) -> None:
        self._client.close()
        self._own.close()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        with server_errors_in_words(self._endpoint_url), known_domain(self._client, self._domain_name):
            yield


def _state_of_undo(answer: Mapping[str, Any]) -> UndoState:
    return UndoState(
        status=answer["Status"],
        message=answer.get("Message"),
        removed_count=answer["RemovedProfiles"],
        restored_count=answer["RestoredProfiles"],
        kept_count=answer["KeptProfiles"],
        gone_count=answer["GoneProfiles"],
        profile_count=answer.get("ProfileCount"),
    )


def _listed(display_name: str, progress: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a ``ListedJob``."""
    return {
        "job_id": progress["JobId"],
        "display_name": display_name,
        "state": state_of_progress(progress),
        "created_at": _moment(progress["CreatedAt"]),
        "started_at": _moment(progress.get("StartedAt")),
        "completed_at": _moment(progress.get("CompletedAt")),
    }


def _moment(epoch_seconds: float | None) -> datetime | None:
    return None if epoch_seconds is None else from_milliseconds(round(epoch_seconds * 1000))
