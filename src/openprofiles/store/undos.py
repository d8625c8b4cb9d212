"""Undos as rows: the jobs that undo others, and the data that is kept for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select, update
from sqlalchemy.engine import Connection

from openprofiles.store.tables import undo_absent_key, undo_image, undo_kept_profile, upload_job
from openprofiles.store.upload_job_states import UploadJobStatus

# What is kept goes this much later than it may be asked for, so that no host whose clock is behind asks too late.
_GRACE = timedelta(days=1)
# An image may have a megabyte.
_IMAGES_PER_STEP = 10


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


def remove_old_images_step(connection: Connection, now: datetime, limit: int) -> bool:
    """Remove some data of jobs that can no longer be undone; return whether there was any.

    Args:
        limit: how many keys at most.
    """
    undo = upload_job.alias()
    is_running = exists().where(
        undo.c.undo_of == upload_job.c.upload_job_id, undo.c.status == UploadJobStatus.IN_PROGRESS
    )
    too_old = (
        select(upload_job.c.upload_job_id).where(upload_job.c.undo_until < now - _GRACE, ~is_running).scalar_subquery()
    )
    images = connection.execute(
        select(undo_image.c.upload_job_id, undo_image.c.undo_image_id)
        .where(undo_image.c.upload_job_id.in_(too_old))
        .limit(_IMAGES_PER_STEP)
    ).all()
    for upload_job_id, undo_image_id in images:
        connection.execute(
            delete(undo_image).where(
                undo_image.c.upload_job_id == upload_job_id, undo_image.c.undo_image_id == undo_image_id
            )
        )
    key = tuple(undo_absent_key.primary_key)
    keys = connection.execute(select(*key).where(undo_absent_key.c.upload_job_id.in_(too_old)).limit(limit)).all()
    for row in keys:
        connection.execute(
            delete(undo_absent_key).where(*(column == value for column, value in zip(key, row, strict=True)))
        )
    return bool(images or keys)


def remove_old_kept_profiles_step(connection: Connection, *, completed_before: datetime, limit: int) -> bool:
    """Remove up to ``limit`` notes of kept profiles of old undos; return whether there were any."""
    old = (
        select(upload_job.c.upload_job_id)
        .where(upload_job.c.undo_of.is_not(None), upload_job.c.completed_at < completed_before)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(undo_kept_profile.c.upload_job_id, undo_kept_profile.c.pid)
        .where(undo_kept_profile.c.upload_job_id.in_(old))
        .limit(limit)
    ).all()
    for upload_job_id, pid in rows:
        connection.execute(
            delete(undo_kept_profile).where(
                undo_kept_profile.c.upload_job_id == upload_job_id, undo_kept_profile.c.pid == pid
            )
        )
    return bool(rows)
