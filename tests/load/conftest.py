"""One data folder and one loader process for the tests of a process; each test has a domain of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from load.loading import Place, Shop


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("load") / "data")
    yield made
    made.close()


@pytest.fixture
def shop(place: Place) -> Shop:
    return place.open_shop()
