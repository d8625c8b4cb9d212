"""Make the next batch while the present one is written."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

_LOOK_AGAIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _End:
    """What comes after the last item: the error that ended the making, if one did."""

    error: BaseException | None


class _Box(Generic[T]):
    """Items on their way from one thread to another, and room for this many."""

    def __init__(self, depth: int) -> None:
        self._items = queue.SimpleQueue[T | _End]()
        self._room = threading.Semaphore(depth)
        self.is_closed = threading.Event()

    def wait_for_room(self) -> bool:
        """Wait for room for one more item; whether anybody will still take it."""
        while not self.is_closed.is_set():
            if self._room.acquire(timeout=_LOOK_AGAIN_SECONDS):
                return True
        return False

    def put(self, item: T | _End) -> None:
        self._items.put(item)

    def take_all(self) -> Iterator[T]:
        while not isinstance(item := self._items.get(), _End):
            self._room.release()
            yield item
        if item.error is not None:
            raise item.error


@contextmanager
def prefetch(items: Generator[T, None, None], depth: int) -> Iterator[Iterator[T]]:
    """Run a generator in another thread, up to ``depth`` items ahead of the consumer.

    So there are ``depth`` items at most next to the one that was taken last. The generator must not share a connection
    with the taker. Whatever it raises is raised where the items are taken. At the end of the ``with`` block it has
    ended, taken to its end or not.
    """
    box = _Box[T](depth)

    def make() -> None:
        error: BaseException | None = None
        try:
            # Room comes first: an item that waits for it would be one more in memory.
            while box.wait_for_room():
                box.put(next(items))
        except StopIteration:
            pass
        except BaseException as caught:  # noqa: BLE001 (raised again where the items are taken)
            error = caught
        finally:
            items.close()
        box.put(_End(error))

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        yield box.take_all()
    finally:
        box.is_closed.set()
        thread.join()
