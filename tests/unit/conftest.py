"""A scratch database without tables, for the tests of what a loader finds with SQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openprofiles.bulk.scratch import Scratch


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    folder = tmp_path_factory.mktemp("scratch") / "scratch"
    made = Scratch(folder, epoch=1, memory_limit_bytes=100_000_000, phone_region="US")
    yield made
    made.close()
