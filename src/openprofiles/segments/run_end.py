"""How the jobs of segments begin and end, whatever they do in between."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from openprofiles.clock import Clock
from openprofiles.errors import InvalidRequest
from openprofiles.job_kinds import JobKind
from openprofiles.profiles.session import Reading
from openprofiles.settings import Settings
from openprofiles.store.domains import find_domain_by_number
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.profile_sets import SetOwner, write_set
from openprofiles.store.segment_rows import allow_long_statements
from openprofiles.store.segment_runs import SegmentRun, find_run, write_counts
from openprofiles.store.upload_job_states import INTERNAL_FAILURE, VALIDATION_FAILURE, UploadJobStatus


class RunFailed(Exception):
    """A job cannot do what it was asked for; the message says why."""


class RunStopped(Exception):
    """A job was stopped, or its domain was deleted."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a job has found.

    Attributes:
        as_of: the state of the store that the numbers hold for.
    """

    as_of: datetime
    member_count: int
    profile_count: int
    # The row numbers of the members, ascending; None: they are not kept.
    members: npt.NDArray[np.int64] | None = None


@contextmanager
def scratch_folder(settings: Settings, job: LeasedJob) -> Iterator[Path]:
    """Make a folder for a job.

    It is named after the job, so that it is removed if this process dies; another claim of the job has its own.
    """
    folder = settings.scratch_folder / job.job_id / str(job.epoch)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        # Another claim of the job may still have its folder in there.
        with suppress(OSError):
            folder.parent.rmdir()


OpenState: TypeAlias = Callable[[], AbstractContextManager[Reading]]


def run_segment_job(
    store: LeasedStore, kind: JobKind, clock: Clock, work: Callable[[LeasedJob, SegmentRun, OpenState], Counts]
) -> None:
    """Run the work of the leased job, and end it.

    Args:
        work: gets the job, and what opens one state of the store, which it must not keep open while it waits for
            others.
    """
    job = store.read_job()
    counts: Counts | None = None
    run: SegmentRun | None = None
    status, reason, message = UploadJobStatus.SUCCEEDED, None, None
    if job.stop_requested or job.domain_deleted:
        status = UploadJobStatus.STOPPED
    elif job.gives_up:
        status, reason = UploadJobStatus.FAILED, INTERNAL_FAILURE
        message = job.failure_message or kind.gave_up_message
    else:
        try:
            run = _find(store, kind, job)
            counts = work(job, run, lambda: _state(store, job, clock()))
        except RunStopped:
            status = UploadJobStatus.STOPPED
        except (InvalidRequest, RunFailed) as error:
            # What the segment names may have been deleted after the request.
            status, reason, message = UploadJobStatus.FAILED, VALIDATION_FAILURE, str(error)
    with store.chunk():
        if counts is not None:
            if counts.members is not None and run is not None:
                write_set(store.connection, job.domain_id, SetOwner.SNAPSHOT, run.job_number, counts.members)
            write_counts(
                store.connection,
                job.job_id,
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


def _find(store: LeasedStore, kind: JobKind, job: LeasedJob) -> SegmentRun:
    with store.store.read() as connection:
        found = find_run(connection, kind, job.domain_id, job.job_id)
    if found is None:
        raise LookupError("The job has no details.")
    return found


@contextmanager
def _state(store: LeasedStore, job: LeasedJob, now: datetime) -> Iterator[Reading]:
    with store.store.read() as connection:
        domain = find_domain_by_number(connection, job.domain_id)
        if domain is None:
            raise RunStopped
        allow_long_statements(connection)
        yield Reading(connection=connection, domain=domain, now=now)
