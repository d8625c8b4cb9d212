"""One data folder and one loader process for the tests of a process; each test has a domain of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from load.loading import Place, Shop
from openprofiles.settings import PostgresqlUrl
from postgresql_server import PostgresqlServer


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    store = None
    if request.param == "postgresql":
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        store = PostgresqlUrl(server.create_database())
    made = Place(tmp_path_factory.mktemp("load") / "data", store)
    yield made
    made.close()


@pytest.fixture
def shop(place: Place) -> Shop:
    return place.open_shop()
