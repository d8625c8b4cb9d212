"""The progress and the report of upload jobs and previews, and their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from openprofiles.member_names import members_of
from openprofiles.operations.call import Call
from openprofiles.operations.job_options import form_members
from openprofiles.operations.registry import OWN_PAGE_SIZE, own_operation, page_of
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.store.webhooks import Delivery
from openprofiles.uploads import jobs, previews
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv, split_row
from openprofiles.uploads.failures.failure_groups import read_failures
from openprofiles.uploads.failures.faults import sentence_for
from openprofiles.uploads.job_report import JobReport, list_repeated_rows, read_report
from openprofiles.uploads.preview_sample import PreviewSample
from openprofiles.uploads.progress import progress_of
from openprofiles.uploads.reading.dialect import Dialect
from openprofiles.uploads.undos import find_undo_statuses
from openprofiles.uploads.webhook_url import host_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from openprofiles.wire import own_types as own


@own_operation("ListProgress")
def list_progress(call: Call, request: own.ListProgressRequest) -> own.ListedProgress:
    """List the jobs of a domain, newest first, each with the progress in its row."""
    with call.reading(request["DomainName"]) as session:
        page = jobs.list_jobs(session, **page_of(request, OWN_PAGE_SIZE))
        statuses = find_undo_statuses(session, page.items)
    items = [
        {
            **_job_members(job, session.now),
            "DisplayName": job.display_name,
            "UndoStatus": _value_of(statuses.get(job.job_number)),
        }
        for job in page.items
    ]
    return cast("own.ListedProgress", {"Items": items, "NextToken": page.next_token})


@own_operation("GetProgress")
def get_progress(call: Call, request: own.GetProgressRequest) -> own.Progress:
    """Return the progress of a job or preview, and what is known of its rows."""
    with call.reading(request["DomainName"]) as session:
        report = read_report(session, request["JobId"])
    members = _report_members(report, report.notice_sentences(), session.now)
    return cast("own.Progress", members | {"PhoneRegion": session.domain.phone_region})


@own_operation("ListFailedRows")
def list_failed_rows(call: Call, request: own.ListFailedRowsRequest) -> own.FailedRows:
    """List the failed rows that are kept, in the order of the file."""
    with call.reading(request["DomainName"]) as session:
        page = jobs.list_failed_rows(session, call.master_key, request["JobId"], **page_of(request, OWN_PAGE_SIZE))
        headers, dialect = jobs.read_file_columns(session, request["JobId"])
    items = [_failed_row(row, headers, dialect) for row in page.items]
    return cast("own.FailedRows", {"Columns": headers, "Items": items, "NextToken": page.next_token})


@own_operation("GetFailedRowsFile")
def get_failed_rows_file(call: Call, request: own.GetFailedRowsFileRequest) -> own.FailedRowsFile:
    """Return the failed rows as a CSV file, part by part."""
    job_id = request["JobId"]
    found = jobs.read_failed_rows(lambda: call.reading(request["DomainName"]), call.master_key, job_id)
    # A strict server refuses the byte order mark, and reads commas only.
    return {
        "Body": failed_rows_csv(*found, for_spreadsheet="Form" in request and not call.strict),
        "ContentType": "text/csv; charset=utf-8",
        "ContentDisposition": f'attachment; filename="{job_id}.failed-rows.csv"',
    }


@own_operation("GetFailureReasons")
def get_failure_reasons(call: Call, request: own.GetFailureReasonsRequest) -> own.FailureReasons:
    """Return why rows failed, the most frequent reason first, with examples."""
    with call.reading(request["DomainName"]) as session:
        groups, more, _ = read_failures(session, call.master_key, read_report(session, request["JobId"]))
    items = [
        {
            **members_of(group, "code", "count"),
            "Column": group.column_name,
            "Message": group.sentence,
            "Examples": [members_of(one, "line", "text") for one in group.examples],
        }
        for group in groups
    ]
    return cast("own.FailureReasons", {"Items": items, "MoreReasons": more})


@own_operation("ListRepeatedRows")
def list_rows_with_a_repeated_key(call: Call, request: own.ListRepeatedRowsRequest) -> own.RepeatedRows:
    """List the rows whose unique key an earlier row of the file has too."""
    with call.reading(request["DomainName"]) as session:
        page = list_repeated_rows(session, request["JobId"], **page_of(request, OWN_PAGE_SIZE))
    items = [members_of(row, "record", "line", "first_record", "first_line") for row in page.items]
    return cast("own.RepeatedRows", {"Items": items, "NextToken": page.next_token})


@own_operation("PreviewUploadJob")
def preview_upload_job(call: Call, request: own.PreviewUploadJobRequest) -> own.StartedPreview:
    """Start a preview of a job whose file has arrived."""
    with call.writing(request["DomainName"]) as session:
        return {"PreviewId": previews.start_preview(session, call.master_key, request["JobId"]).job_id}


@own_operation("GetPreview")
def get_preview(call: Call, request: own.GetPreviewRequest) -> own.Progress:
    """Return what a preview has found."""
    with call.reading(request["DomainName"]) as session:
        preview = previews.read_preview(session, call.master_key, request["JobId"])
        report = read_report(session, request["JobId"])
    sentences = report.console_sentences() if request.get("Words") == "CONSOLE" else report.notice_sentences()
    members = _report_members(report, sentences, session.now)
    # The rest is the caller's own file; this is what others have stored.
    with_stored = call.principal.may_do("profile:SearchProfiles")
    return cast("own.Progress", members | {"Samples": [_sample(one, with_stored) for one in preview.samples]})


@own_operation("StopPreview")
def stop_preview(call: Call, request: own.StopPreviewRequest) -> own.NoMembers:
    """End a preview early."""
    with call.writing(request["DomainName"]) as session:
        jobs.stop_job(session, request["JobId"], is_preview=True)
    return {}


def _job_members(job: UploadJob, now: datetime) -> dict[str, Any]:
    """Return the progress of a job from its row in the store alone."""
    progress = progress_of(job, now) if job.status is UploadJobStatus.IN_PROGRESS else None
    return {
        **members_of(job, "job_id", "object_type", "status_reason", "record_count"),
        **members_of(job, "created_at", "started_at", "completed_at", "phase"),
        "Status": job.status.value,
        "Message": job.failure_message,
        "Position": None if job.phase is None else job.position,
        "Progress": progress
        and {
            **members_of(progress, "step", "step_count", "doing", "done", "total", "unit", "per_second"),
            "Share": round(progress.share, 4),
            "SecondsLeft": progress.seconds_left,
        },
        "CreatedRecords": job.created_count,
        "UpdatedRecords": job.updated_count,
        "UnchangedRecords": job.unchanged_count,
        "FailedRecords": job.failed_count,
        "StopRequested": job.stop_requested_at is not None,
    }


def _report_members(report: JobReport, sentences: Sequence[str], now: datetime) -> dict[str, Any]:
    """Return the progress of a job with all that is known of it."""
    rate = report.records_per_second
    members = _job_members(report.job, now) | {
        "Faults": [{"Code": one.code, "Column": one.column_name, "Count": one.count} for one in report.fault_counts],
        "ProcessedRecords": report.processed_count,
        "UnprocessedRecords": report.unprocessed_count,
        "RepeatedRecords": report.repeated_count,
        "Notices": [
            {
                **members_of(notice, "code", "count"),
                "Field": notice.path,
                "Lines": list(notice.lines),
                "Others": list(notice.others) or None,
                "Doubtful": notice.is_doubtful,
                "Message": sentence,
            }
            for notice, sentence in zip(report.notices, sentences, strict=True)
        ],
        "ColumnsNotMapped": report.columns_not_mapped,
        "File": report.file_form and form_members(report.file_form),
        "Steps": [{"Step": step, "Seconds": seconds} for step, seconds in report.step_seconds.items()],
        "RecordsPerSecond": None if rate is None else round(rate),
        "Webhook": report.webhook and _delivery(report.webhook),
        "UndoUntil": report.undo_until,
        "UndoStatus": _value_of(report.undo_status),
    }
    # An empty list of these says that nothing is known yet.
    return {name: value for name, value in members.items() if value or name not in ("Faults", "Notices", "Steps")}


def _value_of(status: UploadJobStatus | None) -> str | None:
    return None if status is None else status.value


def _delivery(delivery: Delivery) -> dict[str, Any]:
    """Return the state of the call at a job's end; of the URL, which may hold a token, the host alone."""
    return {
        "Host": host_of(delivery.url),
        "Delivered": delivery.delivered_at is not None,
        **members_of(delivery, "attempts", "next_attempt_at", "last_error", "delivered_at", "given_up_at"),
    }


def _failed_row(row: jobs.FailedRow, headers: list[str], dialect: Dialect) -> dict[str, Any]:
    """Return a failed row, with its cells as far as they were kept."""
    cells, surplus = split_row(row.content, headers, dialect)
    return {
        **members_of(row, "record", "line"),
        "Faults": [
            {"Column": fault.column_name, "Code": fault.code, "Message": sentence_for(fault)} for fault in row.faults
        ],
        "Cells": [_readable(cell) for cell in cells] or None,
        "Surplus": _readable(surplus) or None,
    }


def _readable(text: str) -> str:
    r"""Write ``\xe9`` instead of each byte that is not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _sample(sample: PreviewSample, with_stored: bool) -> dict[str, Any]:
    return {
        **members_of(sample, "record", "line"),
        "ProfileId": sample.profile_id if with_stored else None,
        "Fields": [
            {"Field": path, "Before": before if with_stored else None, "After": after}
            for path, before, after in sample.fields
        ],
    }
