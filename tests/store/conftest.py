"""A fresh store for each test, on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openprofiles.settings import PostgresqlUrl
from openprofiles.store.connections import Store
from openprofiles.store.postgresql import PostgresqlStore
from openprofiles.store.sqlite import SqliteStore
from openprofiles.store.tables import metadata
from postgresql_server import PostgresqlServer


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store that holds the tables and nothing else, on the engine that the parameter names."""
    fresh: Store
    if request.param == "sqlite":
        fresh = SqliteStore(tmp_path / "openprofiles.db")
    else:
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        fresh = PostgresqlStore(PostgresqlUrl(server.create_database()))
    with fresh.write() as connection:
        metadata.create_all(connection)
    yield fresh
    fresh.close()
