"""One transaction on one domain, which functions that work on a domain take as their first argument."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from openprofiles.facts.records import Domain
from openprofiles.profiles.recorded_changes import RecordedChanges
from openprofiles.store.connections import Connection, Store
from openprofiles.store.domains import lock_domain, read_domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One state of the store.

    Attributes:
        domain: as it is in that state.
    """

    connection: Connection
    domain: Domain
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing(Reading):
    """A transaction that holds the row of the domain, so that no other transaction changes its profiles.

    Only this module makes one, so a function that takes one knows that the row is held.

    Attributes:
        actor: who changes them: the ARN of the caller, at most 255 characters.
        keeps_replaced: whether the log keeps the values that are replaced.
        recorded: what a job changes, which writes the log itself; None: a call, whose changes are written to the log.
    """

    actor: str
    keeps_replaced: bool
    recorded: RecordedChanges | None = None


@contextmanager
def reading(store: Store, domain_name: str, now: datetime) -> Iterator[Reading]:
    """Open a session that only reads.

    Raises:
        NotFound: there is no such domain.
    """
    with store.read() as connection:
        yield Reading(connection=connection, domain=read_domain(connection, domain_name), now=now)


@contextmanager
def writing(
    store: Store, domain_name: str, now: datetime, actor: str, *, keeps_replaced: bool = True
) -> Iterator[Writing]:
    """Begin a session that writes: committed at the end of the block, rolled back if it raises.

    Raises:
        NotFound: there is no such domain.
    """
    with store.write() as connection:
        domain = read_domain(connection, domain_name, for_change=True)
        yield Writing(connection=connection, domain=domain, now=now, actor=actor, keeps_replaced=keeps_replaced)


def hold_domain(
    connection: Connection,
    domain: Domain,
    now: datetime,
    actor: str,
    *,
    keeps_replaced: bool,
    recorded: RecordedChanges | None = None,
) -> Writing:
    """Hold the row of a domain in an open transaction.

    Args:
        recorded: for a job: see ``Writing``.
    """
    lock_domain(connection, domain.domain_id)
    return Writing(
        connection=connection,
        domain=domain,
        now=now,
        actor=actor,
        keeps_replaced=keeps_replaced,
        recorded=recorded,
    )
