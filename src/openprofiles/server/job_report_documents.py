"""What is known of an upload job and of its rows, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from openprofiles.clock import to_epoch_seconds
from openprofiles.server.job_options_document import file_form_document
from openprofiles.server.json_bodies import without_none
from openprofiles.server.progress_document import progress_document
from openprofiles.server.webhook_documents import delivery_document
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import RepeatedRow, UploadJob
from openprofiles.uploads.failures.failed_rows_csv import split_row
from openprofiles.uploads.failures.faults import sentence_for
from openprofiles.uploads.job_report import JobReport
from openprofiles.uploads.jobs import FailedRow
from openprofiles.uploads.progress import progress_of
from openprofiles.uploads.reading.dialect import Dialect


def job_document(job: UploadJob, now: datetime) -> dict[str, Any]:
    """Make the document of how far a job is, from its row in the store alone."""
    progress = progress_of(job, now) if job.status is UploadJobStatus.IN_PROGRESS else None
    return without_none(
        {
            "JobId": job.job_id,
            "ObjectType": job.object_type,
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
            "StopRequested": job.stop_requested_at is not None,
            "CreatedAt": to_epoch_seconds(job.created_at),
            "StartedAt": to_epoch_seconds(job.started_at),
            "CompletedAt": to_epoch_seconds(job.completed_at),
        }
    )


def report_document(report: JobReport, now: datetime) -> dict[str, Any]:
    """Make the document of a job with all that is known of it."""
    return job_document(report.job, now) | without_none(
        {
            "Faults": [
                without_none({"Code": one.code, "Column": one.column_name, "Count": one.count})
                for one in report.fault_counts
            ]
            or None,
            "ProcessedRecords": report.processed_count,
            "UnprocessedRecords": report.unprocessed_count,
            "RepeatedRecords": report.repeated_count,
            "Notices": [
                without_none(
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
            "UndoUntil": to_epoch_seconds(report.undo_until),
            "UndoStatus": None if report.undo_status is None else report.undo_status.value,
        }
    )


def failed_row_item(row: FailedRow, headers: Sequence[str], dialect: Dialect) -> dict[str, Any]:
    """Make the document of a failed row, with its cells as far as they were kept."""
    cells, surplus = split_row(row.content, headers, dialect)
    return without_none(
        {
            "Record": row.record,
            "Line": row.line,
            "Faults": [
                without_none({"Column": fault.column_name, "Code": fault.code, "Message": sentence_for(fault)})
                for fault in row.faults
            ],
            "Cells": [_readable(cell) for cell in cells] or None,
            "Surplus": _readable(surplus) or None,
        }
    )


def repeated_row_item(row: RepeatedRow) -> dict[str, Any]:
    """Make the document of a row whose unique key an earlier row has too."""
    return {"Record": row.record, "Line": row.line, "FirstRecord": row.first_record, "FirstLine": row.first_line}


def _readable(text: str) -> str:
    r"""Write ``\xe9`` in place of each byte that is not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
