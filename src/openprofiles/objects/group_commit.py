"""Commit what several callers write at the same time in one transaction.

The disk needs some milliseconds for each commit, whatever is in it. While one group is committed, the calls that arrive
gather, and the first of them that gets its turn writes all of them. A call that finds nobody else waits for nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_GROUP_SIZE = 64


@dataclass(slots=True)
class _Waiting(Generic[Item, Result]):
    """A call that waits for its group."""

    item: Item
    is_done: bool = False
    result: list[Result] = field(default_factory=list)
    error: Exception | None = None


class GroupCommit(Generic[Item, Result]):
    """Gathers the calls of several threads."""

    def __init__(self) -> None:
        self._gathering = threading.Lock()
        self._writing = threading.Lock()
        self._queue: list[_Waiting[Item, Result]] = []

    def submit(self, item: Item, write: Callable[[Sequence[Item]], Sequence[Result]]) -> Result:
        """Write an item together with those of other threads that wait; return once it is committed.

        Args:
            write: writes items in one transaction, and returns the result of each in their order. Any thread's function
                may be called with the items of others. If it raises, nothing is written; then each thread writes its
                own item alone, so that none suffers for another's.
        """
        mine: _Waiting[Item, Result] = _Waiting(item)
        with self._gathering:
            self._queue.append(mine)
        with self._writing:
            if not mine.is_done:
                self._write_group(mine, write)
        if mine.error is not None:
            raise mine.error
        if not mine.result:
            (result,) = write([item])
            return result
        return mine.result[0]

    def _write_group(self, mine: _Waiting[Item, Result], write: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        """Write those that wait the longest, among them this one."""
        with self._gathering:
            # Those before it that are more than a group would have been written by now.
            at = self._queue.index(mine)
            first = max(0, at - MAX_GROUP_SIZE + 1)
            group = self._queue[first : first + MAX_GROUP_SIZE]
            del self._queue[first : first + MAX_GROUP_SIZE]
        try:
            results = write([one.item for one in group])
            for one, result in zip(group, results, strict=True):
                one.result.append(result)
        except Exception as error:  # noqa: BLE001 (its caller gets it, and the others meet it again if it is theirs)
            if len(group) == 1:
                mine.error = error
        finally:
            for one in group:
                one.is_done = True
