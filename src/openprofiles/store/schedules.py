"""Schedules as rows: the jobs of a domain that come again."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, exists, or_, select, type_coerce, update
from sqlalchemy.engine import Connection

from openprofiles.clock import to_milliseconds
from openprofiles.ids import new_job_id
from openprofiles.job_kinds import KINDS
from openprofiles.store.job_queue import insert_job
from openprofiles.store.tables import domain, job, schedule
from openprofiles.store.upload_job_states import UploadJobStatus


def add_due_jobs(connection: Connection, now: datetime) -> None:
    """Add a job for each schedule that is due.

    None is added while the one before waits or runs. However long ago it was due, it comes once, and then again after
    its interval. Schedules of kinds that this version
    does not know are left to others. A time that is further away than the interval was set by a clock that was ahead.
    """
    is_running = exists().where(
        job.c.domain_id == schedule.c.domain_id,
        job.c.kind == schedule.c.kind,
        job.c.status == UploadJobStatus.IN_PROGRESS,
    )
    milliseconds_left = type_coerce(schedule.c.next_at, BigInteger) - to_milliseconds(now)
    due = connection.execute(
        select(schedule)
        .join(domain, domain.c.domain_id == schedule.c.domain_id)
        .where(
            domain.c.deleted_at.is_(None),
            schedule.c.kind.in_(KINDS),
            or_(milliseconds_left <= 0, milliseconds_left > schedule.c.every_seconds * 1000),
            ~is_running,
        )
        .with_for_update(of=schedule, skip_locked=True)
    ).all()
    for domain_id, kind, every_seconds, next_at in due:
        connection.execute(
            update(schedule)
            .where(schedule.c.domain_id == domain_id, schedule.c.kind == kind)
            .values(next_at=now + timedelta(seconds=every_seconds))
        )
        if next_at <= now:
            started = {"status": UploadJobStatus.IN_PROGRESS, "created_at": now, "started_at": now}
            insert_job(connection, KINDS[kind], {"job_id": new_job_id(now), "domain_id": domain_id} | started)
