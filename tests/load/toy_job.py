"""A toy kind of job, in one module: it counts to three, in chunks that a stop can end."""

from __future__ import annotations

import json
import sys

from openprofiles.clock import Clock, utc_now
from openprofiles.job_kinds import KINDS, JobKind, Lane, ShownStep, Unit
from openprofiles.settings import Settings
from openprofiles.store.bulk import BulkStore, Lease
from openprofiles.store.open_bulk import open_bulk_store
from openprofiles.uploads.loading.leased_work import check_stop

TOY = JobKind(
    name="toy",
    runner="load.toy_job:run",
    lane=Lane.READ,
    steps=(ShownStep("Counting", 1, ("count",), Unit.ROWS),),
    gave_up_message="The toy gave up.",
    scratch_message="The toy cannot write.",
)


def run(store: BulkStore, settings: Settings, clock: Clock) -> None:
    for number in range(store.read_job().position, 3):
        with store.chunk() as state:
            check_stop(state)
            store.record_progress(phase="count", position=number + 1, total=3)
    with store.chunk():
        store.end_job(
            status="SUCCEEDED",
            reason=None,
            message=None,
            fault_counts=(),
            step_milliseconds={},
            completed_at=clock(),
        )


if __name__ == "__main__":
    from openprofiles.worker.loader import run_leased_job

    KINDS[TOY.name] = TOY
    settings = Settings.from_json(json.loads(sys.argv[1]))
    store = open_bulk_store(settings, Lease(int(sys.argv[2]), "w", int(sys.argv[3]), TOY.name))
    run_leased_job(store, settings, utc_now)
    store.close()
