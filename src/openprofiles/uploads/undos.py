"""Undos as callers see them: remove or restore what an upload job has loaded.

An undo is a separate job that AWS's API does not show; each upload job has at most one. It waits for its turn in the
domain like any other job, and the loader runs it (``undo``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.ids import new_job_id
from openprofiles.job_kinds import UNDO_OF
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.session import Reading, Writing
from openprofiles.store import job_queue, undos
from openprofiles.store.undos import KeptProfile, UndoJob
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.jobs import Page, get_job

DEFAULT_KEPT_PROFILES_PER_PAGE = 1000

_RUNNING = (UploadJobStatus.CREATED, UploadJobStatus.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class Undo:
    """The state of the undo of an upload job.

    Attributes:
        undone: the job that is undone.
        job: the undo's own job.
    """

    undone: UploadJob
    job: UndoJob


def start_undo(session: Writing, job_id: str) -> Undo:
    """Request the undo of a job, which a worker runs.

    A second request starts nothing new; an undo that failed continues where it stopped.

    Raises:
        NotFound: no such job in this domain.
        InvalidRequest: the job has not ended, has changed nothing, or ended too long ago.
    """
    job = get_job(session, job_id, for_change=True)
    undo = undos.find_undo(session.connection, job)
    if undo is None:
        require_undoable(job, session.now)
        job_queue.insert_job(
            session.connection,
            UNDO_OF[job.kind],
            {
                "job_id": new_job_id(session.now),
                "domain_id": session.domain.domain_id,
                "subject": job.job_number,
                "status": UploadJobStatus.IN_PROGRESS,
                "created_at": session.now,
                "started_at": session.now,
            },
        )
    elif undo.status is UploadJobStatus.FAILED:
        require_undoable(job, session.now)
        undos.resume_undo(session.connection, undo, session.now)
    return read_undo(session, job_id)


def require_undoable(job: UploadJob, now: datetime) -> None:
    """Raise InvalidRequest, which says why, if the job cannot be undone; ignores earlier undos."""
    if job.status in _RUNNING:
        raise InvalidRequest(
            f"Upload job {job.job_id} is in {job.status} status. Only a finished job can be undone: stop it first, "
            "or wait."
        )
    if not job.created_count and not job.updated_count:
        raise InvalidRequest(f"Upload job {job.job_id} changed no profiles, so there is nothing to undo.")
    if job.undo_until is None:
        raise InvalidRequest(
            f"Upload job {job.job_id} cannot be undone: an earlier version imported it, or its worker ran with "
            "--undo-days 0."
        )
    if job.undo_until <= now:
        raise InvalidRequest(
            f"Upload job {job.job_id} can no longer be undone. The time to undo it ended on "
            f"{job.undo_until:%Y-%m-%d %H:%M} UTC (--undo-days)."
        )


def read_undo(session: Reading, job_id: str) -> Undo:
    """Read the state of the undo of an upload job.

    Raises:
        NotFound: no such job in this domain, or no undo of it was requested.
    """
    job = get_job(session, job_id)
    undo = undos.find_undo(session.connection, job)
    if undo is None:
        raise NotFound(f"Upload job {job_id} has no undo.")
    return Undo(job, undo)


def find_undo_statuses(session: Reading, of_jobs: Collection[UploadJob]) -> dict[int, UploadJobStatus]:
    """Return the status of the undo of each job, by ``UploadJob.job_number``, in one query.

    Jobs without an undo are left out.
    """
    # No other job can have been undone.
    numbers = [job.job_number for job in of_jobs if job.undo_until is not None]
    return undos.find_undo_statuses(session.connection, numbers) if numbers else {}


def list_kept_profiles(
    session: Reading, job_id: str, *, max_results: int | None = None, next_token: str | None = None
) -> Page[KeptProfile]:
    """List the profiles that an undo left as they were.

    Raises:
        NotFound: no such job in this domain, or no undo of it was requested.
    """
    after = int(read_token("kept-profiles", next_token, (int,))[0]) if next_token is not None else 0
    limit = max_results or DEFAULT_KEPT_PROFILES_PER_PAGE
    undo = read_undo(session, job_id)
    kept = undos.list_kept_profiles(session.connection, undo.job.job_number, after_pid=after, limit=limit + 1)
    token = write_token("kept-profiles", [kept[limit - 1].pid]) if len(kept) > limit else None
    return Page(kept[:limit], token)
