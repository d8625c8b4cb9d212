"""Shared by the tests of documents: programs that start quickly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from acceptance.forked_commands import OfferedCommands
from acceptance.forked_loaders import ForkedLoaders


@pytest.fixture(scope="session")
def quick_programs(forked_loaders: ForkedLoaders, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the environment in which commands and loaders are forked; the pages have dozens of commands."""
    commands = OfferedCommands(tmp_path_factory.mktemp("commands"))
    yield {**forked_loaders.variables, **commands.variables}
    commands.close()
