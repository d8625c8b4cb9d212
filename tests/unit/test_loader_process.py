"""Loaders that wait for their arguments: real processes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from openprofiles.cli.job_runner import JobRunner
from openprofiles.running_server import only_server
from openprofiles.settings import PostgresqlUrl, Settings
from openprofiles.store.open import open_store
from openprofiles.worker import loader
from openprofiles.worker.loader_arguments import EXIT_PARENT_DIED, LoaderArguments
from openprofiles.worker.loader_process import LoaderProcess, LoaderProcesses, close_input
from openprofiles.worker.priority import YIELDING_NICENESS

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


def arguments_for(folder: Path, *, yields: bool = False) -> LoaderArguments:
    return LoaderArguments(
        settings=Settings(
            data_folder=folder,
            store=PostgresqlUrl("postgresql://somebody:a secret@127.0.0.1:1/nowhere"),
            log_format="json",
        ).to_json(),
        yields=yields,
        job_number=1,
        owner="a worker",
        epoch=1,
        kind="upload",
    )


def test_orders_arrive_as_they_were_given(tmp_path: Path) -> None:
    arguments = arguments_for(tmp_path)

    assert LoaderArguments.from_line(arguments.to_line()) == arguments


def test_the_loader_that_waits_gets_the_orders(loaders: LoaderProcesses, tmp_path: Path) -> None:
    process = waiting(loaders)

    begun = loaders.begin(arguments_for(tmp_path))

    assert begun is process
    # There is no such store.
    assert begun.wait(DEADLINE_SECONDS) not in (0, EXIT_PARENT_DIED)
    close_input(begun)


def test_a_loader_that_died_while_it_waited_is_replaced(loaders: LoaderProcesses, tmp_path: Path) -> None:
    process = waiting(loaders)
    process.kill()
    process.wait(DEADLINE_SECONDS)

    begun = loaders.begin(arguments_for(tmp_path))

    assert begun.pid != process.pid
    assert begun.wait(DEADLINE_SECONDS) not in (0, EXIT_PARENT_DIED)
    close_input(begun)


def test_a_loader_without_orders_ends_with_its_worker(loaders: LoaderProcesses) -> None:
    process = waiting(loaders)

    close_input(process)

    assert process.wait(DEADLINE_SECONDS) == EXIT_PARENT_DIED


def test_no_orders_are_readable_by_others_on_the_machine(loaders: LoaderProcesses, tmp_path: Path) -> None:
    process = waiting(loaders)
    loaders.begin(arguments_for(tmp_path))

    shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()

    assert b"secret" not in shown
    process.kill()
    process.wait(DEADLINE_SECONDS)
    close_input(process)


# Prints the niceness of its threads and of its session, before it has used much processor time and afterwards.
PRIORITIES = """
import os, threading, time
from pathlib import Path
from openprofiles.worker.priority import YIELDING_NICENESS, yield_when_long

def all_threads():
    found = set()
    for thread in os.listdir("/proc/self/task"):
        try:
            found.add(os.getpriority(os.PRIO_PROCESS, int(thread)))
        except ProcessLookupError:
            pass  # It has ended since.
    return found

threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
yield_when_long(0.2)
print(all_threads())
while min(all_threads()) < YIELDING_NICENESS:
    pass
print(all_threads())
autogroup = Path("/proc/self/autogroup")
while autogroup.exists() and autogroup.read_text().split()[-1] == "0":
    pass
print(autogroup.read_text().split()[-1] if autogroup.exists() else YIELDING_NICENESS)
"""


def test_a_long_load_gives_way_with_all_of_its_threads_and_its_session_but_not_at_first() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRIORITIES],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=DEADLINE_SECONDS,
        start_new_session=True,
    )

    before = os.getpriority(os.PRIO_PROCESS, 0)
    after = max(before, YIELDING_NICENESS)
    assert done.stdout.split() == [f"{{{before}}}", f"{{{after}}}", str(YIELDING_NICENESS)]


def test_a_load_that_was_started_with_a_higher_niceness_keeps_it() -> None:
    lower = "from openprofiles.worker.priority import lower_priority; lower_priority(5)"
    show = "import os; print({os.getpriority(os.PRIO_PROCESS, int(one)) for one in os.listdir('/proc/self/task')})"
    code = f"import os; os.setpriority(os.PRIO_PROCESS, 0, 15); {lower}; {show}"

    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)

    assert done.stdout == "{15}\n"


@pytest.mark.parametrize("yields", [True, False])
def test_a_loader_gives_way_if_its_orders_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, yields: bool
) -> None:
    gave_way = []
    line = io.TextIOWrapper(io.BytesIO(arguments_for(tmp_path, yields=yields).to_line()))
    monkeypatch.setattr(sys, "stdin", line)
    monkeypatch.setattr(loader, "_end_with_parent", lambda: None)
    monkeypatch.setattr(loader, "_run", lambda *_: None)
    monkeypatch.setattr(loader, "set_up_logs", lambda _: None)
    monkeypatch.setattr(loader, "yield_when_long", lambda: gave_way.append(True))

    loader.main()

    assert bool(gave_way) is yields


def test_a_load_of_a_command_gives_way_only_beside_a_server(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path / "data")
    store = open_store(settings)
    with closing(store):
        alone = JobRunner(settings, store)
        alone.close()
        with only_server(settings):
            beside_a_server = JobRunner(settings, store)
            beside_a_server.close()

    assert not alone._worker._yields
    assert beside_a_server._worker._yields
