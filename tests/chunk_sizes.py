"""Fix how many rows a loader of the tests writes at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from openprofiles.bulk import chunks


def fix_chunk_size(rows: int) -> None:
    """Have the loads of this process write so many rows at a time, however long that takes."""

    class FixedChunkSize(chunks.ChunkSize):
        def __init__(self, first: int) -> None:  # noqa: ARG002 (that of the class)
            super().__init__(rows)

        @contextmanager
        def timed(self, rows: int) -> Iterator[None]:  # noqa: ARG002 (that of the class)
            yield

    for name, module in sys.modules.items():
        if name.startswith(("openprofiles.bulk.", "openprofiles.uploads.")) and hasattr(module, "ChunkSize"):
            user: Any = module
            user.ChunkSize = FixedChunkSize
