"""The kinds of feeds: which rows each reads, what acts on them, and how long it waits after a failure.

A feed is a position in numbered rows of a domain. A worker leases it, reads on from its number, acts on what it finds
and moves the number. A row comes again if the worker dies before that; none is skipped, provided that rows become
visible in the order of their numbers. So a transaction that writes a row takes the next number of the domain while it
holds the domain's row (``lock_domain``, or the single writer of SQLite), until it commits: the next writer gets its
number only when a reader can see the one before. A sequence must not number them, since PostgreSQL's are visible out
of order.

A new kind is a module with its reader, and an entry in ``FEEDS``; tests/store/toy_feed.py is an example.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedKind:
    """A kind of feed.

    Attributes:
        name: in the store, in metrics and at the beginning of log events.
        waiting_since: ``module:expression``, a column or subquery on the table ``feed``: when the first row after the
            feed's number was written; null if there is none.
        reader: the function that acts on some of these rows, in order, ``module:function``. It is called with a
            ``FeedWork`` and a ``HeldFeed``, and returns the number of the last row that it acted on. It should take
            less time than a lease: after that, another worker acts on the same rows. If it was called for ``acts_at``,
            the number may be that of the feed.
        pauses: after how long each attempt that failed is followed by another; the last one repeats.
        reads_one_row: whether its feeds read one row each. They are over then, and given up after the last pause.
        has_rows: ``module:expression``, a condition on the table ``feed``: whether rows wait; none: whether
            ``waiting_since`` is not null. Workers ask it every second, so it should read no large table.
        acts_at: ``module:expression``, as ``waiting_since``: when the reader is called even if no row waits; null, or
            none: never.
        rest: how long a feed waits after it has acted, so that it acts on more rows at once.
    """

    name: str
    waiting_since: str
    reader: str
    pauses: tuple[timedelta, ...]
    reads_one_row: bool = False
    has_rows: str | None = None
    acts_at: str | None = None
    rest: timedelta = timedelta(0)


# A feed for each ended job that has a webhook, whose one row is the end of the job. So no call waits for the pauses of
# another one, even to the same receiver.
WEBHOOK = FeedKind(
    name="webhook",
    waiting_since="openprofiles.store.webhooks:WAITING_SINCE",
    reader="openprofiles.worker.webhook_deliveries:call_webhook",
    pauses=(
        timedelta(seconds=10),
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=6),
    ),
    reads_one_row=True,
)

_PAUSES_OF_SEGMENTS = (timedelta(seconds=10), timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=5))
# A feed for each subscription to a segment, which reads the log of changes.
SEGMENT_SUBSCRIPTION = FeedKind(
    name="segment_subscription",
    waiting_since="openprofiles.store.profile_changes:CHANGES_WAIT_SINCE",
    has_rows="openprofiles.store.profile_changes:CHANGES_WAIT",
    acts_at="openprofiles.store.segment_subscriptions:LOOKS_AT_ALL_AT",
    reader="openprofiles.worker.segment_changes:follow_segment",
    # A load writes ten chunks a second.
    rest=timedelta(seconds=1),
    pauses=_PAUSES_OF_SEGMENTS,
)
# A feed for each domain whose segments have a stream, which sends their events to it.
SEGMENT_STREAM = FeedKind(
    name="segment_stream",
    waiting_since="openprofiles.store.segment_subscriptions:EVENTS_WAIT_SINCE",
    has_rows="openprofiles.store.segment_subscriptions:EVENTS_WAIT",
    acts_at="openprofiles.store.segment_subscriptions:PROBES_AT",
    reader="openprofiles.worker.segment_deliveries:deliver_events",
    pauses=_PAUSES_OF_SEGMENTS,
)

# A feed for each domain, which reads the log of changes and writes the words by which its customers are searched.
PROFILE_WORDS = FeedKind(
    name="profile_words",
    waiting_since="openprofiles.store.profile_changes:CHANGES_WAIT_SINCE",
    has_rows="openprofiles.store.profile_words:CHANGES_WAIT",
    acts_at="openprofiles.store.profile_words:ACTS_AT",
    reader="openprofiles.worker.profile_words:write_words_of_changed",
    # A load writes ten chunks a second.
    rest=timedelta(seconds=1),
    pauses=_PAUSES_OF_SEGMENTS,
)

FEEDS = {kind.name: kind for kind in (WEBHOOK, SEGMENT_SUBSCRIPTION, SEGMENT_STREAM, PROFILE_WORDS)}
