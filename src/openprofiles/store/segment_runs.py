"""Jobs that find the members of segments, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.engine import Connection

from openprofiles.job_kinds import SEGMENT_SNAPSHOT, JobKind
from openprofiles.store.job_queue import Job, columns_of
from openprofiles.store.tables import job, segment_run
from openprofiles.store.upload_job_states import UploadJobStatus


@dataclass(frozen=True, slots=True)
class SegmentRun(Job):
    """A job that finds the members of a segment; ``tables`` explains the columns."""

    definition_id: int | None
    request: Mapping[str, Any]
    as_of: datetime | None
    member_count: int | None
    profile_count: int | None


def find_run(connection: Connection, kind: JobKind, domain_id: int, job_id: str) -> SegmentRun | None:
    """Find a run of a kind by the id of its job."""
    row = connection.execute(
        select(*columns_of(SegmentRun, job, segment_run))
        .join(segment_run, segment_run.c.job_number == job.c.job_number)
        .where(job.c.domain_id == domain_id, job.c.job_id == job_id, job.c.kind == kind.name)
    ).one_or_none()
    return None if row is None else SegmentRun.of_row(row._asdict())


def find_last_snapshot(
    connection: Connection, domain_id: int, definition_id: int, since: datetime
) -> SegmentRun | None:
    """Find the last export of a segment that has succeeded since a time."""
    row = connection.execute(
        select(*columns_of(SegmentRun, job, segment_run))
        .join(segment_run, segment_run.c.job_number == job.c.job_number)
        .where(
            job.c.domain_id == domain_id,
            job.c.kind == SEGMENT_SNAPSHOT.name,
            job.c.status == UploadJobStatus.SUCCEEDED,
            segment_run.c.definition_id == definition_id,
            segment_run.c.as_of > since,
        )
        .order_by(segment_run.c.as_of.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else SegmentRun.of_row(row._asdict())


def list_snapshots(
    connection: Connection, domain_id: int, definition_id: int, *, before_number: int | None, limit: int
) -> list[SegmentRun]:
    """List up to ``limit`` exports of a segment, the newest first.

    Args:
        before_number: only jobs with a lower number; None: all.
    """
    query = (
        select(*columns_of(SegmentRun, job, segment_run))
        .join(segment_run, segment_run.c.job_number == job.c.job_number)
        .where(
            job.c.domain_id == domain_id,
            job.c.kind == SEGMENT_SNAPSHOT.name,
            segment_run.c.definition_id == definition_id,
        )
    )
    if before_number is not None:
        query = query.where(job.c.job_number < before_number)
    rows = connection.execute(query.order_by(job.c.job_number.desc()).limit(limit))
    return [SegmentRun.of_row(row._asdict()) for row in rows]


def count_runs_since(connection: Connection, kind: JobKind, domain_id: int, since: datetime) -> int:
    """Count the runs of a kind that were requested since a time."""
    query = select(func.count()).where(job.c.domain_id == domain_id, job.c.kind == kind.name, job.c.created_at > since)
    return int(connection.execute(query).scalar_one())


def write_counts(
    connection: Connection, job_id: str, *, as_of: datetime, member_count: int, profile_count: int
) -> None:
    """Write how many members a run has found."""
    connection.execute(
        update(segment_run)
        .where(segment_run.c.job_number == select(job.c.job_number).where(job.c.job_id == job_id).scalar_subquery())
        .values(as_of=as_of, member_count=member_count, profile_count=profile_count)
    )
