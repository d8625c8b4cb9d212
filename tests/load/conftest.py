"""One data folder and one loader process per engine for the tests of a process; each test has a domain of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from load.loading import Place, Shop
from openprofiles.settings import PostgresqlUrl
from postgresql_server import PostgresqlServer

ENGINES = ("sqlite", "postgresql")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave a test on an engine that its mark ``daily_on`` does not name to the long form."""
    for item in items:
        engine = item.callspec.params.get("place") if hasattr(item, "callspec") else None
        mark = item.get_closest_marker("daily_on")
        daily = mark.args if mark else ENGINES[:1]
        if engine in ENGINES and engine not in daily:
            item.add_marker(pytest.mark.long(daily=item.nodeid.replace(engine, daily[0])))


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
