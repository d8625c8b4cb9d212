"""Processes that are killed with SIGKILL while they take a load back: the store ends as it was before the load."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import by_hand
from acceptance.running import wait_until
from budgets import KILLS
from faults.loads import SIZE, new_installation, opened, prepare_load
from faults.processes import (
    DEADLINE_SECONDS,
    UNDO_PHASES,
    Kills,
    read_log,
    run_with_kills,
    running_worker,
)
from load.loading import assert_index_and_log_are_right
from openprofiles.clock import utc_now
from openprofiles.uploads import undos
from postgresql_server import PostgresqlServer

UNDOS = max(1, KILLS // 13)
# Phases of some milliseconds can be over before this process has seen them.
_HARD_TO_MEET = {"stage", "forget"}


@pytest.mark.long(
    daily="tests/load/test_undo.py::"
    "test_any_loads_that_are_taken_back_the_last_first_leave_everything_as_it_was_before_each_of_them"
)
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_load_that_is_taken_back_by_processes_that_are_killed_leaves_everything_as_before(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: PostgresqlServer | None = request.getfixturevalue("postgresql_server") if engine == "postgresql" else None
    kills = Kills(KILLS, random.Random(7), UNDO_PHASES)
    for seed in range(UNDOS):
        installation = new_installation(tmp_path / f"data-{seed}", server)
        prepare_load(installation, seed, SIZE)
        with opened(installation) as (shop, job):
            before = shop.contents()
            with running_worker(installation) as worker:
                wait_until(lambda: shop.job(job).status != "IN_PROGRESS", "the job ends", DEADLINE_SECONDS)  # noqa: B023
                assert worker.stop() == 0
            job = shop.job(job)
            assert min(job.created_count, job.updated_count) > 0, read_log(installation.data_folder)
            undo = by_hand.At(utc_now()).write(shop.store, shop.domain, undos.start_undo, job.job_id)

            ended = run_with_kills(installation, shop, undo.job, kills)

            assert ended.status == "SUCCEEDED", read_log(installation.data_folder)
            assert (ended.removed_count, ended.kept_count, ended.gone_count) == (job.created_count, 0, 0)
            assert shop.contents() == before
            assert_index_and_log_are_right(shop)
        installation.remove()
    assert kills.count >= len(UNDO_PHASES) - len(_HARD_TO_MEET)
    assert kills.missing <= _HARD_TO_MEET, str(kills)
