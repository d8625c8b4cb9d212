"""The progress of a running job in words and numbers, for its page and the script that updates the page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from openprofiles.server.console.job_words import status_word
from openprofiles.server.console.result_bar import describe, parts_of
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.uploads.account import Account
from openprofiles.uploads.undos import Undo

# The one table of words for the phases of an import or a check; the upload page gets them from here too.
STEP_WORDS = {
    "stage": "Reading the file",
    "plan": "Matching rows with profiles",
    "report": "Checking for errors",
    "preview": "Comparing with existing profiles",
    "create": "Creating profiles",
    "update": "Updating profiles",
    "follow": "Merging repeated rows",
    "unindex": "Indexing",
    "index": "Indexing",
}

_WAITING = "Queued. Imports into a domain run one after another."
_UNDO_WORDS = {
    "stage": "Reading the changes of the import",
    "remove": "Removing new profiles",
    "restore": "Restoring changed profiles",
    "unindex": "Indexing",
    "index": "Indexing",
    "forget": "Cleaning up",
}
_KEY_PHASES = ("unindex", "index")
_MS_BETWEEN_LOOKS = 700
_MS_BETWEEN_LOOKS_BEFORE_START = 3000


@dataclass(frozen=True, slots=True)
class Progress:
    """The work at hand.

    Attributes:
        doing: the phase, for people.
        done: how many units are done.
        total: of how many; None if that is not known.
        unit: rows, keys or profiles.
    """

    doing: str
    done: int
    total: int | None
    unit: str


def view_of(account: Account) -> str:
    """Name the content of a page about the job.

    A page with another name has to be fetched again.
    """
    job = account.job
    view = job.status.value
    if job.status is UploadJobStatus.CREATED and job.file_name is not None:
        view += " with a file"
    if job.status is UploadJobStatus.IN_PROGRESS and job.stop_requested_at is not None:
        view += " and stopping"
    return view if account.undo_status is None else f"{view}, undo {account.undo_status}"


def milliseconds_between_looks(account: Account) -> int | None:
    """Return how often a page checks for changes; None if nothing will change."""
    if account.job.status is UploadJobStatus.CREATED:
        return _MS_BETWEEN_LOOKS_BEFORE_START
    running = UploadJobStatus.IN_PROGRESS
    return _MS_BETWEEN_LOOKS if running in (account.job.status, account.undo_status) else None


def progress_of(account: Account, undo: Undo | None) -> Progress | None:
    """Return the progress of the job or its undo; None if neither is running."""
    if undo is not None and undo.job.status is UploadJobStatus.IN_PROGRESS:
        return _progress_of_undo(undo)
    job = account.job
    if job.status is not UploadJobStatus.IN_PROGRESS:
        return None
    if job.phase is None:
        return Progress(_WAITING, 0, None, "rows")
    doing = STEP_WORDS.get(job.phase, "Importing")
    if job.phase in _KEY_PHASES:
        return Progress(doing, job.position, None, "keys")
    if job.record_count is None:
        return Progress(doing, job.position, None, "rows")
    return Progress(doing, account.processed_count, job.record_count, "rows")


def state_document(account: Account, undo: Undo | None) -> dict[str, Any]:
    """Return the state of the job for the script of the page."""
    progress = progress_of(account, undo)
    parts = parts_of(account.job)
    return {
        "view": view_of(account),
        "progress": None if progress is None else asdict(progress),
        "parts": [asdict(part) for part in parts],
        "description": describe(parts),
    }


def news_of(account: Account, undo: Undo | None) -> str:
    """Return the announcement of a change for screen readers, with numbers in braces (``render.plain``)."""
    job = account.job
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


def _progress_of_undo(undo: Undo) -> Progress:
    job = undo.job
    if job.phase is None:
        return Progress(_WAITING, 0, None, "profiles")
    doing = _UNDO_WORDS.get(job.phase, "Undoing")
    if job.phase in _KEY_PHASES:
        return Progress(doing, job.position, None, "keys")
    done = undo.removed_count + undo.restored_count + undo.kept_count + undo.gone_count
    return Progress(doing, done, job.record_count, "profiles")


def _result_of(undo: Undo) -> str:
    counts = undo.removed_count, undo.restored_count, undo.kept_count
    return "{{{}}} profiles removed, {{{}}} restored, {{{}}} kept.".format(*counts)
