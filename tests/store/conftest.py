"""A new store for each test, on every engine."""

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


@pytest.fixture(scope="session")
def empty_database(postgresql_server: PostgresqlServer) -> str:
    """Return the URL of a database with empty tables, as a template."""
    url = postgresql_server.create_database()
    made = PostgresqlStore(PostgresqlUrl(url))
    with made.write() as connection:
        metadata.create_all(connection)
    made.close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Open a store with empty tables, on the engine of the parameter."""
    fresh: Store
    if request.param == "sqlite":
        fresh = SqliteStore(tmp_path / "openprofiles.db")
        with fresh.write() as connection:
            metadata.create_all(connection)
        yield fresh
        fresh.close()
    else:
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        url = server.create_database(request.getfixturevalue("empty_database"))
        fresh = PostgresqlStore(PostgresqlUrl(url))
        yield fresh
        fresh.close()
        server.drop_database(url)
