"""Counts over the whole store, for operators."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from openprofiles.store.tables import upload_job
from openprofiles.store.upload_job_states import UploadJobStatus


def count_jobs_by_status(connection: Connection) -> dict[UploadJobStatus, int]:
    """Count the upload jobs of all domains by status; a status without jobs counts 0."""
    rows = connection.execute(
        select(upload_job.c.status, func.count())
        .where(upload_job.c.preview_of.is_(None), upload_job.c.undo_of.is_(None))
        .group_by(upload_job.c.status)
    )
    return dict.fromkeys(UploadJobStatus, 0) | {UploadJobStatus(status): count for status, count in rows}
