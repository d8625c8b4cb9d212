"""What AWS has no operation for: why rows of an upload job failed, and how far a job has come.

The same signatures, errors and permissions as the API: who may call GetUploadJob may call these.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from openprofiles.clock import to_milliseconds
from openprofiles.credentials.authorise import authorise_action
from openprofiles.profiles.domains import get_domain
from openprofiles.profiles.records import Domain
from openprofiles.server.services import Services
from openprofiles.store.upload_jobs import RepeatedRow
from openprofiles.uploads import jobs
from openprofiles.uploads.account import Account, list_repeated_rows, read_account
from openprofiles.uploads.failed_rows_csv import failed_rows_csv, split_row
from openprofiles.uploads.faults import sentence_for
from openprofiles.wire.check import describe_violations, violations
from openprofiles.wire.errors import bad_request
from openprofiles.wire.model import StructureShape, load_model
from openprofiles.wire.signature import SignedRequest

_JOB_PATH = "/openprofiles/v1/domains/{domain_name}/upload-jobs/{job_id}"
_MAX_RESULTS = jobs.DEFAULT_FAILED_ROWS_PER_PAGE
_WHOLE_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)


def routes(services: Services) -> list[Route]:
    """``GET .../failed-rows``, ``failed-rows.csv``, ``repeated-rows`` and ``progress`` of one upload job."""

    # Domain and job are named as there, and held to the same forms.
    like_get_upload_job = load_model().operations["GetUploadJob"].input

    def failed_rows(request: Request) -> Response:
        domain, job_id = _enter(services, like_get_upload_job, request)
        page = jobs.list_failed_rows(
            services.store,
            services.master_key,
            domain,
            job_id,
            max_results=_read_max_results(request),
            next_token=_read_once(request, "next-token"),
        )
        headers = jobs.read_file_header_of_job(services.store, domain, job_id)
        items = [_failed_row_item(row, len(headers)) for row in page.items]
        return _answer({"Columns": headers, "Items": items, "NextToken": page.next_token})

    def failed_rows_file(request: Request) -> Response:
        domain, job_id = _enter(services, like_get_upload_job, request)
        headers = jobs.read_file_header_of_job(services.store, domain, job_id)
        rows = jobs.iterate_failed_rows(services.store, services.master_key, domain, job_id)
        return StreamingResponse(
            failed_rows_csv(headers, rows),
            media_type="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{job_id}.failed-rows.csv"'},
        )

    def progress(request: Request) -> Response:
        domain, job_id = _enter(services, like_get_upload_job, request)
        return _answer(_progress_answer(read_account(services.store, domain, job_id)))

    def repeated_rows(request: Request) -> Response:
        domain, job_id = _enter(services, like_get_upload_job, request)
        page = list_repeated_rows(
            services.store,
            domain,
            job_id,
            max_results=_read_max_results(request),
            next_token=_read_once(request, "next-token"),
        )
        return _answer({"Items": [_repeated_row_item(row) for row in page.items], "NextToken": page.next_token})

    return [
        Route(f"{_JOB_PATH}/failed-rows", failed_rows),
        Route(f"{_JOB_PATH}/failed-rows.csv", failed_rows_file),
        Route(f"{_JOB_PATH}/progress", progress),
        Route(f"{_JOB_PATH}/repeated-rows", repeated_rows),
    ]


def _enter(services: Services, path_shape: StructureShape, request: Request) -> tuple[Domain, str]:
    """The domain and the job id of a request, from a caller who may see them.

    Raises:
        WireError: as the API, for who calls and for what the path names.
        NotFound: no such domain.
    """
    scope = request.scope
    # Nothing here takes a body. One that is sent is never read, and the signature must be for none.
    signed = SignedRequest(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"], b"")
    principal = services.authenticator.authenticate(signed)
    request.state.access_key_id = principal.access_key_id
    domain_name, job_id = request.path_params["domain_name"], request.path_params["job_id"]
    authorise_action(principal, "profile:GetUploadJob", domain_name)
    if broken := violations(path_shape, {"DomainName": domain_name, "JobId": job_id}):
        raise bad_request(describe_violations(broken))
    return get_domain(services.store, domain_name), job_id


def _read_once(request: Request, name: str) -> str | None:
    given = request.query_params.getlist(name)
    if len(given) > 1:
        raise bad_request(f"{name} is given {len(given)} times in the query; give it once.")
    return given[0] if given else None


def _read_max_results(request: Request) -> int | None:
    text = _read_once(request, "max-results")
    if text is None:
        return None
    if not _WHOLE_NUMBER.fullmatch(text) or not 1 <= int(text) <= _MAX_RESULTS:
        raise bad_request(f"max-results must be an integer from 1 to {_MAX_RESULTS}.")
    return int(text)


def _failed_row_item(row: jobs.FailedRow, column_count: int) -> dict[str, Any]:
    cells, surplus = split_row(row.content, column_count)
    return _without_none(
        {
            "Record": row.record,
            "Line": row.line,
            "Faults": [
                _without_none({"Column": fault.column_name, "Code": fault.code, "Message": sentence_for(fault)})
                for fault in row.faults
            ],
            "Cells": [_readable(cell) for cell in cells] or None,
            "Surplus": _readable(surplus) or None,
        }
    )


def _readable(text: str) -> str:
    r"""The text with ``\xe9`` in place of each byte that is not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _repeated_row_item(row: RepeatedRow) -> dict[str, Any]:
    return {"Record": row.record, "Line": row.line, "FirstRecord": row.first_record, "FirstLine": row.first_line}


def _progress_answer(account: Account) -> dict[str, Any]:
    job = account.job
    return {
        "JobId": job.job_id,
        "Status": job.status.value,
        "StatusReason": job.status_reason,
        "Message": job.failure_message,
        "Phase": job.phase,
        "Position": None if job.phase is None else job.position,
        "RecordCount": job.record_count,
        "CreatedRecords": job.created_count,
        "UpdatedRecords": job.updated_count,
        "UnchangedRecords": job.unchanged_count,
        "FailedRecords": job.failed_count,
        "Faults": [
            _without_none({"Code": one.code, "Column": one.column_name, "Count": one.count})
            for one in account.fault_counts
        ]
        or None,
        "ProcessedRecords": account.processed_count,
        "UnprocessedRecords": account.unprocessed_count,
        "RepeatedRecords": account.repeated_count,
        "ColumnsNotMapped": account.columns_not_mapped,
        "Steps": [{"Step": step, "Seconds": seconds} for step, seconds in account.step_seconds.items()] or None,
        "RecordsPerSecond": None if account.records_per_second is None else round(account.records_per_second),
        "StopRequested": job.stop_requested_at is not None,
        "CreatedAt": _epoch_seconds(job.created_at),
        "StartedAt": _epoch_seconds(job.started_at),
        "CompletedAt": _epoch_seconds(job.completed_at),
    }


def _epoch_seconds(moment: datetime | None) -> float | None:
    return None if moment is None else to_milliseconds(moment) / 1000


def _answer(members: dict[str, Any]) -> Response:
    return JSONResponse(_without_none(members))


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
