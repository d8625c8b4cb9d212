"""Loaders that wait for their orders: real processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.running import wait_until
from openprofiles.worker.loader_process import LoaderProcess, LoaderProcesses, close_input
from openprofiles.worker.orders import EXIT_PARENT_DIED, Orders

DEADLINE_SECONDS = 60


@pytest.fixture
def loaders() -> Iterator[LoaderProcesses]:
    loaders = LoaderProcesses()
    yield loaders
    loaders.close()


def waiting(loaders: LoaderProcesses) -> LoaderProcess:
    loaders.prepare()
    assert loaders._waiting is not None
    return loaders._waiting


def orders_for(folder: Path) -> Orders:
    return Orders(
        data_folder=str(folder),
        store="postgresql://somebody:a secret@127.0.0.1:1/nowhere",
        files=None,
        master_key=None,
        memory_limit_bytes=100_000_000,
        max_upload_size_bytes=1_000_000,
        compat_strict=False,
        undo_days=7,
        log_format="json",
        upload_job_id=1,
        owner="a worker",
        epoch=1,
    )


def test_orders_arrive_as_they_were_given(tmp_path: Path) -> None:
    orders = orders_for(tmp_path)

    assert Orders.from_line(orders.to_line()) == orders


def test_the_loader_that_waits_gets_the_orders(loaders: LoaderProcesses, tmp_path: Path) -> None:
    process = waiting(loaders)

    begun = loaders.begin(orders_for(tmp_path))

    assert begun is process
    # There is no such store.
    assert begun.wait(DEADLINE_SECONDS) not in (0, EXIT_PARENT_DIED)
    close_input(begun)


def test_a_loader_that_died_while_it_waited_is_replaced(loaders: LoaderProcesses, tmp_path: Path) -> None:
    process = waiting(loaders)
    process.kill()
    process.wait(DEADLINE_SECONDS)

    begun = loaders.begin(orders_for(tmp_path))

    assert begun.pid != process.pid
    assert begun.wait(DEADLINE_SECONDS) not in (0, EXIT_PARENT_DIED)
    close_input(begun)


def test_a_loader_without_orders_ends_with_its_worker(loaders: LoaderProcesses) -> None:
    process = waiting(loaders)

    close_input(process)

    assert process.wait(DEADLINE_SECONDS) == EXIT_PARENT_DIED


def test_no_orders_are_readable_by_others_on_the_machine(loaders: LoaderProcesses, tmp_path: Path) -> None:
    process = waiting(loaders)
    loaders.begin(orders_for(tmp_path))

    shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()

    assert b"secret" not in shown
    process.kill()
    process.wait(DEADLINE_SECONDS)
    close_input(process)


def test_a_loader_takes_the_lowest_priority_among_processes_and_among_sessions(loaders: LoaderProcesses) -> None:
    process = waiting(loaders)
    autogroup = Path(f"/proc/{process.pid}/autogroup")

    wait_until(lambda: os.getpriority(os.PRIO_PROCESS, process.pid) == 19, "the loader takes its priority")

    if autogroup.exists():
        wait_until(lambda: autogroup.read_text().split()[-1:] == ["19"], "its session takes it too")
