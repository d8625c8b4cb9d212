"""PostgreSQL ends sessions of a loader in the middle of a load, as a fail-over or an administrator does."""

from __future__ import annotations

import random
import time
from pathlib import Path

import psycopg
import pytest

from budgets import IS_LONG, KILLS
from faults.loads import (
    SMALL,
    Installation,
    assert_row_numbers_are_used_once,
    differences,
    new_installation,
    opened,
    prepare_load,
    read_store,
)
from faults.processes import DEADLINE_SECONDS, read_log, run_undisturbed, running_worker
from postgresql_server import PostgresqlServer

# After each the worker waits for the lease to run out, a quarter of a minute.
WANTED_CUTS = KILLS // 2 if IS_LONG else 2
MOST_SECONDS_BETWEEN_CUTS = 1.0
# A load can be over before it was cut so often; then it is loaded once more.
MOST_REPEATS = 10


def cut_one(connection: psycopg.Connection[tuple[object, ...]], dice: random.Random) -> int:
    """End one of the loader's sessions that are within a transaction; how many were ended."""
    open_transactions = connection.execute(
        "select pid from pg_stat_activity where datname = current_database() "
        "and application_name = 'openprofiles loader' and xact_start is not null order by pid"
    ).fetchall()
    if not open_transactions:
        return 0
    (pid,) = dice.choice(open_transactions)
    ended = connection.execute("select pg_terminate_backend(%s)", (pid,)).fetchone()
    return int(ended == (True,))


def run_with_cuts(waiting: Installation, name: str, wanted: int, dice: random.Random) -> tuple[int, Installation]:
    """Run the load of a copy to its end; how often it was cut, and the copy."""
    disturbed = waiting.copy(waiting.data_folder.with_name(name))
    assert disturbed.store is not None
    cuts = 0
    with (
        opened(disturbed) as (shop, job),
        running_worker(disturbed) as worker,
        psycopg.connect(disturbed.store.text, autocommit=True) as connection,
    ):
        deadline = time.monotonic() + DEADLINE_SECONDS
        cut_at = time.monotonic()
        while (now := shop.job(job)).status == "IN_PROGRESS":
            assert time.monotonic() < deadline, f"the job does not end: phase {now.phase}, {cuts} cuts"
            assert now.failed_attempts == 0, read_log(disturbed.data_folder)
            is_due = cuts < wanted and time.monotonic() >= cut_at
            if is_due and (cut := cut_one(connection, dice)):
                cuts += cut
                cut_at = time.monotonic() + dice.uniform(0.2, MOST_SECONDS_BETWEEN_CUTS)
            # Transactions are short.
            time.sleep(0.001 if is_due else 0.05)
        assert worker.stop() == 0
    return cuts, disturbed


@pytest.mark.long(daily="tests/faults/test_killed_postgresql.py::test_a_load_goes_on_when_a_killed_postgresql_is_back")
def test_a_load_whose_connections_are_cut_in_mid_chunk_ends_as_undisturbed_and_has_not_died(
    tmp_path: Path, postgresql_server: PostgresqlServer
) -> None:
    waiting = new_installation(tmp_path / "prepared", postgresql_server)
    prepare_load(waiting, 3, SMALL)
    expected = run_undisturbed(waiting)
    dice = random.Random(4)

    cuts = 0
    for repeat in range(MOST_REPEATS):
        here, disturbed = run_with_cuts(waiting, f"disturbed-{repeat}", WANTED_CUTS - cuts, dice)
        cuts += here
        with opened(disturbed) as (shop, job):
            ended, log = shop.job(job), read_log(disturbed.data_folder)

            assert ended.status == "PARTIALLY_SUCCEEDED", log
            assert ended.failed_attempts == 0
            assert differences(expected, read_store(shop)) == [], f"{here} cuts\n{log}"
            assert_row_numbers_are_used_once(shop)
        assert "loader_died" not in log
        assert ("load_lost_store" in log) == bool(here)
        if cuts == WANTED_CUTS:
            break

    assert cuts == WANTED_CUTS
