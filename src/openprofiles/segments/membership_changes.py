"""Find which profiles have joined or left a segment since it was looked at last, and write that as events.

What is compared is the state of the store and the set of members as they were known. A transaction that writes events
also changes that set, and only the worker that holds the feed of the subscription writes it. So each change becomes one
event, whenever a worker dies; and a profile that joins and leaves again between two looks makes none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from openprofiles.expressions.tree import Expression
from openprofiles.profiles.session import Reading
from openprofiles.segments.surroundings import sql_surroundings
from openprofiles.store.profile_sets import CHUNK_BITS, SetOwner, change_members, chunk_members, members_among
from openprofiles.store.profiles import read_ids
from openprofiles.store.removed_profiles import read_ids_of_removed
from openprofiles.store.segment_events import NewEvent, insert_events, read_previous_times
from openprofiles.store.segment_rows import allow_long_statements, read_members_among
from openprofiles.store.segment_subscriptions import Subscription, count_events

# To write these takes well under a tenth of a second.
_CHANGES_AT_ONCE = 2_000
_CHUNKS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """A profile that has joined or left a segment.

    Attributes:
        event: None: the profile was removed, and its id was not kept.
    """

    pid: int
    has_joined: bool
    event: NewEvent | None = None


def find_changes(
    session: Reading, subscription: Subscription, expression: Expression, pids: Sequence[int] | range
) -> list[MembershipChange]:
    """Find which of some profiles have joined or left a segment.

    They are compared with the members that were known when they were looked at last.

    Args:
        pids: row numbers, some of which may be of no profile: at most a few thousand, or a range within one chunk of a
            set of profiles.

    Raises:
        InvalidRequest: the segment builds on something that was deleted.
    """
    connection, domain_id = session.connection, session.domain.domain_id
    allow_long_statements(connection)
    surroundings = sql_surroundings(session, among=pids)
    members = read_members_among(connection, domain_id, expression, surroundings, pids)
    of_set = (connection, domain_id, SetOwner.SUBSCRIPTION, subscription.definition_id)
    if isinstance(pids, range):
        known = {pid for pid in chunk_members(*of_set, pids.start >> CHUNK_BITS) if pid in pids}
    else:
        known = members_among(*of_set, pids)
    joined = [MembershipChange(pid, has_joined=True) for pid in members.keys() - known]
    left = [MembershipChange(pid, has_joined=False) for pid in known - members.keys()]
    return sorted(joined + left, key=lambda change: change.pid)


def _parts(changes: Sequence[MembershipChange]) -> Iterator[list[MembershipChange]]:
    """Yield changes in parts that touch few chunks of the set."""
    part: list[MembershipChange] = []
    chunks: set[int] = set()
    for change in changes:
        chunks.add(change.pid >> CHUNK_BITS)
        if len(part) == _CHANGES_AT_ONCE or len(chunks) > _CHUNKS_AT_ONCE:
            yield part
            part, chunks = [], {change.pid >> CHUNK_BITS}
        part.append(change)
    if part:
        yield part


def with_events(
    session: Reading, subscription: Subscription, changes: Sequence[MembershipChange]
) -> Iterator[list[MembershipChange]]:
    """Yield changes with their events, as many at once as one transaction writes."""
    connection, domain_id = session.connection, session.domain.domain_id
    for some in _parts(changes):
        pids = [change.pid for change in some]
        ids = read_ids_of_removed(connection, domain_id, pids) | read_ids(connection, domain_id, pids)
        previous = read_previous_times(connection, domain_id, subscription.definition_id, pids)
        yield [
            replace(
                change,
                event=NewEvent(
                    pid=change.pid,
                    profile_id=ids[change.pid],
                    has_joined=change.has_joined,
                    previous_at=previous.get(change.pid),
                ),
            )
            if change.pid in ids
            else change
            for change in some
        ]


def write_changes(
    session: Reading, subscription: Subscription, changes: Sequence[MembershipChange], *, is_live: bool
) -> None:
    """Write changes to the known members, and their events if they have any.

    The caller holds the row of the domain and the feed of the subscription.
    """
    connection, domain_id = session.connection, session.domain.domain_id
    change_members(
        connection,
        domain_id,
        SetOwner.SUBSCRIPTION,
        subscription.definition_id,
        added=[change.pid for change in changes if change.has_joined],
        removed=[change.pid for change in changes if not change.has_joined],
    )
    events = [change.event for change in changes if change.event is not None]
    insert_events(connection, domain_id, subscription.definition_id, events, is_live=is_live, now=session.now)
    joined = sum(event.has_joined for event in events)
    count_events(connection, subscription, joined=joined, left=len(events) - joined)
