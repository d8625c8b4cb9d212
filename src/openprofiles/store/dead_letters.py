"""Objects that could not be given to a profile, as rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection

from openprofiles.store.prepared import PreparedStatement, Writes
from openprofiles.store.tables import dead_letter as table


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An object that found no profile; the columns are explained in ``tables``."""

    dead_letter_id: int
    object_type: str
    unique_key: bytes
    content: str
    code: str
    attempts: int
    created_at: datetime
    updated_at: datetime


def write_dead_letter(
    connection: Connection,
    domain_id: int,
    *,
    object_type: str,
    unique_key: bytes,
    content: str,
    code: str,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Keep an object that could not be given to a profile; it replaces an earlier one of its unique key.

    The caller holds the domain's row, so that of two at once the second sees the first.
    """
    values = {"content": content, "code": code, "updated_at": now, "expires_at": expires_at}
    is_letter = (table.c.domain_id == domain_id) & (table.c.unique_key == unique_key)
    changed = connection.execute(update(table).where(is_letter).values(attempts=table.c.attempts + 1, **values))
    if changed.rowcount == 0:
        connection.execute(
            insert(table).values(
                domain_id=domain_id,
                object_type=object_type,
                unique_key=unique_key,
                attempts=1,
                created_at=now,
                **values,
            )
        )


def find_dead_letters_of(connection: Connection, domain_id: int, unique_keys: Collection[bytes]) -> set[bytes]:
    """Return those of these unique keys that have a dead letter."""
    is_letter = (table.c.domain_id == domain_id) & table.c.unique_key.in_(unique_keys)
    return {bytes(one) for one in connection.execute(select(table.c.unique_key).where(is_letter)).scalars()}


def delete_dead_letter_of(writes: Writes, domain_id: int, unique_key: bytes) -> None:
    """Remove the dead letter of an object that has found its profile, if any."""
    writes.add(_DELETE, of_domain=domain_id, of_key=unique_key)


def list_dead_letters(
    connection: Connection, domain_id: int, now: datetime, *, after_id: int, limit: int
) -> list[DeadLetter]:
    """List up to ``limit`` dead letters of a domain with higher ids, oldest first."""
    rows = connection.execute(
        select(table)
        .where(table.c.domain_id == domain_id, table.c.dead_letter_id > after_id, table.c.expires_at > now)
        .order_by(table.c.dead_letter_id)
        .limit(limit)
    ).mappings()
    return [_letter_of(row) for row in rows]


def find_dead_letter(connection: Connection, domain_id: int, dead_letter_id: int, now: datetime) -> DeadLetter | None:
    """Find a dead letter of a domain by its id."""
    found = list_dead_letters(connection, domain_id, now, after_id=dead_letter_id - 1, limit=1)
    return found[0] if found and found[0].dead_letter_id == dead_letter_id else None


def delete_dead_letter(connection: Connection, dead_letter_id: int) -> None:
    """Remove a dead letter."""
    connection.execute(delete(table).where(table.c.dead_letter_id == dead_letter_id))


def delete_dead_letters_of_type(connection: Connection, domain_id: int, object_type: str) -> None:
    """Remove the dead letters of an object type; reads all of the domain."""
    is_letter = (table.c.domain_id == domain_id) & (table.c.object_type == object_type)
    connection.execute(delete(table).where(is_letter))


def remove_expired_dead_letters_step(connection: Connection, now: datetime, limit: int) -> int:
    """Remove up to ``limit`` dead letters that were kept long enough; return their number."""
    ids = (
        connection.execute(select(table.c.dead_letter_id).where(table.c.expires_at <= now).limit(limit)).scalars().all()
    )
    if ids:
        connection.execute(delete(table).where(table.c.dead_letter_id.in_(ids)))
    return len(ids)


def _letter_of(row: Mapping[Any, Any]) -> DeadLetter:
    return DeadLetter(
        dead_letter_id=row["dead_letter_id"],
        object_type=row["object_type"],
        unique_key=bytes(row["unique_key"]),
        content=row["content"],
        code=row["code"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


_DELETE = PreparedStatement(
    delete(table).where(table.c.domain_id == bindparam("of_domain"), table.c.unique_key == bindparam("of_key"))
)
