"""The job that counts the members of a segment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from openprofiles.clock import Clock
from openprofiles.errors import InvalidRequest
from openprofiles.expressions.tree import EVERYBODY
from openprofiles.job_kinds import SEGMENT_ESTIMATE
from openprofiles.profiles.session import Reading
from openprofiles.segments.definitions import expression_of, require_valid
from openprofiles.segments.estimates import QUERY
from openprofiles.segments.surroundings import sql_surroundings
from openprofiles.settings import Settings
from openprofiles.store.domains import find_domain_by_number
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.segment_rows import count_members
from openprofiles.store.segment_runs import find_run, write_counts
from openprofiles.store.upload_job_states import INTERNAL_FAILURE, VALIDATION_FAILURE, UploadJobStatus


@dataclass(frozen=True, slots=True)
class _Counts:
    job_number: int
    as_of: datetime
    member_count: int
    profile_count: int


def run(store: LeasedStore, _settings: Settings, clock: Clock) -> None:
    """Run the leased job to its end."""
    job = store.read_job()
    status, reason, message = UploadJobStatus.SUCCEEDED, None, None
    counts = None
    if job.stop_requested or job.domain_deleted:
        status = UploadJobStatus.STOPPED
    elif job.gives_up:
        status, reason = UploadJobStatus.FAILED, INTERNAL_FAILURE
        message = job.failure_message or SEGMENT_ESTIMATE.gave_up_message
    else:
        try:
            counts = _count(store, job, clock())
        except InvalidRequest as error:
            # Something that the query names was deleted after the request.
            status, reason, message = UploadJobStatus.FAILED, VALIDATION_FAILURE, str(error)
    with store.chunk():
        if counts is not None:
            write_counts(
                store.connection,
                counts.job_number,
                as_of=counts.as_of,
                member_count=counts.member_count,
                profile_count=counts.profile_count,
            )
        store.end_job(
            status=status,
            reason=reason,
            message=message,
            fault_counts=(),
            step_milliseconds={},
            completed_at=clock(),
        )


def _count(store: LeasedStore, job: LeasedJob, now: datetime) -> _Counts | None:
    """Count the members; None if the domain was deleted."""
    with store.store.read() as connection:
        domain = find_domain_by_number(connection, job.domain_id)
        found = find_run(connection, SEGMENT_ESTIMATE, job.domain_id, job.job_id)
        if domain is None or found is None:
            return None
        session = Reading(connection=connection, domain=domain, now=now)
        expression = expression_of(session, found.request, QUERY)
        require_valid(session, expression)
        surroundings = sql_surroundings(session)
        return _Counts(
            job_number=found.job_number,
            as_of=now,
            member_count=count_members(connection, job.domain_id, expression, surroundings),
            profile_count=count_members(connection, job.domain_id, EVERYBODY, surroundings),
        )
