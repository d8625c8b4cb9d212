"""Follow the subscriptions to segments: the reader of their feeds.

The reader looks at the profiles that the log of changes names, and from time to time at all profiles, since a condition
may come to hold because time passes. It looks at all of them first, when a subscription starts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.records import Domain
from openprofiles.logs import EventLogger
from openprofiles.profiles.session import Reading
from openprofiles.segments.definitions import segment_expression
from openprofiles.segments.membership_changes import (
    MembershipChange,
    find_changes,
    with_events,
    write_changes,
)
from openprofiles.store import segment_subscriptions as rows
from openprofiles.store.connections import Connection
from openprofiles.store.definitions import read_definition_name
from openprofiles.store.domains import find_domain_by_number, lock_domain
from openprofiles.store.feeds import HeldFeed, is_held, renew_lease
from openprofiles.store.profile_changes import read_changed_after, read_last_change_number
from openprofiles.store.row_sequence import last_reserved
from openprofiles.store.segment_subscriptions import Subscription
from openprofiles.store.subscription_states import SubscriptionStatus
from openprofiles.worker.feeds import FeedFailed, FeedLost, FeedWork

# A reader must end well within its lease.
_SECONDS_AT_A_TIME = 5.0
# Each takes some microseconds for each condition, and memory for its number.
_PROFILES_AT_ONCE = 10_000
_SCANNED_AT_ONCE = 1 << 14

_logger = EventLogger("openprofiles.worker.segments")


def follow_segment(work: FeedWork, held: HeldFeed) -> int:
    """Find which profiles have joined or left a segment; return the number of the last change that was looked at."""
    return _Follower(work, held).follow()


def _slices(pids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(pids), _PROFILES_AT_ONCE):
        yield pids[start : start + _PROFILES_AT_ONCE]


class _Follower:
    """One act of the reader."""

    def __init__(self, work: FeedWork, held: HeldFeed) -> None:
        self._work = work
        self._held = held
        self._ends_at = time.monotonic() + _SECONDS_AT_A_TIME
        with work.store.read() as connection:
            self._domain = self._find_domain(connection)
            self._subscription = self._find_subscription(connection)
            name = read_definition_name(connection, self._subscription.definition_id)
        self._name = name or ""

    def follow(self) -> int:
        """See ``follow_segment``."""
        subscription = self._subscription
        try:
            if subscription.scanned_pid is not None or subscription.next_at <= self._work.clock():
                self._look_at_all(subscription.scanned_pid or 0)
                return self._held.number
            return self._look_at_changed()
        except (InvalidRequest, NotFound) as error:
            # What the segment builds on was deleted, so to try again would not help.
            with self._writing() as session:
                rows.end_subscription(
                    session.connection, subscription, SubscriptionStatus.FAILED, str(error), session.now
                )
            _logger.warning("segment_subscription_failed", domain=self._domain.name, segment=self._name)
            raise FeedLost from error

    def _look_at_all(self, scanned_pid: int) -> None:
        """Look at the profiles above a row number, for as long as there is time."""
        is_first = self._subscription.status is SubscriptionStatus.STARTING
        with self._work.store.read() as connection:
            last_pid = last_reserved(connection)
        while True:
            # Pieces of a chunk: a segment over calculated attributes reads every object of their profiles.
            piece = range(scanned_pid, scanned_pid + _SCANNED_AT_ONCE)
            is_last = piece.stop > last_pid
            parts = self._find(piece, with_their_events=not is_first)
            for number, changes in enumerate(parts, start=1):
                with self._writing() as session:
                    write_changes(session, self._subscription, changes, is_live=False)
                    if number == len(parts):
                        self._note_scanned(session, piece.stop, is_first=is_first, is_last=is_last)
            scanned_pid = piece.stop
            if is_last or time.monotonic() > self._ends_at:
                return

    def _note_scanned(self, session: Reading, scanned_pid: int, *, is_first: bool, is_last: bool) -> None:
        connection, subscription = session.connection, self._subscription
        if not is_last:
            rows.change_subscription(connection, subscription, scanned_pid=scanned_pid)
            return
        # As it is now: it may have been changed since this act began.
        interval_hours = self._find_subscription(connection).interval_hours
        next_at = session.now + timedelta(hours=interval_hours)
        rows.change_subscription(
            connection, subscription, scanned_pid=None, status=SubscriptionStatus.RUNNING.value, next_at=next_at
        )
        if not is_first:
            rows.change_subscription(connection, subscription, last_at=session.now)
            rows.count_scheduled_run(connection, subscription)

    def _look_at_changed(self) -> int:
        """Look at profiles that were changed, for as long as there is time; return the number of the last change."""
        held, number = self._held, self._held.number
        while True:
            with self._work.store.read() as connection:
                changed = read_changed_after(connection, held.domain_id, number, most_pids=_PROFILES_AT_ONCE)
                last_number = read_last_change_number(connection, held.domain_id)
            if number == last_number:
                return number
            if changed is None or changed.first_number > number + 1:
                # The log is not kept for so long. What was missed is found by a look at all profiles.
                with self._writing() as session:
                    rows.change_subscription(session.connection, self._subscription, scanned_pid=0)
                return last_number if changed is None else changed.first_number - 1
            for pids in _slices(changed.pids):
                for changes in self._find(pids, with_their_events=True):
                    if changes:
                        with self._writing() as session:
                            write_changes(session, self._subscription, changes, is_live=True)
            number = changed.last_number
            if time.monotonic() > self._ends_at:
                return number

    def _find(self, pids: Sequence[int] | range, *, with_their_events: bool) -> list[list[MembershipChange]]:
        """Find changes among profiles, in parts that are written in one transaction each; at least one part."""
        with self._work.store.write() as connection:
            if not renew_lease(connection, self._held, self._work.clock()):
                raise FeedLost
        with self._work.store.read() as connection:
            session = Reading(connection=connection, domain=self._find_domain(connection), now=self._work.clock())
            expression = segment_expression(session, self._name)
            changes = find_changes(session, self._subscription, expression, pids)
            if not with_their_events:
                return [changes]
            return list(with_events(session, self._subscription, changes)) or [[]]

    @contextmanager
    def _writing(self) -> Iterator[Reading]:
        """Begin a transaction in which nobody else changes what is known of the members.

        Raises:
            FeedLost: another worker follows the segment, or nobody does.
        """
        with self._work.store.write() as connection:
            lock_domain(connection, self._held.domain_id)
            if not is_held(connection, self._held):
                raise FeedLost
            yield Reading(connection=connection, domain=self._domain, now=self._work.clock())

    def _find_domain(self, connection: Connection) -> Domain:
        domain = find_domain_by_number(connection, self._held.domain_id)
        if domain is None:
            raise FeedLost
        return domain

    def _find_subscription(self, connection: Connection) -> Subscription:
        found = rows.find_subscription(connection, self._held.domain_id, self._held.subject)
        if found is None or not found.is_active:
            raise FeedFailed("The subscription was deleted or stopped.", is_final=True)
        return found
