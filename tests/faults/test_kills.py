"""Processes that are killed with SIGKILL again and again: the store ends as if nothing had happened."""

from __future__ import annotations

import functools
import random
import tempfile
from pathlib import Path

import pytest

from acceptance.running import running_server, wait_until
from budgets import IS_LONG, KILLS
from faults.loads import (
    CHANGED_BY_A_NEW_SCRATCH,
    SIZE,
    Installation,
    Rows,
    assert_row_numbers_are_used_once,
    assert_store_is_whole,
    differences,
    new_installation,
    opened,
    prepare_load,
    read_store,
)
from faults.prepared import prepared_load, undisturbed_load
from faults.processes import (
    DEADLINE_SECONDS,
    PHASES,
    Kills,
    kill_all,
    let_lease_run_out,
    read_log,
    run_undisturbed,
    run_with_kills,
    tree_of,
)
from postgresql_server import PostgresqlServer

LOADS = max(1, KILLS // 13)
# A phase can be over before this process has seen it; then the load is killed once more.
MOST_REPEATS = 3


@pytest.fixture(scope="module")
def work_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> PostgresqlServer | None:
    """Where the store is; None for the embedded one."""
    if request.param == "sqlite":
        return None
    running = request.getfixturevalue("postgresql_server")
    assert isinstance(running, PostgresqlServer)
    return running


@functools.lru_cache(maxsize=4)
def prepared(work_folder: Path, server: PostgresqlServer | None, seed: int) -> tuple[Installation, dict[str, Rows]]:
    """An installation with a job that waits for a worker, and the store that an undisturbed worker makes of it."""
    if server is None:
        return prepared_load(seed, SIZE), undisturbed_load(seed, SIZE)
    waiting = new_installation(Path(tempfile.mkdtemp(dir=work_folder)) / "prepared", server)
    prepare_load(waiting, seed, SIZE)
    return waiting, run_undisturbed(waiting)


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize("seed", range(LOADS))
def test_a_load_killed_in_every_step_and_at_random_moments_ends_like_an_undisturbed_one(
    work_folder: Path, server: PostgresqlServer | None, seed: int
) -> None:
    waiting, expected = prepared(work_folder, server, seed)
    kills = Kills(KILLS // LOADS, random.Random(seed))

    for repeat in range(MOST_REPEATS):
        disturbed = waiting.copy(work_folder / f"disturbed-{seed}-{repeat}")
        with opened(disturbed) as (shop, job):
            ended = run_with_kills(disturbed, shop, job, kills)

            assert ended.status == "PARTIALLY_SUCCEEDED", f"{kills}\n{read_log(disturbed.data_folder)}"
            assert differences(expected, read_store(shop), without=CHANGED_BY_A_NEW_SCRATCH) == [], kills
            assert shop.profile_count() == len(expected["profile"])
            assert_row_numbers_are_used_once(shop)
            assert_store_is_whole(shop)
        disturbed.remove()
        if not kills.missing and kills.count >= kills.wanted:
            break

    print(kills)
    assert kills.missing == set(), kills
    assert kills.count >= kills.wanted, kills


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize("phase", PHASES if IS_LONG else ["create"])
def test_a_server_killed_with_all_its_processes_goes_on_with_its_load_when_it_starts_again(
    work_folder: Path, server: PostgresqlServer | None, phase: str
) -> None:
    waiting, expected = prepared(work_folder, server, LOADS - 1)
    killed = waiting.copy(work_folder / f"server-{phase}")
    options = ("--workers", "1", *(("--store", killed.store.text) if killed.store else ()))

    with opened(killed) as (shop, job):
        with running_server(killed.data_folder, *options) as api:
            wait_until(
                lambda: shop.job(job).phase in PHASES[PHASES.index(phase) :],
                f"the load has come to {phase}",
                DEADLINE_SECONDS,
            )
            pids = tree_of(api.process.pid)
            kill_all(pids)
        left = shop.job(job)
        let_lease_run_out(shop, job)
        with running_server(killed.data_folder, *options) as api:
            wait_until(lambda: shop.job(job).status != "IN_PROGRESS", "the job ends", DEADLINE_SECONDS)
            told = api.client().get_upload_job(DomainName=shop.name, JobId=job.job_id)
            wait_until(lambda: not shop.place.left_files(job), "the job's files are removed", DEADLINE_SECONDS)

        assert len(pids) == 3, "server, worker and loader"
        assert left.status == "IN_PROGRESS"
        assert told["Status"] == "PARTIALLY_SUCCEEDED"
        assert differences(expected, read_store(shop), without=CHANGED_BY_A_NEW_SCRATCH) == []
        assert_row_numbers_are_used_once(shop)
        assert_store_is_whole(shop)
