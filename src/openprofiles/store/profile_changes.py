"""The log of changes: who changed which profiles, when, in what order. Jobs write to it in ``bulk_jobs``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Table, bindparam, delete, exists, func, insert, literal_column, select, update
from sqlalchemy.engine import Connection

from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.prepared import PreparedStatement
from openprofiles.store.row_number_lists import pack_row_numbers, unpack_row_numbers
from openprofiles.store.tables import change_content, domain, feed, job, undo_image
from openprofiles.store.tables import profile_change as table

# Those of calls have one profile each.
_CHANGES_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChange:
    """One change of a profile.

    Attributes:
        number: of the change, in the order in which the domain's profiles were changed.
        actor: see ``tables``; None: a job.
        job_id: the upload job that made the change, or that was undone by it.
        job_number: that of the job that made the change.
        undone_number: that of the upload job that was undone by it.
        object_type: the name of the type of the object that was ingested or deleted; None: neither.
    """

    number: int
    changed_at: datetime
    action: ChangeAction
    actor: str | None
    job_id: str | None
    job_number: int | None
    undone_number: int | None
    object_type: str | None = None

    @property
    def actor_name(self) -> str:
        """What the ARN of the actor ends with: the name of a credential, or of the service."""
        return (self.actor or "").rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChange:
    """A change of profiles by a call, for the log.

    Attributes:
        pids: the row numbers of the profiles, ascending, at least one.
        content: see ``tables``; None: there is none, or it is not kept.
        object_type: the name of the type of the object that was ingested or deleted.
    """

    action: ChangeAction
    pids: Sequence[int]
    changed_at: datetime
    actor: str
    content: bytes | None = None
    object_type: str | None = None


def insert_changes(
    connection: Connection,
    domain_id: int,
    changes: Sequence[NewChange],
    *,
    profiles_added: int = 0,
    objects_added: int = 0,
) -> None:
    """Write changes of profiles to the log, in the transaction that makes them.

    Args:
        profiles_added: how many more profiles the domain has.
        objects_added: how many more objects it has.
    """
    last = _COUNT.number(
        connection,
        of_domain=domain_id,
        changes=len(changes),
        profiles_added=profiles_added,
        objects_added=objects_added,
    )
    numbered = list(enumerate(changes, start=last - len(changes) + 1))
    rows = [
        {
            "domain_id": domain_id,
            "number": number,
            "changed_at": change.changed_at,
            "action": change.action.value,
            "actor": change.actor,
            "first_pid": change.pids[0],
            "last_pid": change.pids[-1],
            "profile_count": len(change.pids),
            "pids": pack_row_numbers(change.pids),
            "object_type": change.object_type,
        }
        for number, change in numbered
    ]
    _INSERT.run_each(connection, rows)
    contents = [
        {"domain_id": domain_id, "number": number, "content": change.content}
        for number, change in numbered
        if change.content is not None
    ]
    if contents:
        _INSERT_CONTENT.run_each(connection, contents)


def forget_contents(connection: Connection, domain_id: int, pids: Iterable[int]) -> None:
    """Remove the values of these profiles from the changes that calls have made."""
    connection.execute(_FORGET, [{"of_domain": domain_id, "of_pid": pid} for pid in pids])


def remove_old_changes_step(
    connection: Connection, now: datetime, limit: int, *, history_days: int, replaced_values_days: int
) -> int:
    """Remove up to ``limit`` rows of the log that have been kept long enough; return their number.

    Args:
        history_days: how long changes are kept, at least as long as the values.
        replaced_values_days: how long the values that calls have replaced are kept.
    """
    removed = 0
    for domain_id in (
        connection.execute(select(domain.c.domain_id).where(domain.c.deleted_at.is_(None))).scalars().all()
    ):
        for rows, days in ((change_content, replaced_values_days), (table, history_days)):
            removed += _remove_oldest(connection, rows, domain_id, now - timedelta(days=days), limit - removed)
    return removed


def _remove_oldest(connection: Connection, rows: Table, domain_id: int, before: datetime, limit: int) -> int:
    """Remove up to ``limit`` rows of changes that were made before; return their number."""
    # The first rows are the oldest, so a later one need not be looked at.
    first = (
        select(rows.c.number)
        .where(rows.c.domain_id == domain_id)
        .order_by(rows.c.domain_id, rows.c.number)
        .limit(limit)
        .subquery()
    )
    last = connection.execute(
        select(func.max(first.c.number), func.count())
        .join_from(first, table, table.c.number == first.c.number)
        .where(table.c.domain_id == domain_id, table.c.changed_at < before)
    ).one()
    if last[1]:
        connection.execute(delete(rows).where(rows.c.domain_id == domain_id, rows.c.number <= last[0]))
    return int(last[1])


@dataclass(frozen=True, slots=True)
class ChangedProfiles:
    """The profiles of successive changes.

    Attributes:
        first_number: of the changes.
        last_number: of the changes.
        pids: the row numbers of the profiles, ascending, each once; some may have been removed.
    """

    first_number: int
    last_number: int
    pids: Sequence[int]


def read_changed_after(
    connection: Connection, domain_id: int, number: int, *, most_pids: int
) -> ChangedProfiles | None:
    """Read which profiles were changed after a change; None if the log has no later one.

    Args:
        most_pids: end before the change with which there would be more profiles than this.
    """
    query = (
        select(table.c.number, table.c.first_pid, table.c.last_pid, table.c.profile_count, table.c.pids)
        .where(table.c.domain_id == domain_id, table.c.number > number)
        .order_by(table.c.number)
        .limit(_CHANGES_AT_ONCE)
    )
    numbers: list[int] = []
    pids: set[int] = set()
    count = 0
    for row in connection.execute(query):
        count += row.profile_count
        if numbers and count > most_pids:
            break
        numbers.append(row.number)
        pids.update(unpack_row_numbers(row.first_pid, row.last_pid, row.pids))
    return ChangedProfiles(numbers[0], numbers[-1], sorted(pids)) if numbers else None


def read_changed_alone(connection: Connection, domain_id: int, number: int, *, limit: int) -> set[int]:
    """Read the profiles of the last changes of one profile each, as calls make them."""
    query = (
        select(table.c.first_pid)
        .where(table.c.domain_id == domain_id, _OF_ONE, table.c.number > number)
        .order_by(table.c.number.desc())
        .limit(limit)
    )
    return set(connection.execute(query).scalars())


def read_last_change_number(connection: Connection, domain_id: int) -> int:
    """Read the number of the last change of a domain; the log need not have it."""
    query = select(domain.c.change_number).where(domain.c.domain_id == domain_id)
    return int(connection.execute(query).scalar_one())


def list_change_numbers(connection: Connection, domain_id: int, pid: int, before: int | None) -> list[tuple[int, bool]]:
    """List the changes that may be of a profile, newest first.

    Each comes with whether it is of no other profile.

    Args:
        before: only changes with a lower number; None: all.
    """
    of_domain = table.c.domain_id == domain_id
    alone = select(table.c.number).where(of_domain, _OF_ONE, table.c.first_pid == pid)
    among = select(table.c.number).where(of_domain, _OF_MANY, table.c.first_pid <= pid, table.c.last_pid >= pid)
    numbers = [(number, True) for number in connection.execute(alone).scalars()]
    numbers += [(number, False) for number in connection.execute(among).scalars()]
    # Not by the engine: SQLite would walk all changes of the domain with a lower number.
    return sorted((one for one in numbers if before is None or one[0] < before), reverse=True)


def read_changes(
    connection: Connection, domain_id: int, pid: int, numbers: Iterable[tuple[int, bool]]
) -> Iterator[tuple[int, ProfileChange | None]]:
    """Read these changes of ``list_change_numbers``; None for one that is not of this profile."""
    for number, is_alone in numbers:
        is_of_profile = is_alone or _is_among(connection, domain_id, pid, number)
        yield number, _read(connection, domain_id, number) if is_of_profile else None


def find_change(connection: Connection, domain_id: int, pid: int, number: int) -> ProfileChange | None:
    """Find a change of a profile by its number."""
    return _read(connection, domain_id, number) if _is_among(connection, domain_id, pid, number) else None


def read_content(connection: Connection, domain_id: int, number: int) -> bytes | None:
    """Read what a call has changed; None if it is not kept."""
    is_number = (change_content.c.domain_id == domain_id) & (change_content.c.number == number)
    return connection.execute(select(change_content.c.content).where(is_number)).scalar_one_or_none()


def read_image(connection: Connection, change: ProfileChange) -> bytes | None:
    """Read what profiles were before a chunk of a job has changed them; None if it is not kept."""
    is_change = (undo_image.c.upload_job_id == change.job_number) & (undo_image.c.number == change.number)
    return connection.execute(select(undo_image.c.content).where(is_change)).scalar_one_or_none()


def _is_among(connection: Connection, domain_id: int, pid: int, number: int) -> bool:
    """Return whether a change is of this profile, among others; reads no values."""
    row = connection.execute(_PIDS, {"of_domain": domain_id, "of_number": number}).one_or_none()
    return row is not None and pid in unpack_row_numbers(*row)


def _read(connection: Connection, domain_id: int, number: int) -> ProfileChange:
    row = connection.execute(_ROW, {"of_domain": domain_id, "of_number": number}).one()
    return ProfileChange(
        number=row.number,
        changed_at=row.changed_at,
        action=ChangeAction(row.action),
        actor=row.actor,
        job_id=row.undone_id or row.job_id,
        job_number=row.job_number,
        undone_number=row.undone_number,
        object_type=row.object_type,
    )


# Whether there is a change that a feed has yet to look at.
CHANGES_WAIT: ColumnElement[bool] = exists().where(
    domain.c.domain_id == feed.c.domain_id, domain.c.change_number > feed.c.number
)
# When the oldest change was made that a feed has yet to look at.
CHANGES_WAIT_SINCE: ColumnElement[datetime] = (
    select(table.c.changed_at)
    .where(table.c.domain_id == feed.c.domain_id, table.c.number > feed.c.number)
    .order_by(table.c.number)
    .limit(1)
    .scalar_subquery()
)

# Literals, since a parameter would keep SQLite from the partial indexes.
_OF_ONE = table.c.profile_count == literal_column("1")
_OF_MANY = table.c.profile_count > literal_column("1")

_undone = job.alias()
_IS_NUMBER = (table.c.domain_id == bindparam("of_domain")) & (table.c.number == bindparam("of_number"))
_PIDS = select(table.c.first_pid, table.c.last_pid, table.c.pids).where(_IS_NUMBER)
_ROW = (
    select(
        table.c.number,
        table.c.changed_at,
        table.c.action,
        table.c.actor,
        table.c.job_number,
        table.c.object_type,
        job.c.job_id,
        _undone.c.job_number.label("undone_number"),
        _undone.c.job_id.label("undone_id"),
    )
    .outerjoin(job, job.c.job_number == table.c.job_number)
    .outerjoin(_undone, _undone.c.job_number == job.c.subject)
    .where(_IS_NUMBER)
)
_COUNT = PreparedStatement(
    update(domain)
    .where(domain.c.domain_id == bindparam("of_domain"))
    .values(
        change_number=domain.c.change_number + bindparam("changes"),
        profile_count=domain.c.profile_count + bindparam("profiles_added"),
        object_count=domain.c.object_count + bindparam("objects_added"),
    )
    .returning(domain.c.change_number)
)
_INSERT = PreparedStatement(insert(table))
_INSERT_CONTENT = PreparedStatement(insert(change_content))
_FORGET = delete(change_content).where(
    change_content.c.domain_id == bindparam("of_domain"),
    change_content.c.number.in_(
        select(table.c.number).where(
            table.c.domain_id == bindparam("of_domain"), _OF_ONE, table.c.first_pid == bindparam("of_pid")
        )
    ),
)
