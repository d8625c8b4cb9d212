"""Bring a leased job of any kind to its end: its scratch database, its steps, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from openprofiles.bulk.scratch import Scratch
from openprofiles.bulk.scratch_folder import remove_scratch
from openprofiles.bulk.step_times import StepTimes
from openprofiles.bulk.steps import GaveUp, Standing, Step, Stopped, run_steps
from openprofiles.clock import Clock
from openprofiles.store.bulk_jobs import JobStore
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.store.upload_job_states import VALIDATION_FAILURE, UploadJobStatus


@dataclass(frozen=True, slots=True)
class End:
    """How a job ends: its status, why, and a message for people."""

    status: UploadJobStatus
    reason: str | None = None
    message: str | None = None


def failed(message: str) -> End:
    """Make the end of a job that failed for its file or its rows."""
    return End(UploadJobStatus.FAILED, VALIDATION_FAILURE, message)


class JobEnded(Exception):
    """A step ends the job; nothing was written to the profiles."""

    def __init__(self, end: End) -> None:
        super().__init__(end.status)
        self.end = end


class JobRun(Protocol):
    """A job of some kind, as this loader runs it."""

    @property
    def job(self) -> LeasedJob:
        """The job as it was when this loader took it over."""

    @property
    def steps(self) -> Sequence[Step]:
        """Its steps, in order."""

    def give_up(self) -> End:
        """Complete what was written, and find how a job ends whose loaders died too often."""

    def end(self) -> End:
        """Find how the job ends, once its steps are through."""


def run_job(
    store: JobStore,
    job: LeasedJob,
    scratch_folder: Path,
    begin: Callable[[Scratch], AbstractContextManager[JobRun]],
    *,
    memory_limit_bytes: int,
    clock: Clock,
) -> UploadJobStatus:
    """Run the steps of the leased job that are left, and end it.

    Returns:
        its final status.

    Raises:
        LeaseLost: another worker has the job; nothing may be removed.
        Exception: a fault of ours or of the machine; another loader can take over the job where it stood.
    """
    scratch = Scratch(
        scratch_folder / job.job_id,
        epoch=job.epoch,
        memory_limit_bytes=memory_limit_bytes,
        phone_region=job.phone_region,
    )
    times = StepTimes(scratch)
    try:
        with begin(scratch) as run:
            end = _run(run, times)
    finally:
        scratch.close()
    _forget_notes(store)
    fault_counts = store.count_faults()
    completed_at = clock()
    with store.chunk() as state:
        if state.stop_requested and end.status in (UploadJobStatus.SUCCEEDED, UploadJobStatus.PARTIALLY_SUCCEEDED):
            # The stop was answered, although it came too late to keep anything from being written.
            end = End(UploadJobStatus.STOPPED)
        store.end_job(
            status=end.status,
            reason=end.reason,
            message=end.message,
            fault_counts=fault_counts,
            step_milliseconds=times.milliseconds,
            completed_at=completed_at,
        )
    remove_scratch(scratch_folder, job.job_id)
    return end.status


def _run(run: JobRun, times: StepTimes) -> End:
    job = run.job
    try:
        stopped = run_steps(
            run.steps,
            None if job.phase is None else Standing(job.phase, job.position),
            times.timed,
            gives_up=job.gives_up,
            stop_requested=job.stop_requested,
        )
    except JobEnded as ended:
        return ended.end
    except GaveUp:
        return run.give_up()
    except Stopped:
        stopped = True
    return End(UploadJobStatus.STOPPED) if stopped else run.end()


def _forget_notes(store: JobStore) -> None:
    is_left = True
    while is_left:
        with store.chunk():
            is_left = store.forget_notes()
            store.check_lease()
