"""One data folder and one loader per engine for the tests of a process. Each test has its own domain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from load.loading import Place, Shop
from long_tests import ENGINES
from openprofiles.settings import PostgresqlUrl
from postgresql_server import PostgresqlServer


@pytest.fixture(scope="session")
def sqlite_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("load") / "data")
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgresql_place(postgresql_server: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("load") / "data", PostgresqlUrl(postgresql_server.create_database()))
    yield made
    made.close()


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


@pytest.fixture
def shop(place: Place) -> Shop:
    return place.open_shop()
