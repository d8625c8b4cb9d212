"""Remove rows from the store in short transactions, so that others can write in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from openprofiles.bulk.chunks import ChunkSize
from openprofiles.store.connections import Connection, Store

# So many rows take well under a tenth of a second, whatever they are.
_FIRST_ROWS = 300
# SQLite takes at most 32,766 parameters in a statement.
_MOST_ROWS = 10_000
# After this the worker looks after its loads again.
_SECONDS_AT_A_TIME = 0.3
# A writer that polls SQLite's lock every millisecond gets its turn.
_GAP_SECONDS = 0.002


class Cleaning:
    """One kind of what is removed.

    Args:
        store: where it is.
        step: removes at most this many rows as of the given time, and returns the number, or whether it removed any.
    """

    def __init__(self, store: Store, step: Callable[[Connection, datetime, int], int]) -> None:
        self._store = store
        self._step = step
        self._size = ChunkSize(_FIRST_ROWS)

    def run(self, now: datetime) -> bool:
        """Remove rows for at most 0.3 s, and return whether there may be more."""
        until = time.monotonic() + _SECONDS_AT_A_TIME
        while True:
            rows = min(self._size.rows, _MOST_ROWS)
            with self._store.write() as connection:
                # Waiting for the lock does not count as part of the step.
                started = time.monotonic()
                removed = self._step(connection, now, rows)
            if not removed:
                return False
            if removed == rows:
                self._size.follow(rows, time.monotonic() - started)
            if time.monotonic() >= until:
                return True
            time.sleep(_GAP_SECONDS)
