"""The progress of a running job in words and numbers, for its page and the script that updates the page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from openprofiles.server.console.job_words import status_word
from openprofiles.server.console.result_bar import describe, parts_of
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.uploads import progress
from openprofiles.uploads.job_report import JobReport
from openprofiles.uploads.undos import Undo

_WAITING = "Queued. Imports into a domain run one after another."
_MS_BETWEEN_LOOKS = 700
_MS_BETWEEN_LOOKS_BEFORE_START = 3000


@dataclass(frozen=True, slots=True)
class ShownProgress:
    """The progress that a page shows of a running job.

    Attributes:
        doing: the current step.
        amount: how much of it is done, with numbers in braces (``render.plain``); may be empty.
        share: of the whole job that is done, from 0 to 1; None while it waits for a worker.
    """

    doing: str
    amount: str
    share: float | None


def view_of(report: JobReport) -> str:
    """Name the content of a page about the job.

    A page with another name has to be fetched again.
    """
    job = report.job
    view = job.status.value
    if job.status is UploadJobStatus.CREATED and job.file_name is not None:
        view += " with a file"
    if job.status is UploadJobStatus.IN_PROGRESS and job.stop_requested_at is not None:
        view += " and stopping"
    return view if report.undo_status is None else f"{view}, undo {report.undo_status}"


def milliseconds_between_looks(report: JobReport) -> int | None:
    """Return how often a page checks for changes; None if nothing will change."""
    if report.job.status is UploadJobStatus.CREATED:
        return _MS_BETWEEN_LOOKS_BEFORE_START
    running = UploadJobStatus.IN_PROGRESS
    return _MS_BETWEEN_LOOKS if running in (report.job.status, report.undo_status) else None


def shown_progress(report: JobReport, undo: Undo | None, now: datetime) -> ShownProgress | None:
    """Return the progress of the job, or of its undo; None if neither is running."""
    job = undo.job if undo is not None else report.job
    if job.status is not UploadJobStatus.IN_PROGRESS:
        return None
    found = progress.progress_of(job, now)
    if found is None:
        return ShownProgress(_WAITING, "", None)
    return ShownProgress(progress.describe_step(found), progress.describe_amount(found), found.share)


def state_document(report: JobReport, undo: Undo | None, now: datetime) -> dict[str, Any]:
    """Return the state of the job for the script of the page."""
    shown = shown_progress(report, undo, now)
    parts = parts_of(report.job)
    return {
        "view": view_of(report),
        "progress": None if shown is None else asdict(shown),
        "parts": [asdict(part) for part in parts],
        "description": describe(parts),
    }


def news_of(report: JobReport, undo: Undo | None) -> str:
    """Return the announcement of a change for screen readers, with numbers in braces (``render.plain``)."""
    job = report.job
    if undo is not None:
        if undo.job.status is UploadJobStatus.IN_PROGRESS:
            return "The import is being undone."
        if undo.job.status is UploadJobStatus.SUCCEEDED:
            return f"The import was undone. {_result_of(undo)}"
        return "The import was only partly undone."
    if job.status is UploadJobStatus.CREATED:
        return "The file has arrived." if job.file_name is not None else "The import is waiting for its file."
    if job.status is UploadJobStatus.IN_PROGRESS:
        return "The import is stopping." if job.stop_requested_at is not None else "The import has started."
    return f"The import has finished: {status_word(job.status).lower()}. {describe(parts_of(job))}"


def _result_of(undo: Undo) -> str:
    counts = undo.job.removed_count, undo.job.restored_count, undo.job.kept_count
    return "{{{}}} profiles removed, {{{}}} restored, {{{}}} kept.".format(*counts)
