"""Limit the loads that run at the same time on one host to its number of processors, for all workers together.

More would slow each other down: four loads on two processors took 1.2 times as long as the same loads two at a time,
and twice the memory. The workers that share a data folder share its slots, which are locks on files: they go with the
process that holds them, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class LoadingSlots:
    """The slots of one data folder, as one worker sees them."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._count = count

    def take(self) -> int | None:
        """Take a free slot, to be returned with ``give_back``; None if all are taken."""
        for number in range(self._count):
            # Not passed on to the loader: the slot is the worker's, which ends its loaders when it ends.
            slot = os.open(self._folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(slot)
            else:
                return slot
        return None

    def give_back(self, slot: int | None) -> None:
        """Release the slot, if there is one."""
        if slot is not None:
            os.close(slot)


def slot_count() -> int:
    """Return the number of processors, at least 2.

    With two, a small file does not wait for a large one of another domain.
    """
    return max(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
