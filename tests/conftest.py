"""What all tests share: how Hypothesis runs, and servers of others for those that ask for one."""

from __future__ import annotations

import os
from collections.abc import Iterator

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
