"""Measure loads into a PostgreSQL store, in comparison with hand-written psql scripts, and several workers at once.

The server is a real one, set to lose nothing, and shares the processors with everything else. The scripts are what
somebody writes who knows PostgreSQL well; they check no value, report no row, and write nothing when they are killed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.api import ApiBenchmark, Caller, Place, running_server
from benchmarks.loads import COMMAND, JOB, Figures, Sizes, first_file, import_command, job_duration_sql, second_file
from benchmarks.processes import run
from postgresql_server import PostgresqlServer

PREFIX = "PostgreSQL, "
WORKERS = (1, 4)
ONE_BY_ONE = "one by one"

SETTINGS = ("fsync=on", "full_page_writes=on", "shared_buffers=512MB", "max_wal_size=4GB", "max_connections=200")
_SCRIPTS = {name: Path(__file__).with_name(f"by_hand_{name}.sql") for name in ("first", "second")}
_WORKER_DOMAINS = 4
_POLL_SECONDS = 0.1

# Both ways of loading must agree on this: profiles without row numbers and times, and keys by name.
_CONTENT = (
    "select count(*), sum(hashtextextended(concat_ws('|', account_number, first_name, last_name, email_address, "
    "phone_number, birth_date, gender_string, address_address1, address_city, address_state, address_postal_code, "
    "address_country, attributes::jsonb, revision), 0)) from profile",
    "select name, count(*), sum(hashtextextended(value, 0)) from profile_key group by name order by name",
)


class PostgresqlBenchmark:
    """Interleaved rounds. Close the object at the end to stop its server."""

    def __init__(self, folder: Path, sizes: Sizes, figures: Figures) -> None:
        self._folder = folder / "data-postgresql"
        self._figures = figures
        self._files = {"first": first_file(folder, sizes.rows), "second": second_file(folder, sizes.rows)}
        self._worker_file = first_file(folder, sizes.rows // _WORKER_DOMAINS)
        self._server = PostgresqlServer(SETTINGS)
        try:
            self._api = ApiBenchmark(
                folder, first_file(folder, sizes.load_rows), figures, postgresql=self._server, prefix=PREFIX
            )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop the server."""
        self._server.close()

    def round(self) -> None:
        """Measure everything once."""
        ours, by_hand = self._fresh_place("ours"), self._fresh_place("by-hand")
        self._prepare_by_hand(by_hand)
        for name in ("first", "second"):
            self._load(name, ours)
            self._load_by_hand(name, by_hand)
            _compare(name, ours, by_hand)
            # Background work that one load leaves behind must not slow down the next one.
            for place in (ours, by_hand):
                _execute(place, "vacuum analyze")
        for place in (ours, by_hand):
            self._remove(place)
        self._load_with_workers(1, one_after_the_other=True)
        for count in WORKERS:
            self._load_with_workers(count)
        self._api.round()

    def _fresh_place(self, name: str) -> Place:
        folder = self._folder / name
        shutil.rmtree(folder, ignore_errors=True)
        return Place(folder, self._server.create_database())

    def _remove(self, place: Place) -> None:
        assert place.store is not None
        self._server.drop_database(place.store)
        shutil.rmtree(place.folder)

    def _load(self, name: str, place: Place) -> None:
        self._settle(place)
        done = run(import_command(self._files[name], *place.options))
        self._figures.add(f"{PREFIX}{name}, {COMMAND}", done.seconds)
        # A commit that is compared may have times in another table.
        table = _rows(place, "select coalesce(to_regclass('job'), to_regclass('upload_job'))::text")[0][0]
        self._figures.add(f"{PREFIX}{name}, {JOB}", float(_rows(place, job_duration_sql(table))[0][0]) / 1000)

    def _prepare_by_hand(self, place: Place) -> None:
        """Create the tables and the domain."""
        run([sys.executable, "-m", "openprofiles", "credentials", "create", "--name", "by-hand", *place.options])
        _execute(
            place,
            "insert into domain (name, config, tags, default_expiration_days, phone_region, created_at, updated_at) "
            "values ('shop', '{}', '{}', 14, 'US', 0, 0)",
        )

    def _load_by_hand(self, name: str, place: Place) -> None:
        assert place.store is not None
        self._settle(place)
        started = time.perf_counter()
        with self._files[name].open("rb") as file:
            done = subprocess.run(
                [self._server.program("psql"), "--no-psqlrc", place.store, "-f", _SCRIPTS[name]],
                stdin=file,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            raise RuntimeError(f"{_SCRIPTS[name].name} failed: {done.stderr}")
        self._figures.add(f"{PREFIX}psql, {name}", time.perf_counter() - started)

    def _load_with_workers(self, count: int, *, one_after_the_other: bool = False) -> None:
        name = f"{PREFIX}{ONE_BY_ONE if one_after_the_other else f'{count} workers'}"
        place = self._fresh_place("workers")
        with running_server(place, "--workers", str(count)) as port:
            caller = Caller(place.folder, port)
            jobs = [caller.upload(f"shop-{number}", self._worker_file) for number in range(_WORKER_DOMAINS)]
            self._settle(place)
            before, started = _processor_times(), time.perf_counter()
            for group in [[job] for job in jobs] if one_after_the_other else [jobs]:
                for job in group:
                    caller.start(job)
                while any(caller.status(job) == "IN_PROGRESS" for job in group):
                    time.sleep(_POLL_SECONDS)
            self._figures.add(f"{name}, seconds", time.perf_counter() - started)
            busy = [_busy(one, other) for one, other in zip(before, _processor_times(), strict=True)]
            self._figures.add(f"{name}, busy", 100 * min(busy))
            ended = {caller.status(job) for job in jobs}
        if ended != {"SUCCEEDED"}:
            raise RuntimeError(f"the loads with {count} workers ended as {ended}")
        self._remove(place)

    def _settle(self, place: Place) -> None:
        """Flush earlier writes to the disk."""
        _execute(place, "checkpoint")
        os.sync()


def _compare(name: str, ours: Place, by_hand: Place) -> None:
    """Refuse a yardstick with a different result."""
    for query in _CONTENT:
        mine, theirs = _rows(ours, query), _rows(by_hand, query)
        if mine != theirs:
            raise RuntimeError(f"after the {name} load, openprofiles has {mine}, the script {theirs}")


def _rows(place: Place, query: str) -> list[tuple[Any, ...]]:
    assert place.store is not None
    with psycopg.connect(place.store) as connection:
        return connection.execute(query.encode()).fetchall()


def _execute(place: Place, statement: str) -> None:
    assert place.store is not None
    with psycopg.connect(place.store, autocommit=True) as connection:
        connection.execute(statement.encode())


def _processor_times() -> list[tuple[int, int]]:
    """Return for each processor its idle time and its total time."""
    found = []
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            # user, nice, system, idle, iowait, irq, softirq, steal; the time of guests is part of user.
            times = [int(field) for field in fields[:8]]
            found.append((times[3] + times[4], sum(times)))
    return found


def _busy(before: tuple[int, int], after: tuple[int, int]) -> float:
    return 1 - (after[0] - before[0]) / (after[1] - before[1])
