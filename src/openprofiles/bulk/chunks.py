"""How much to write at a time: chunks that hold the store's write lock for about a tenth of a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

TARGET_SECONDS = 0.1
_SMALLEST = 200
_LARGEST = 100_000


class ChunkSize:
    """A number of rows that follows how long the last chunks took."""

    def __init__(self, first: int) -> None:
        self.rows = first

    @contextmanager
    def timed(self, rows: int) -> Iterator[None]:
        """Time the writing of a chunk of this many rows, and adapt."""
        started = time.perf_counter()
        yield
        self.follow(rows, time.perf_counter() - started)

    def follow(self, rows: int, seconds: float) -> None:
        """Change the number after a chunk of this many rows took so long."""
        seconds = max(seconds, 1e-4)
        # Towards the target, but never more than twice as many at once: one quick chunk says little.
        wanted = rows * min(TARGET_SECONDS / seconds, 2.0)
        self.rows = int(min(max(wanted, self.rows / 2, _SMALLEST), _LARGEST))
