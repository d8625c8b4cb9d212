"""Undos as rows: the jobs that undo others, and the data that is kept for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from openprofiles.store.tables import undo_image, undo_kept_profile, upload_job
from openprofiles.store.upload_job_states import UploadJobStatus


@dataclass(frozen=True, slots=True)
class KeptProfile:
    """A profile that an undo left as it was."""

    pid: int
    profile_id: str
    was_created: bool


def find_undo_id(connection: Connection, upload_job_id: int) -> str | None:
    """Find the job id of a job's undo."""
    query = select(upload_job.c.job_id).where(upload_job.c.undo_of == upload_job_id)
    job_id: str | None = connection.execute(query).scalar_one_or_none()
    return job_id


def find_undo_statuses(connection: Connection, upload_job_ids: Collection[int]) -> dict[int, UploadJobStatus]:
    """Return the status of the undo of each job, by row number; jobs without an undo are left out."""
    query = select(upload_job.c.undo_of, upload_job.c.status).where(upload_job.c.undo_of.in_(upload_job_ids))
    return {undo_of: UploadJobStatus(status) for undo_of, status in connection.execute(query)}


def resume_undo(connection: Connection, undo_job_id: int, now: datetime) -> None:
    """Resume an undo that failed."""
    connection.execute(
        update(upload_job)
        .where(upload_job.c.upload_job_id == undo_job_id, upload_job.c.status == UploadJobStatus.FAILED)
        .values(
            status=UploadJobStatus.IN_PROGRESS,
            status_reason=None,
            failure_message=None,
            started_at=now,
            completed_at=None,
            failed_attempts=0,
            # Other jobs may have run in between, so no scratch database of before is good.
            epoch=upload_job.c.epoch + 1,
        )
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
