"""Counts over the whole store, for operators."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.engine import Connection

from openprofiles.job_kinds import UPLOADS
from openprofiles.store.job_queue import is_due
from openprofiles.store.tables import job, upload_job
from openprofiles.store.upload_job_states import UploadJobStatus

_BATCH = 500


class RowCounts(NamedTuple):
    """The results of an upload job's rows so far."""

    created: int
    updated: int
    unchanged: int
    failed: int


def count_jobs_by_status(connection: Connection) -> dict[UploadJobStatus, int]:
    """Count the upload jobs of all domains by status; a status without jobs counts 0."""
    rows = connection.execute(select(job.c.status, func.count()).where(job.c.kind.in_(UPLOADS)).group_by(job.c.status))
    return dict.fromkeys(UploadJobStatus, 0) | {UploadJobStatus(status): count for status, count in rows}


def store_size_bytes(connection: Connection) -> int:
    """Measure the database, without SQLite's write-ahead log."""
    if connection.dialect.name == "postgresql":
        return int(connection.exec_driver_sql("select pg_database_size(current_database())").scalar_one())
    pages = connection.exec_driver_sql("pragma page_count").scalar_one()
    return int(pages * connection.exec_driver_sql("pragma page_size").scalar_one())


def oldest_waiting_since(connection: Connection, now: datetime) -> datetime | None:
    """Find the start time of the job that waits longest for a worker; None if no job waits."""
    oldest: datetime | None = connection.execute(
        select(func.min(job.c.started_at)).where(
            job.c.status == UploadJobStatus.IN_PROGRESS,
            or_(job.c.lease_until.is_(None), job.c.lease_until < now),
            is_due(job, now),
        )
    ).scalar_one()
    return oldest


def read_row_counts(
    connection: Connection, *, after: int, known: Collection[int]
) -> tuple[dict[int, RowCounts], dict[int, RowCounts]]:
    """Read the row counts of open and of recently ended upload jobs, by row number.

    Args:
        after: jobs with a higher row number are new, and are read whatever their status.
        known: the jobs that had not ended the last time.
    """
    not_ended = job.c.status.in_([UploadJobStatus.CREATED, UploadJobStatus.IN_PROGRESS])
    # From the index alone; a job that was not started has nothing to count.
    open_jobs = dict.fromkeys(
        connection.execute(select(job.c.job_number).where(not_ended)).scalars(), RowCounts(0, 0, 0, 0)
    )
    counts = upload_job.c
    counted = (
        select(
            job.c.job_number,
            counts.created_count,
            counts.updated_count - counts.unchanged_count,
            counts.unchanged_count,
            counts.failed_count,
        )
        .join(upload_job, counts.job_number == job.c.job_number)
        .where(job.c.kind.in_(UPLOADS))
    )
    running = connection.execute(counted.where(job.c.status == UploadJobStatus.IN_PROGRESS)).all()
    ended = [*connection.execute(counted.where(job.c.job_number > after, ~not_ended))]
    gone = sorted(set(known) - open_jobs.keys())
    for first in range(0, len(gone), _BATCH):
        batch = gone[first : first + _BATCH]
        ended += connection.execute(counted.where(job.c.job_number.in_(batch)))
    open_jobs |= {number: RowCounts(*row) for number, *row in running}
    return open_jobs, {number: RowCounts(*row) for number, *row in ended}
