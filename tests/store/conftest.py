"""A fresh store for each test, on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openprofiles.store.connections import Store
from openprofiles.store.sqlite import SqliteStore
from openprofiles.store.tables import metadata


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store that holds the tables and nothing else, on the engine that the parameter names."""
    fresh = {"sqlite": SqliteStore}[request.param](tmp_path / "openprofiles.db")
    with fresh.write() as connection:
        metadata.create_all(connection)
    yield fresh
    fresh.close()
