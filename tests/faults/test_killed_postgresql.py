"""PostgreSQL itself is killed in the middle of a load."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from budgets import IS_LONG
from load.loading import Place, assert_index_and_log_are_right
from load.oracle import Column
from openprofiles.errors import StoreUnreachable
from openprofiles.settings import PostgresqlUrl
from openprofiles.worker.main import Worker
from postgresql_server import PostgresqlServer

_ROWS = 60_000 if IS_LONG else 20_000
_DEADLINE_SECONDS = 120.0


@pytest.mark.parametrize("phase", ["stage", "create", "index"] if IS_LONG else ["create"])
def test_a_load_goes_on_when_a_killed_postgresql_is_back(tmp_path: Path, phase: str) -> None:
    server = PostgresqlServer()
    try:
        place = Place(tmp_path / "data", PostgresqlUrl(server.create_database()))
        shop = place.open_shop()
        columns = (Column("Email", "EmailAddress"), Column("First", "FirstName"))
        data = b"Email,First\n" + b"".join(b"%d@x,Ann\n" % number for number in range(_ROWS))
        job = shop.create_job(columns, "Email", data)
        worker = Worker(place.settings, place.store, place.files, yields=False)
        was_killed = False
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while time.monotonic() < deadline:
            try:
                worker.step(job.job_id)
                now = shop.job(job)
            except StoreUnreachable:
                time.sleep(0.05)
                continue
            if now.status != "IN_PROGRESS" and worker.is_idle:
                break
            if not was_killed and now.phase == phase:
                server.kill()
                was_killed = True
                server.start()
            time.sleep(0.005)
        worker.close()

        ended = shop.job(job)
        assert was_killed
        assert (ended.status, ended.created_count, ended.updated_count) == ("SUCCEEDED", _ROWS, 0)
        assert ended.failed_attempts == 0
        assert_index_and_log_are_right(shop)
        place.close()
    finally:
        server.close()
