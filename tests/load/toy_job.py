"""A toy kind of job, in one module: it counts to three, in chunks that a stop can end."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext

from openprofiles.bulk.leased_work import check_stop
from openprofiles.bulk.run_job import End, run_job
from openprofiles.bulk.steps import Part, Standing, Step
from openprofiles.clock import Clock, utc_now
from openprofiles.job_kinds import KINDS, JobKind, Lane, ShownStep, Unit
from openprofiles.settings import Settings
from openprofiles.store.bulk import BulkStore
from openprofiles.store.leased_jobs import Lease
from openprofiles.store.open_bulk import open_bulk_store
from openprofiles.store.upload_job_states import INTERNAL_FAILURE, UploadJobStatus

COUNT = "count"
TOY = JobKind(
    name="toy",
    runner="load.toy_job:run",
    lane=Lane.READ,
    steps=(ShownStep("Counting", 1, (COUNT,), Unit.ROWS),),
    gave_up_message="The toy gave up.",
    scratch_message="The toy cannot write.",
)


def run(store: BulkStore, settings: Settings, clock: Clock) -> None:
    counting = _Counting(store)
    run_job(
        store,
        counting.job,
        settings.scratch_folder,
        # A job that needs a scratch database passes it to its steps.
        lambda _scratch: nullcontext(counting),
        memory_limit_bytes=settings.memory_limit_bytes,
        clock=clock,
    )


class _Counting:
    """The steps of the toy."""

    def __init__(self, store: BulkStore) -> None:
        self._store = store
        self.job = store.read_job()

    @property
    def steps(self) -> list[Step]:
        return [Step(name=COUNT, run=self._count, part=Part.PREPARE)]

    def give_up(self) -> End:
        return End(UploadJobStatus.FAILED, INTERNAL_FAILURE, self.job.failure_message or TOY.gave_up_message)

    def end(self) -> End:
        return End(UploadJobStatus.SUCCEEDED)

    def _count(self, at: Standing | None) -> None:
        for number in range(at.position if at else 0, 3):
            with self._store.chunk() as state:
                check_stop(state)
                self._store.record_progress(phase=COUNT, position=number + 1, total=3)


if __name__ == "__main__":
    from openprofiles.worker.loader import run_leased_job

    KINDS[TOY.name] = TOY
    settings = Settings.from_json(json.loads(sys.argv[1]))
    store = open_bulk_store(settings, Lease(int(sys.argv[2]), "w", int(sys.argv[3]), TOY.name))
    run_leased_job(store, settings, utc_now)
    store.close()
