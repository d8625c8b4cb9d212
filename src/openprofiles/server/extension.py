"""What AWS has no operation for: why rows of an upload job failed, how far it has come, what else it can be told, help
with mappings, creating and starting jobs in a way that can be repeated, and who is told when a job ends.

The same signatures, errors and permissions as the API: who may call GetUploadJob may read all of it; what changes
something has an action of its own.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from openprofiles.clock import to_milliseconds
from openprofiles.credentials.authorise import authorise_action
from openprofiles.credentials.principal import Principal
from openprofiles.errors import InvalidRequest
from openprofiles.profiles.domains import get_domain
from openprofiles.profiles.records import Domain
from openprofiles.server.job_options_document import file_form_document, options_document, read_options
from openprofiles.server.mapping_documents import (
    mapping_document,
    mapping_item,
    read_mapping_document,
    suggestion_document,
)
from openprofiles.server.preview_document import preview_document
from openprofiles.server.progress_document import progress_document
from openprofiles.server.services import Services
from openprofiles.server.undo_document import kept_profile_item, undo_document
from openprofiles.server.upload_job_documents import read_create_document, read_start_document
from openprofiles.server.webhook_documents import delivery_document, read_webhook_document, webhook_document
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import RepeatedRow
from openprofiles.uploads import jobs, previews, undos, webhooks
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv, split_row
from openprofiles.uploads.failures.faults import sentence_for
from openprofiles.uploads.job_report import JobReport, list_repeated_rows, read_report
from openprofiles.uploads.mappings import saved_mappings
from openprofiles.uploads.mappings.header_evidence import describe_doubt, doubt_header
from openprofiles.uploads.mappings.suggest import suggest_mapping
from openprofiles.uploads.progress import progress_of
from openprofiles.uploads.reading.dialect import Dialect
from openprofiles.uploads.reading.file_form import STRICT_OPTIONS
from openprofiles.wire.app import DEFAULT_BODY_LIMIT_BYTES
from openprofiles.wire.check import Violation, describe_violations, violations
from openprofiles.wire.errors import WireError, bad_request
from openprofiles.wire.model import StructureShape, load_model
from openprofiles.wire.signature import SignedRequest

# Who may look at upload jobs may read all that is here.
_READING = "profile:GetUploadJob"
_SETTING_OPTIONS = "openprofiles:SetUploadJobOptions"
_JOBS_PATH = "/openprofiles/v1/domains/{domain_name}/upload-jobs"
_JOB_PATH = f"{_JOBS_PATH}/{{job_id}}"
_MAPPINGS_PATH = "/openprofiles/v1/domains/{domain_name}/mappings"
_SUGGESTIONS_PATH = "/openprofiles/v1/domains/{domain_name}/mapping-suggestions"
_WEBHOOK_PATH = "/openprofiles/v1/domains/{domain_name}/webhook"
_MAX_RESULTS = jobs.DEFAULT_FAILED_ROWS_PER_PAGE
_BODY_LIMIT_BYTES = 64 * 1024
# 500 fields with long names, or the beginning of a file.
_LARGE_BODY_LIMIT_BYTES = 1 << 20
_WHOLE_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)


def routes(services: Services) -> list[Route]:
    """``GET .../failed-rows``, ``failed-rows.csv``, ``repeated-rows``, ``progress``, ``options`` of one upload job, and
    ``PUT .../options``; and those of ``_undo_routes``, ``_repeatable_routes``, ``_mapping_routes`` and
    ``_webhook_routes``.
    """

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
        headers, dialect = jobs.read_file_columns(services.store, domain, job_id)
        items = [_failed_row_item(row, headers, dialect) for row in page.items]
        return _answer({"Columns": headers, "Items": items, "NextToken": page.next_token})

    def failed_rows_file(request: Request) -> Response:
        domain, job_id = _enter(services, like_get_upload_job, request)
        form = _read_once(request, "form")
        if form not in (None, "spreadsheet"):
            raise bad_request("form must be spreadsheet, or left out for a plain CSV file.")
        headers, dialect = jobs.read_file_columns(services.store, domain, job_id)
        rows = jobs.iterate_failed_rows(services.store, services.master_key, domain, job_id)
        # A strict server refuses the byte order mark, and reads commas only.
        for_spreadsheet = form is not None and not services.settings.compat_strict
        return StreamingResponse(
            failed_rows_csv(headers, rows, dialect, for_spreadsheet=for_spreadsheet),
            media_type="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{job_id}.failed-rows.csv"'},
        )

    def progress(request: Request) -> Response:
        domain, job_id = _enter(services, like_get_upload_job, request)
        document = _progress_answer(read_report(services.store, domain, job_id), services.clock())
        return _answer(document | {"PhoneRegion": domain.phone_region})

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

    def read_job_options(request: Request) -> Response:
        domain, job_id = _enter(services, like_get_upload_job, request)
        document = options_document(jobs.get_options(services.store, domain, job_id))
        if not request.state.principal.may_do("openprofiles:SetUploadJobOptions"):
            # The address may hold a token.
            document.pop("Webhook")
        return _answer(document)

    def set_job_options(request: Request, body: bytes) -> Response:
        domain, job_id = _enter(services, like_get_upload_job, request, action=_SETTING_OPTIONS, body=body)
        options = read_options(body)
        jobs.set_options(
            services.store,
            domain,
            job_id,
            options,
            strict=services.settings.compat_strict,
            private_addresses=services.settings.webhook_private_addresses,
        )
        return _answer(options_document(options))

    def start_preview(request: Request) -> Response:
        domain, job_id = _enter(services, like_get_upload_job, request, action="openprofiles:PreviewUploadJob")
        preview = previews.start_preview(services.store, services.master_key, domain, job_id, now=services.clock())
        return _answer({"PreviewId": preview.job_id})

    def read_preview(request: Request) -> Response:
        domain, preview_id = _enter(services, like_get_upload_job, request)
        return _answer(
            preview_document(
                previews.read_preview(services.store, services.master_key, domain, preview_id),
                _progress_answer(read_report(services.store, domain, preview_id), services.clock()),
                # The rest is the caller's own file; this is what others have stored.
                with_stored=request.state.principal.may_do("profile:SearchProfiles"),
            )
        )

    def stop_preview(request: Request) -> Response:
        domain, preview_id = _enter(services, like_get_upload_job, request, action="openprofiles:PreviewUploadJob")
        jobs.stop_job(services.store, domain, preview_id, now=services.clock(), is_preview=True)
        return _answer({})

    return [
        Route(f"{_JOB_PATH}/preview", start_preview, methods=["POST"]),
        Route(f"{_JOB_PATH}/preview", read_preview),
        Route(f"{_JOB_PATH}/preview", stop_preview, methods=["DELETE"]),
        Route(f"{_JOB_PATH}/options", read_job_options),
        Route(f"{_JOB_PATH}/options", _with_body(set_job_options), methods=["PUT"]),
        Route(f"{_JOB_PATH}/failed-rows", failed_rows),
        Route(f"{_JOB_PATH}/failed-rows.csv", failed_rows_file),
        Route(f"{_JOB_PATH}/progress", progress),
        Route(f"{_JOB_PATH}/repeated-rows", repeated_rows),
        *_undo_routes(services),
        *_repeatable_routes(services),
        *_mapping_routes(services),
        *_webhook_routes(services),
    ]


def _undo_routes(services: Services) -> list[Route]:
    """``POST`` and ``GET .../undo`` of one upload job, and the profiles that stayed."""
    like_get_upload_job = load_model().operations["GetUploadJob"].input

    def start_undo(request: Request) -> Response:
        domain, job_id = _enter(services, like_get_upload_job, request, action="openprofiles:UndoUploadJob")
        return _answer(undo_document(undos.start_undo(services.store, domain, job_id, now=services.clock())))

    def read_undo(request: Request) -> Response:
        domain, job_id = _enter(services, like_get_upload_job, request)
        return _answer(undo_document(undos.read_undo(services.store, domain, job_id)))

    def kept_profiles(request: Request) -> Response:
        domain, job_id = _enter(services, like_get_upload_job, request)
        page = undos.list_kept_profiles(
            services.store,
            domain,
            job_id,
            max_results=_read_max_results(request),
            next_token=_read_once(request, "next-token"),
        )
        return _answer({"Items": [kept_profile_item(one) for one in page.items], "NextToken": page.next_token})

    return [
        Route(f"{_JOB_PATH}/undo", start_undo, methods=["POST"]),
        Route(f"{_JOB_PATH}/undo", read_undo),
        Route(f"{_JOB_PATH}/kept-profiles", kept_profiles),
    ]


def _repeatable_routes(services: Services) -> list[Route]:
    """``POST .../upload-jobs`` and ``POST`` of one job's ``start``: the API's operations, with a token that makes them
    safe to send again, and the first one with options.
    """
    like_start_upload_job = load_model().operations["StartUploadJob"].input

    def create_upload_job(request: Request, body: bytes) -> Response:
        domain_name = request.path_params["domain_name"]
        principal = _authorise(services, request, "profile:CreateUploadJob", body)
        given = read_create_document(domain_name, body)
        if given.options is not None:
            authorise_action(principal, _SETTING_OPTIONS, domain_name)
        job = jobs.create_job(
            services.store,
            services.master_key,
            get_domain(services.store, domain_name),
            display_name=given.display_name,
            fields=given.fields,
            unique_key=given.unique_key,
            data_expiry_days=given.data_expiry_days,
            strict=services.settings.compat_strict,
            now=services.clock(),
            options=given.options,
            idempotency_token=given.idempotency_token,
            private_addresses=services.settings.webhook_private_addresses,
        )
        return _answer({"JobId": job.job_id})

    def start_upload_job(request: Request, body: bytes) -> Response:
        domain, job_id = _enter(services, like_start_upload_job, request, action="profile:StartUploadJob", body=body)
        token = read_start_document(body)
        jobs.start_job(services.store, domain, job_id, now=services.clock(), idempotency_token=token)
        return _answer({})

    return [
        Route(_JOBS_PATH, _with_body(create_upload_job, DEFAULT_BODY_LIMIT_BYTES), methods=["POST"]),
        Route(f"{_JOB_PATH}/start", _with_body(start_upload_job), methods=["POST"]),
    ]


def _mapping_routes(services: Services) -> list[Route]:
    """``POST .../mapping-suggestions``; ``GET .../mappings``, and ``GET``, ``PUT`` and ``DELETE`` of one of them."""

    def suggest(request: Request, body: bytes) -> Response:
        # It uses numpy, which a server can start without.
        from openprofiles.uploads.reading.file_sample import sample_beginning

        domain = _enter_domain(services, request, body=body)
        strict = services.settings.compat_strict
        form, sample = sample_beginning(
            body, STRICT_OPTIONS if strict else None, region=domain.phone_region, strict=strict
        )
        if not strict and form.header_line is None and (doubt := doubt_header(sample.headers, sample.rows)) is not None:
            raise InvalidRequest(
                f"{describe_doubt(doubt)} Add a row with the column names. If this row is the header, map its "
                "columns yourself."
            )
        suggestion = suggest_mapping(sample.headers, None, sample.rows, domain.phone_region)
        return _answer(suggestion_document(form, sample.headers, suggestion))

    def list_mappings(request: Request) -> Response:
        page = saved_mappings.list_mappings(
            services.store,
            _enter_domain(services, request),
            max_results=_read_max_results(request),
            next_token=_read_once(request, "next-token"),
        )
        return _answer({"Items": [mapping_item(one) for one in page.items], "NextToken": page.next_token})

    def get_mapping(request: Request) -> Response:
        domain = _enter_domain(services, request)
        return _answer(mapping_document(saved_mappings.get_mapping(services.store, domain, _mapping_name(request))))

    def put_mapping(request: Request, body: bytes) -> Response:
        domain = _enter_domain(services, request, action="openprofiles:PutMapping", body=body)
        name = _mapping_name(request)
        given = read_mapping_document(name, body)
        mapping = saved_mappings.put_mapping(
            services.store,
            domain,
            name,
            fields=given.fields,
            unique_key=given.unique_key,
            columns=given.columns,
            reading=given.reading,
            strict=services.settings.compat_strict,
            now=services.clock(),
        )
        return _answer(mapping_document(mapping))

    def delete_mapping(request: Request) -> Response:
        domain = _enter_domain(services, request, action="openprofiles:DeleteMapping")
        saved_mappings.delete_mapping(services.store, domain, _mapping_name(request), services.clock())
        return Response(status_code=204)

    one = f"{_MAPPINGS_PATH}/{{mapping_name}}"
    return [
        Route(_SUGGESTIONS_PATH, _with_body(suggest, _LARGE_BODY_LIMIT_BYTES), methods=["POST"]),
        Route(_MAPPINGS_PATH, list_mappings),
        Route(one, get_mapping),
        Route(one, _with_body(put_mapping, _LARGE_BODY_LIMIT_BYTES), methods=["PUT"]),
        Route(one, delete_mapping, methods=["DELETE"]),
    ]


def _webhook_routes(services: Services) -> list[Route]:
    """``GET``, ``PUT`` and ``DELETE .../webhook`` of a domain."""

    def get_webhook(request: Request) -> Response:
        return _answer(
            webhook_document(
                webhooks.get_webhook(services.store, _enter_domain(services, request, action="openprofiles:GetWebhook"))
            )
        )

    def put_webhook(request: Request, body: bytes) -> Response:
        domain = _enter_domain(services, request, action="openprofiles:PutWebhook", body=body)
        url, secret = read_webhook_document(body)
        webhook, its_secret = webhooks.put_webhook(
            services.store,
            services.master_key,
            domain,
            url=url,
            secret=secret,
            private_addresses=services.settings.webhook_private_addresses,
            now=services.clock(),
        )
        # Who has given it knows it.
        made = {"Secret": its_secret} if secret is None else {}
        return _answer(webhook_document(webhook) | made)

    def delete_webhook(request: Request) -> Response:
        domain = _enter_domain(services, request, action="openprofiles:DeleteWebhook")
        webhooks.delete_webhook(services.store, domain, now=services.clock())
        return Response(status_code=204)

    return [
        Route(_WEBHOOK_PATH, get_webhook),
        Route(_WEBHOOK_PATH, _with_body(put_webhook), methods=["PUT"]),
        Route(_WEBHOOK_PATH, delete_webhook, methods=["DELETE"]),
    ]


def _mapping_name(request: Request) -> str:
    """The name in the path.

    Raises:
        WireError: a mapping can have no such name.
    """
    name: str = request.path_params["mapping_name"]
    if broken := violations(load_model().operations["GetDomain"].input.members["DomainName"].shape, name):
        raise bad_request(describe_violations([Violation("MappingName", one.message) for one in broken]))
    return name


def _with_body(
    handle: Callable[[Request, bytes], Response], limit_bytes: int = _BODY_LIMIT_BYTES
) -> Callable[[Request], Awaitable[Response]]:
    """A route that takes a body of at most so many bytes, handled in the thread pool as the others are."""

    async def endpoint(request: Request) -> Response:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > limit_bytes:
                raise WireError("RequestEntityTooLargeException", f"The body is larger than {limit_bytes} bytes.")
        return await run_in_threadpool(handle, request, bytes(body))

    return endpoint


def _enter(
    services: Services,
    path_shape: StructureShape,
    request: Request,
    *,
    action: str = _READING,
    body: bytes = b"",
) -> tuple[Domain, str]:
    """The domain and the job id of a request, from a caller who may see them; otherwise as ``_enter_domain``."""
    domain_name, job_id = request.path_params["domain_name"], request.path_params["job_id"]
    _authorise(services, request, action, body)
    if broken := violations(path_shape, {"DomainName": domain_name, "JobId": job_id}):
        raise bad_request(describe_violations(broken))
    return get_domain(services.store, domain_name), job_id


def _enter_domain(services: Services, request: Request, *, action: str = _READING, body: bytes = b"") -> Domain:
    """The domain of a request, from a caller who may see it.

    Args:
        action: what the caller must be allowed to do on the domain.
        body: of a route that takes one. To others whatever is sent is never read, and the signature must be for none.

    Raises:
        WireError: as the API, for who calls and for what the path names.
        NotFound: no such domain.
    """
    domain_name = request.path_params["domain_name"]
    _authorise(services, request, action, body)
    if broken := violations(load_model().operations["GetDomain"].input, {"DomainName": domain_name}):
        raise bad_request(describe_violations(broken))
    return get_domain(services.store, domain_name)


def _authorise(services: Services, request: Request, action: str, body: bytes) -> Principal:
    scope = request.scope
    signed = SignedRequest(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"], body)
    principal = services.authenticator.authenticate(signed)
    request.state.access_key_id = principal.access_key_id
    request.state.principal = principal
    authorise_action(principal, action, request.path_params["domain_name"])
    return principal


def _read_once(request: Request, name: str) -> str | None:
    given = request.query_params.getlist(name)
    if len(given) > 1:
        raise bad_request(f"{name} appears {len(given)} times in the query; send it once.")
    return given[0] if given else None


def _read_max_results(request: Request) -> int | None:
    text = _read_once(request, "max-results")
    if text is None:
        return None
    if not _WHOLE_NUMBER.fullmatch(text) or not 1 <= int(text) <= _MAX_RESULTS:
        raise bad_request(f"max-results must be an integer from 1 to {_MAX_RESULTS}.")
    return int(text)


def _failed_row_item(row: jobs.FailedRow, headers: Sequence[str], dialect: Dialect) -> dict[str, Any]:
    cells, surplus = split_row(row.content, headers, dialect)
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


def _progress_answer(report: JobReport, now: datetime) -> dict[str, Any]:
    job = report.job
    progress = progress_of(job, now) if job.status is UploadJobStatus.IN_PROGRESS else None
    return {
        "JobId": job.job_id,
        "Status": job.status.value,
        "StatusReason": job.status_reason,
        "Message": job.failure_message,
        "Phase": job.phase,
        "Position": None if job.phase is None else job.position,
        "Progress": None if progress is None else progress_document(progress),
        "RecordCount": job.record_count,
        "CreatedRecords": job.created_count,
        "UpdatedRecords": job.updated_count,
        "UnchangedRecords": job.unchanged_count,
        "FailedRecords": job.failed_count,
        "Faults": [
            _without_none({"Code": one.code, "Column": one.column_name, "Count": one.count})
            for one in report.fault_counts
        ]
        or None,
        "ProcessedRecords": report.processed_count,
        "UnprocessedRecords": report.unprocessed_count,
        "RepeatedRecords": report.repeated_count,
        "Notices": [
            _without_none(
                {
                    "Code": notice.code,
                    "Field": notice.path,
                    "Count": notice.count,
                    "Lines": list(notice.lines),
                    "Others": list(notice.others) or None,
                    "Doubtful": notice.is_doubtful,
                    "Message": sentence,
                }
            )
            for notice, sentence in zip(report.notices, report.notice_sentences(), strict=True)
        ]
        or None,
        "ColumnsNotMapped": report.columns_not_mapped,
        "File": None if report.file_form is None else file_form_document(report.file_form),
        "Steps": [{"Step": step, "Seconds": seconds} for step, seconds in report.step_seconds.items()] or None,
        "RecordsPerSecond": None if report.records_per_second is None else round(report.records_per_second),
        "Webhook": None if report.webhook is None else delivery_document(report.webhook),
        "UndoUntil": _epoch_seconds(report.undo_until),
        "UndoStatus": None if report.undo_status is None else report.undo_status.value,
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
