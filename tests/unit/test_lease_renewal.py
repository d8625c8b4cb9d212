"""The thread of a worker that renews the leases of its jobs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError

from openprofiles.settings import Settings
from openprofiles.store import job_queue
from openprofiles.store.sqlite import SqliteStore
from openprofiles.uploads.arrival.local_files import LocalFiles
from openprofiles.worker import main


class Loader:
    """A loader that runs."""

    def poll(self) -> None:
        return None


class NoLoaders:
    def prepare(self) -> None:
        """Start no spare loader."""

    def close(self) -> None:
        """Nothing was started."""


def test_an_unexpected_error_of_the_store_does_not_end_the_renewal_of_leases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[str] = []
    is_renewed = threading.Event()

    def extend_lease(_connection: object, job: Any, _until: object) -> bool:
        attempts.append(job.job_id)
        if len(attempts) == 1:
            statement, cause = "update", Exception("disk I/O error")
            raise OperationalError(statement, {}, cause)
        is_renewed.set()
        return True

    monkeypatch.setattr(main, "HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(main, "LoaderProcesses", NoLoaders)
    monkeypatch.setattr(job_queue, "extend_lease", extend_lease)
    store = SqliteStore(tmp_path / "openprofiles.db")
    worker = main.Worker(Settings(data_folder=tmp_path), store, LocalFiles(tmp_path / "uploads"), yields=False)
    job = type("Job", (), {"job_id": "one"})()
    worker._running.append(main._Running(cast(Any, job), cast(Any, Loader()), None))

    was_renewed = is_renewed.wait(10)

    worker._running.clear()
    worker.close()
    store.close()
    assert was_renewed
    assert "lease_not_renewed" in str([record.msg for record in caplog.records])
