"""What all tests share: how Hypothesis runs, and servers of others for those that ask for one."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from postgresql_server import PostgresqlServer
from s3_server import S3Server

# The machine that runs the tests may be busy, so no example is timed. In CI the examples are the same every time; a
# developer's run looks elsewhere each time.
settings.register_profile(
    "openprofiles",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("openprofiles")

# The tests start our programs more than a thousand times. Where Python is told to keep no bytecode, as in many
# containers, each of them would compile all of our modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Some times what the tests need at any moment.
_ROOM_BYTES = 4_000_000_000


def _use_memory_for_files(folder: Path = Path("/dev/shm")) -> None:  # noqa: S108 (the folder is the system's own)
    """Keep the tests' files in memory if there is ample room, unless TMPDIR says where they go.

    Half of a small load's time is waiting for the disk. A killed process cannot tell the difference: what it has
    written outlives it in both places, and no test cuts the power.
    """
    try:
        room = shutil.disk_usage(folder).free
        (available,) = re.findall(r"^MemAvailable: *(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except (OSError, ValueError):
        return
    if min(room, int(available) * 1024) > _ROOM_BYTES and os.access(folder, os.W_OK) and "TMPDIR" not in os.environ:
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


_use_memory_for_files()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A running server; a test makes a database of its own there."""
    server = PostgresqlServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A running object store; a test makes a bucket of its own there."""
    server = S3Server()
    yield server
    server.stop()
