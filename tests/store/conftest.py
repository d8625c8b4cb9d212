"""A store with empty tables for each test, on every engine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from openprofiles.settings import PostgresqlUrl
from openprofiles.store.connections import Store
from openprofiles.store.postgresql import PostgresqlStore
from openprofiles.store.sqlite import SqliteStore
from openprofiles.store.tables import metadata
from postgresql_server import PostgresqlServer

_FILLED = " union all ".join(f"(select '{name}' from {name} limit 1)" for name in metadata.tables)
_TABLES = "select tablename from pg_tables where schemaname = 'public'"
_RESTART = "select setval(format('%I.%I', schemaname, sequencename), 1, false) from pg_sequences where last_value > 0"


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an SQLite file with empty tables, as a template: to make one takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "openprofiles.db"
    made = SqliteStore(path)
    with made.write() as connection:
        metadata.create_all(connection)
    made.close()
    return path


@pytest.fixture(scope="session")
def shared_database(postgresql_server: PostgresqlServer) -> str:
    """Return the URL of a database with empty tables, which tests leave empty."""
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
        fresh = SqliteStore(Path(shutil.copy(request.getfixturevalue("empty_file"), tmp_path)))
        yield fresh
        fresh.close()
    else:
        fresh = PostgresqlStore(PostgresqlUrl(request.getfixturevalue("shared_database")))
        yield fresh
        with fresh.write() as connection:
            if filled := connection.execute(text(_FILLED)).scalars().all():
                connection.execute(text(f"truncate {', '.join(filled)} cascade"))
            connection.execute(text(_RESTART))
            # A test may have made one of its own.
            for name in set(connection.execute(text(_TABLES)).scalars()) - metadata.tables.keys():
                connection.execute(text(f"drop table {name}"))
        fresh.close()
