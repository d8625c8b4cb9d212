"""The jobs that remove the values of deleted profiles from what loads have kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, or_, select, text
from sqlalchemy.engine import Connection

from openprofiles.clock import to_milliseconds
from openprofiles.ids import new_job_id
from openprofiles.job_kinds import FORGET
from openprofiles.store.change_actions import IS_REMOVAL_SQL
from openprofiles.store.job_queue import insert_job
from openprofiles.store.tables import domain, job, undo_image
from openprofiles.store.upload_job_states import UploadJobStatus


def add_forget_jobs(connection: Connection, deleted_before: datetime, now: datetime) -> None:
    """Add a job for each domain with deleted profiles that images may hold.

    None is added while the one before waits or runs, nor at once after one that has failed.

    Args:
        deleted_before: when the first of them was deleted, at the latest.
    """
    has_images = exists().where(undo_image.c.upload_job_id == job.c.job_number)
    of_loads = select(job.c.domain_id).where(has_images).distinct()
    # One that has failed is followed by another one, but not at once.
    is_recent = or_(job.c.status == UploadJobStatus.IN_PROGRESS, job.c.completed_at > deleted_before)
    has_recent = exists().where(job.c.domain_id == domain.c.domain_id, job.c.kind == FORGET.name, is_recent)
    domains = connection.execute(
        select(domain.c.domain_id, domain.c.forgotten_number).where(
            domain.c.domain_id.in_(of_loads), domain.c.deleted_at.is_(None), ~has_recent
        )
    ).all()
    for domain_id, forgotten_number in domains:
        index = "indexed by profile_change_removed" if connection.dialect.name == "sqlite" else ""
        first_removed_at = connection.execute(
            text(
                f"select changed_at from profile_change {index} where domain_id = :domain_id and number > :after "
                f"and {IS_REMOVAL_SQL} order by number limit 1"
            ),
            {"domain_id": domain_id, "after": forgotten_number},
        ).scalar_one_or_none()
        if first_removed_at is not None and first_removed_at <= to_milliseconds(deleted_before):
            started = {"status": UploadJobStatus.IN_PROGRESS, "created_at": now, "started_at": now}
            insert_job(connection, FORGET, {"job_id": new_job_id(now), "domain_id": domain_id} | started)
