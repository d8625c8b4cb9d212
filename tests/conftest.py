"""What all tests share: how Hypothesis runs, and a PostgreSQL server for those that ask for one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from postgresql_server import PostgresqlServer

# The machine that runs the tests may be busy, so no example is timed. In CI the examples are the same every time; a
# developer's run looks elsewhere each time.
settings.register_profile(
    "openprofiles",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("openprofiles")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A running server; a test makes a database of its own there."""
    server = PostgresqlServer()
    yield server
    server.close()
