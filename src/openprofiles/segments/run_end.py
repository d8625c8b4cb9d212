"""How the jobs of segments begin and end, whatever they do in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from openprofiles.clock import Clock
from openprofiles.errors import InvalidRequest
from openprofiles.job_kinds import JobKind
from openprofiles.profiles.session import Reading
from openprofiles.store.domains import find_domain_by_number
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.segment_runs import SegmentRun, find_run, write_counts
from openprofiles.store.upload_job_states import INTERNAL_FAILURE, VALIDATION_FAILURE, UploadJobStatus


class RunFailed(Exception):
    """A job cannot do what it was asked for; the message says why."""


def run_segment_job(
    store: LeasedStore, kind: JobKind, clock: Clock, work: Callable[[LeasedJob, SegmentRun, Reading], tuple[int, int]]
) -> None:
    """Run the work of the leased job, and end it.

    Args:
        work: gets the job and one state of the store; returns how many members and how many profiles there are.
    """
    job = store.read_job()
    as_of: datetime | None = None
    counts: tuple[int, int] | None = None
    status, reason, message = UploadJobStatus.SUCCEEDED, None, None
    if job.stop_requested or job.domain_deleted:
        status = UploadJobStatus.STOPPED
    elif job.gives_up:
        status, reason = UploadJobStatus.FAILED, INTERNAL_FAILURE
        message = job.failure_message or kind.gave_up_message
    else:
        try:
            with _state(store, kind, job, clock()) as (found, session):
                as_of = session.now
                counts = work(job, found, session)
        except (InvalidRequest, RunFailed) as error:
            # What the segment names may have been deleted after the request.
            status, reason, message = UploadJobStatus.FAILED, VALIDATION_FAILURE, str(error)
    with store.chunk():
        if counts is not None and as_of is not None:
            members, profiles = counts
            write_counts(store.connection, job.job_id, as_of=as_of, member_count=members, profile_count=profiles)
        store.end_job(
            status=status,
            reason=reason,
            message=message,
            fault_counts=(),
            step_milliseconds={},
            completed_at=clock(),
        )


@contextmanager
def _state(store: LeasedStore, kind: JobKind, job: LeasedJob, now: datetime) -> Iterator[tuple[SegmentRun, Reading]]:
    with store.store.read() as connection:
        domain = find_domain_by_number(connection, job.domain_id)
        found = find_run(connection, kind, job.domain_id, job.job_id)
        if domain is None or found is None:
            raise RunFailed("The domain was deleted.")
        yield found, Reading(connection=connection, domain=domain, now=now)
