"""Undos as rows: the jobs that undo others, and the data that is kept for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.engine import Connection

from openprofiles.job_kinds import UNDOS, Unit
from openprofiles.store.job_queue import Job, columns_of, update_job
from openprofiles.store.tables import job, undo_image, undo_job, undo_kept_profile
from openprofiles.store.upload_job_states import UploadJobStatus


@dataclass(frozen=True, slots=True)
class UndoJob(Job):
    """The undo of an upload job.

    Attributes:
        removed_count: profiles that the job had made and that are gone again.
        restored_count: profiles that the job had changed and that are as they were before.
        kept_count: profiles that stayed as they are, since something else has changed them after the job.
        gone_count: profiles that were deleted after the job, so that there was nothing to undo.
    """

    removed_count: int
    restored_count: int
    kept_count: int
    gone_count: int

    def amount(self, unit: Unit) -> tuple[int, int | None]:
        if unit is Unit.PROFILES:
            return self.removed_count + self.restored_count + self.kept_count + self.gone_count, self.total
        return self.position, None


@dataclass(frozen=True, slots=True)
class KeptProfile:
    """A profile that an undo left as it was."""

    pid: int
    profile_id: str
    was_created: bool


def find_undo(connection: Connection, undone: Job) -> UndoJob | None:
    """Find the undo of a job."""
    row = connection.execute(
        select(*columns_of(UndoJob, job, undo_job))
        .join(undo_job, undo_job.c.job_number == job.c.job_number)
        .where(job.c.subject == undone.job_number, job.c.kind.in_(UNDOS))
    ).one_or_none()
    return None if row is None else UndoJob.of_row(row._asdict())


def find_undo_statuses(connection: Connection, job_numbers: Collection[int]) -> dict[int, UploadJobStatus]:
    """Return the status of the undo of each job, by row number; jobs without an undo are left out."""
    query = select(job.c.subject, job.c.status).where(job.c.subject.in_(job_numbers), job.c.kind.in_(UNDOS))
    return {undone: UploadJobStatus(status) for undone, status in connection.execute(query)}


def resume_undo(connection: Connection, undo: UndoJob, now: datetime) -> None:
    """Resume an undo that failed."""
    update_job(
        connection,
        undo,
        only_in=UploadJobStatus.FAILED,
        status=UploadJobStatus.IN_PROGRESS,
        status_reason=None,
        failure_message=None,
        started_at=now,
        completed_at=None,
        failed_attempts=0,
        # Other jobs may have run in between, so no scratch database of before is good.
        epoch=job.c.epoch + 1,
    )


def list_kept_profiles(connection: Connection, undo_job_id: int, *, after_pid: int, limit: int) -> list[KeptProfile]:
    """List the profiles that an undo left as they were, by row number, after ``after_pid``."""
    rows = connection.execute(
        select(*(undo_kept_profile.c[field.name] for field in fields(KeptProfile)))
        .where(undo_kept_profile.c.upload_job_id == undo_job_id, undo_kept_profile.c.pid > after_pid)
        .order_by(undo_kept_profile.c.pid)
        .limit(limit)
    )
    return [KeptProfile(*row) for row in rows]


def iterate_images(connection: Connection, upload_job_id: int) -> Iterator[bytes]:
    """Iterate over the images that a load has left, in order."""
    after = 0
    while True:
        row = connection.execute(
            select(undo_image.c.undo_image_id, undo_image.c.content)
            .where(undo_image.c.upload_job_id == upload_job_id, undo_image.c.undo_image_id > after)
            .order_by(undo_image.c.undo_image_id)
            .limit(1)
        ).one_or_none()
        if row is None:
            return
        after = row.undo_image_id
        yield row.content
