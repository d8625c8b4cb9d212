"""Shared by all tests: the selection and the order of tests, and PostgreSQL and S3 servers for those that need them."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from acceptance.forked_loaders import ForkedLoaders
from acceptance.running import forked_commands
from budgets import IS_LONG
from long_tests import leave_out_long_tests
from postgresql_server import PostgresqlServer
from processor_time import ProcessorTime
from s3_server import S3Server

# The tests start our programs more than a thousand times. If Python writes no bytecode, as in many containers, each of
# them would compile all modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_BROWSER = "tests/browser"
# In the long form, half of the processor time.
_LOADS = "tests/load"
# Several times the room that the tests need at any moment.
_ROOM_BYTES = 4_000_000_000


def _use_memory_for_files(folder: Path = Path("/dev/shm")) -> None:  # noqa: S108 (the folder is the system's own)
    """Keep the tests' files in memory if there is enough room and TMPDIR is not set.

    A small load spends half of its time waiting for the disk. For a killed process there is no difference: its files
    remain in both places, and no test cuts the power.
    """
    try:
        room = shutil.disk_usage(folder).free
        (available,) = re.findall(r"^MemAvailable: *(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except (OSError, ValueError):
        return
    if min(room, int(available) * 1024) > _ROOM_BYTES and os.access(folder, os.W_OK) and "TMPDIR" not in os.environ:
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


_use_memory_for_files()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(ProcessorTime(), "openprofiles processor time")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Let one process compile the tests before the others import them.

    In a new checkout, to compile them takes twice as long as to import them.
    """
    if not hasattr(session.config, "workerinput"):
        return (yield)
    with Path(__file__).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(lock, fcntl.LOCK_SH)
            fcntl.flock(lock, fcntl.LOCK_UN)
        return (yield)


class OneBrowser(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Run the tests of a file in the same process, and all tests of the console in the same process.

    They share a server, a browser, and a page's compiled scripts, which take as long to start as several tests. In the
    long form, the loads of a file on PostgreSQL may run in another process than those on SQLite.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        if IS_LONG and file.startswith(f"{_LOADS}/") and "[postgresql" in nodeid:
            return f"{file} on PostgreSQL"
        return _BROWSER if file.startswith(f"{_BROWSER}/") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneBrowser | None:
    return OneBrowser(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select the tests of this form, and alternate between the folders, largest files first.

    Some folders mostly wait and others mostly compute, so that together they take less time than one after the other.
    The tests of the console come first, since one process runs all of them (``OneBrowser``); in the long form, those of
    loads too, whose files take longest.
    """
    leave_out_long_tests(config, items)
    sizes = Counter(item.path for item in items)
    turns: Counter[Path] = Counter()
    turn_of_file = {}
    for path, size in sizes.most_common():
        turn, is_load = turns[path.parent], IS_LONG and path.parent.name == "load"
        # The files of loads with few tests have those that draw many loads.
        turn_of_file[path] = (path.parent.name != "browser" and not is_load, size if is_load else turn)
        turns[path.parent] += 1
    items.sort(key=lambda item: turn_of_file[item.path])


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Run a PostgreSQL server, in which each test creates its own database."""
    server = PostgresqlServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """Run an object store, in which each test creates its own bucket."""
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def forked_loaders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedLoaders]:
    """Run the process that forks loaders for those who ask for them."""
    forker = ForkedLoaders(tmp_path_factory.mktemp("forker"))
    yield forker
    forker.close()


@pytest.fixture(scope="module")
def quick_loaders(forked_loaders: ForkedLoaders) -> Iterator[None]:
    """Have the loaders of all programs that the tests of a file start forked."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in forked_loaders.variables.items():
            environment.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def quick_servers(quick_loaders: None) -> Iterator[None]:
    """Have the servers and workers of a file forked too. What a test sees by their process ids is not theirs."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in forked_commands().servers.items():
            environment.setenv(name, value)
        yield


@pytest.fixture
def unforked_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the servers and workers of a test as for a user, in a file where the others are forked."""
    monkeypatch.delenv("FORKED_SERVERS")
