"""The progress of a running job, for its page and for the script that keeps the page up to date."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from openprofiles.server.console.account_picture import describe, parts_of
from openprofiles.server.console.job_words import status_word
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.uploads import progress
from openprofiles.uploads.account import Account
from openprofiles.uploads.undos import Undo

STEP_WORDS = {
    "stage": "Reading the file",
    "plan": "Finding the profiles of its rows",
    "report": "Getting ready to load",
    "create": "Creating profiles",
    "update": "Updating profiles",
    "follow": "Loading rows that depend on each other",
    "unindex": "Making the profiles findable",
    "index": "Making the profiles findable",
}

_WAITING = "Waiting for a worker. The jobs of a domain run one after the other."
_MS_BETWEEN_LOOKS = 700
_MS_BETWEEN_LOOKS_BEFORE_START = 3000


@dataclass(frozen=True, slots=True)
class ShownProgress:
    """What a page shows of a running job.

    Attributes:
        doing: the present step.
        amount: how much of it is done, with numbers in braces (``render.plain``); may be empty.
        share: of the whole job that is done, from 0 to 1; None while it waits for a worker.
    """

    doing: str
    amount: str
    share: float | None


def view_of(account: Account) -> str:
    """Names what a page about the job shows: with another name, the page has to be made anew."""
    job = account.job
    view = job.status.value
    if job.status is UploadJobStatus.CREATED and job.file_name is not None:
        view += " with a file"
    if job.status is UploadJobStatus.IN_PROGRESS and job.stop_requested_at is not None:
        view += " and stopping"
    return view if account.undo_status is None else f"{view}, undo {account.undo_status}"


def milliseconds_between_looks(account: Account) -> int | None:
    """How often a page looks whether something has changed; None if nothing will."""
    if account.job.status is UploadJobStatus.CREATED:
        return _MS_BETWEEN_LOOKS_BEFORE_START
    running = UploadJobStatus.IN_PROGRESS
    return _MS_BETWEEN_LOOKS if running in (account.job.status, account.undo_status) else None


def shown_progress(account: Account, undo: Undo | None, now: datetime) -> ShownProgress | None:
    """The progress of the job, or of its undo; None if neither is running."""
    job = undo.job if undo is not None else account.job
    if job.status is not UploadJobStatus.IN_PROGRESS:
        return None
    found = progress.progress_of(job, now)
    if found is None:
        return ShownProgress(_WAITING, "", None)
    return ShownProgress(progress.describe_step(found), progress.describe_amount(found), found.share)


def state_document(account: Account, undo: Undo | None, now: datetime) -> dict[str, Any]:
    """What the script of the page is sent."""
    shown = shown_progress(account, undo, now)
    parts = parts_of(account.job)
    return {
        "view": view_of(account),
        "progress": None if shown is None else asdict(shown),
        "parts": [asdict(part) for part in parts],
        "description": describe(parts),
    }


def news_of(account: Account, undo: Undo | None) -> str:
    """What somebody who cannot see the page is told when it has changed, its numbers in braces (``render.plain``)."""
    job = account.job
    if undo is not None:
        if undo.job.status is UploadJobStatus.IN_PROGRESS:
            return "The job is being taken back."
        if undo.job.status is UploadJobStatus.SUCCEEDED:
            return f"The job was taken back. {_result_of(undo)}"
        return "The job was not taken back wholly."
    if job.status is UploadJobStatus.CREATED:
        return "The file has arrived." if job.file_name is not None else "The job waits for its file."
    if job.status is UploadJobStatus.IN_PROGRESS:
        return "The job is stopping." if job.stop_requested_at is not None else "The job has started."
    return f"The job has ended: {status_word(job.status).lower()}. {describe(parts_of(job))}"


def _result_of(undo: Undo) -> str:
    counts = undo.removed_count, undo.restored_count, undo.kept_count
    return "{{{}}} profiles removed, {{{}}} as before, {{{}}} left.".format(*counts)
