"""Read feeds: one loop for all kinds, in threads separate from those that supervise loads.

A feed is leased before a reader acts on its rows, so two workers never act on it at once. If a worker dies between the
act and the note of how far it came, the rows come again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pkgutil import resolve_name
from typing import Any

from openprofiles.clock import Clock
from openprofiles.errors import Busy, StoreNotWritable, StoreUnreachable
from openprofiles.feed_kinds import FEEDS, FeedKind
from openprofiles.logs import EventLogger
from openprofiles.master_key import MasterKey
from openprofiles.settings import Settings
from openprofiles.store import feeds
from openprofiles.store.connections import Store
from openprofiles.store.feeds import HeldFeed

# Only this many readers that take long keep the others waiting.
_THREADS = 4
_POLL_SECONDS = 1.0
_FAULT_SECONDS = 5.0
_CLOSE_SECONDS = 2.0
# A worker that is ended by hand is followed by another one without a pause.
_MOST_LOST_LEASES = 2
_OUTAGES = (Busy, StoreNotWritable, StoreUnreachable)

_logger = EventLogger("openprofiles.worker.feeds")


class FeedLost(Exception):
    """A reader has found that its feed is no longer held: another worker acts, or the feed was ended."""


class FeedFailed(Exception):
    """A reader could not act on the next row. The message says why in our words, and must not contain customer data.

    Args:
        is_final: gives the feed up.
        moved_to: the number of the last row that was acted on before; None: there was none.
        about: for the log.
    """

    def __init__(self, message: str, *, is_final: bool = False, moved_to: int | None = None, **about: Any) -> None:
        super().__init__(message)
        self.is_final = is_final
        self.moved_to = moved_to
        self.about = about


@dataclass(frozen=True, slots=True)
class FeedWork:
    """What readers work with."""

    settings: Settings
    store: Store
    master_key: MasterKey
    clock: Clock


class Feeds:
    """Threads that read feeds.

    Args:
        owner: names this worker in the feeds that it leases.
        kinds: of the feeds that are read; None: all.
    """

    def __init__(self, work: FeedWork, owner: str, kinds: Collection[FeedKind] | None = None) -> None:
        self._work = work
        self._owner = owner
        self._kinds = kinds
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"feeds {number}", daemon=True) for number in range(_THREADS)
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Begin no further attempt. Another worker makes an unfinished one again."""
        self._closing.set()
        deadline = time.monotonic() + _CLOSE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def act_next(self) -> bool:
        """Run the reader of the feed that is due for longest; return whether there was one.

        Raises:
            Busy, StoreNotWritable, StoreUnreachable: how far it came could not be noted; the rows come again.
        """
        now = self._work.clock()
        with self._work.store.read() as connection:
            if not feeds.has_due_feed(connection, now, self._kinds):
                return False
        with self._work.store.write() as connection:
            held = feeds.claim_feed(connection, owner=self._owner, now=now, kinds=self._kinds)
        if held is None:
            return False
        if held.was_held and held.attempts > _MOST_LOST_LEASES:
            # Its row may be why the workers ended, so it waits like one whose attempt has failed.
            failure = FeedFailed("A worker ended, or took too long, before the outcome was known.")
            self._note_failure(replace(held, attempts=held.attempts - 1), failure, may_give_up=False)
            return True
        try:
            number = resolve_name(FEEDS[held.name].reader)(self._work, held)
            assert number > held.number or FEEDS[held.name].acts_at, "a reader acts on at least one row, or fails"
        except _OUTAGES:
            raise
        except FeedLost:
            _logger.info(f"{held.name}_lease_lost", attempt=held.attempts)
            return True
        except FeedFailed as failure:
            self._note_failure(held, failure)
            return True
        except Exception:
            _logger.exception(f"{held.name}_fault", attempt=held.attempts)
            self._note_failure(held, FeedFailed("An unexpected error occurred. The worker's log has the details."))
            return True
        with self._work.store.write() as connection:
            has_moved = feeds.move_feed(connection, held, number, now=self._work.clock())
        if not has_moved:
            _logger.warning(f"{held.name}_lease_lost", attempt=held.attempts)
        return True

    def _note_failure(self, held: HeldFeed, failure: FeedFailed, *, may_give_up: bool = True) -> None:
        kind, now = FEEDS[held.name], self._work.clock()
        is_over = may_give_up and kind.reads_one_row and held.attempts > len(kind.pauses)
        is_final = failure.is_final or is_over
        next_attempt_at = None if is_final else now + kind.pauses[min(held.attempts, len(kind.pauses)) - 1]
        with self._work.store.write() as connection:
            feeds.record_failure(
                connection, held, str(failure), next_attempt_at=next_attempt_at, now=now, number=failure.moved_to
            )
        event = f"{kind.name}_given_up" if is_final else f"{kind.name}_failed"
        _logger.warning(event, **failure.about, attempt=held.attempts, fault=str(failure))

    def _run(self) -> None:
        pause_seconds = _POLL_SECONDS
        while not self._closing.wait(pause_seconds):
            pause_seconds = _POLL_SECONDS
            try:
                if self.act_next():
                    pause_seconds = 0
            except _OUTAGES as error:
                _logger.warning("feeds_wait", fault=str(error))
                pause_seconds = _FAULT_SECONDS
            except Exception:
                # The thread must outlive it, since it reads other feeds too.
                _logger.exception("feeds_fault")
                pause_seconds = _FAULT_SECONDS
