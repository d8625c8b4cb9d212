"""How far a running job is, in plain words and numbers, for its page and for the script that keeps it up to date."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from openprofiles.server.console.job_words import status_word
from openprofiles.server.console.result_bar import describe, parts_of
from openprofiles.store.upload_job_states import UploadJobStatus
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
_UNDO_WORDS = {
    "stage": "Reading what the job has left",
    "remove": "Removing the profiles that the job made",
    "restore": "Giving the changed profiles their old values back",
    "unindex": "Bringing the search up to date",
    "index": "Bringing the search up to date",
    "forget": "Clearing up",
}
_KEY_PHASES = ("unindex", "index")
_MS_BETWEEN_LOOKS = 700
_MS_BETWEEN_LOOKS_BEFORE_START = 3000


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being done.

    Attributes:
        doing: for people.
        done: how much of it, in units.
        total: of how much; None where that is not known.
        unit: rows, keys or profiles.
    """

    doing: str
    done: int
    total: int | None
    unit: str


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


def progress_of(account: Account, undo: Undo | None) -> Progress | None:
    """Of the job, or of taking it back; None if neither is running."""
    if undo is not None and undo.job.status is UploadJobStatus.IN_PROGRESS:
        return _progress_of_undo(undo)
    job = account.job
    if job.status is not UploadJobStatus.IN_PROGRESS:
        return None
    if job.phase is None:
        return Progress(_WAITING, 0, None, "rows")
    doing = STEP_WORDS.get(job.phase, "Loading")
    if job.phase in _KEY_PHASES:
        return Progress(doing, job.position, None, "keys")
    if job.record_count is None:
        return Progress(doing, job.position, None, "rows")
    return Progress(doing, account.processed_count, job.record_count, "rows")


def state_document(account: Account, undo: Undo | None) -> dict[str, Any]:
    """What the script of the page is told."""
    progress = progress_of(account, undo)
    parts = parts_of(account.job)
    return {
        "view": view_of(account),
        "progress": None if progress is None else asdict(progress),
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


def _progress_of_undo(undo: Undo) -> Progress:
    job = undo.job
    if job.phase is None:
        return Progress(_WAITING, 0, None, "profiles")
    doing = _UNDO_WORDS.get(job.phase, "Taking back")
    if job.phase in _KEY_PHASES:
        return Progress(doing, job.position, None, "keys")
    done = undo.removed_count + undo.restored_count + undo.kept_count + undo.gone_count
    return Progress(doing, done, job.record_count, "profiles")


def _result_of(undo: Undo) -> str:
    counts = undo.removed_count, undo.restored_count, undo.kept_count
    return "{{{}}} profiles removed, {{{}}} as before, {{{}}} left.".format(*counts)
