"""Which profiles an upload job has made or changed, as conditions of a statement and for one profile.

The profile that row r of a file creates has the row number ``pid_base`` + r. What else a job has done to profiles is in
the log of changes for as long as that is kept, and each profile names the last job that has changed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.engine import Connection

from openprofiles.expressions.tree import JobRelation
from openprofiles.facts.records import Profile
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.expressions.fragments import Sql, joined, sql
from openprofiles.store.profile_changes import list_change_numbers, read_changes
from openprofiles.store.row_number_lists import unpack_row_numbers
from openprofiles.store.segment_rows import is_among
from openprofiles.store.tables import profile_change
from openprofiles.store.upload_jobs import UploadJob

_ACTIONS = {
    JobRelation.MADE: (ChangeAction.CREATED,),
    JobRelation.TOUCHED: (ChangeAction.CREATED, ChangeAction.INGESTED, ChangeAction.UPDATED),
}


@dataclass(frozen=True, slots=True)
class _RowNumbers:
    """Row numbers of profiles: ranges with their ends, and others."""

    ranges: Sequence[tuple[int, int]]
    others: Sequence[int]


def is_of_job_sql(connection: Connection, job: UploadJob, relation: JobRelation) -> Sql:
    """Build the condition that a job has this relation to rows ``p``."""
    if relation is JobRelation.MADE and job.pid_base is not None:
        return sql("(p.pid > {0} and p.pid <= {1})", job.pid_base, job.pid_base + (job.record_count or 0))
    numbers = _read_log(connection, job, relation)
    parts = [sql("p.pid between {0} and {1}", low, high) for low, high in numbers.ranges]
    if numbers.others:
        parts.append(is_among(connection.dialect.name, numbers.others))
    if relation is JobRelation.TOUCHED:
        parts.append(sql("coalesce(p.last_upload_job, 0) = {0}", job.job_number))
    return joined(" or ", parts) if parts else Sql("1 = 0")


def is_of_job(connection: Connection, job: UploadJob, relation: JobRelation, profile: Profile) -> bool:
    """Return whether a job has this relation to a profile."""
    if relation is JobRelation.MADE and job.pid_base is not None:
        return job.pid_base < profile.pid <= job.pid_base + (job.record_count or 0)
    if relation is JobRelation.TOUCHED and profile.last_upload_job == job.job_number:
        return True
    numbers = list_change_numbers(connection, job.domain_id, profile.pid, None)
    return any(
        change is not None and change.job_number == job.job_number and change.action in _ACTIONS[relation]
        for _, change in read_changes(connection, job.domain_id, profile.pid, numbers)
    )


def _read_log(connection: Connection, job: UploadJob, relation: JobRelation) -> _RowNumbers:
    changes = connection.execute(
        select(profile_change.c.first_pid, profile_change.c.last_pid, profile_change.c.pids)
        .where(
            profile_change.c.domain_id == job.domain_id,
            profile_change.c.job_number == job.job_number,
            profile_change.c.action.in_([action.value for action in _ACTIONS[relation]]),
        )
        .order_by(profile_change.c.number)
    )
    ranges: list[tuple[int, int]] = []
    others: set[int] = set()
    for first, last, packed in changes:
        if packed:
            others.update(unpack_row_numbers(first, last, packed))
        elif ranges and ranges[-1][1] + 1 == first:
            ranges[-1] = ranges[-1][0], last
        else:
            ranges.append((first, last))
    return _RowNumbers(ranges, sorted(others))
