"""Profile objects as rows, with their two indexes: by profile, and by unique key."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.engine import Connection

from openprofiles.clock import to_milliseconds
from openprofiles.store.prepared import PreparedQuery, PreparedStatement, Writes
from openprofiles.store.tables import FOR_OBJECT_EXPIRY_INDEX, domain, object_list, object_unique
from openprofiles.store.tables import profile_object as table

_OBJECTS_PER_READ = 500
_NUMBERS_SQLITE = select(object_unique.c.object_no).where(
    object_unique.c.domain_id == bindparam("domain_id"),
    object_unique.c.object_type_id == bindparam("object_type_id"),
    object_unique.c.hash.in_(bindparam("hashes", expanding=True)),
)
# Each is looked up by itself: without statistics PostgreSQL may prefer to read all objects of the type.
_NUMBERS_POSTGRESQL = text(
    "select found.object_no from unnest(cast(:hashes as bigint[])) as wanted(hash) cross join lateral ("
    "select u.object_no from object_unique u where u.domain_id = :domain_id and u.object_type_id = :object_type_id "
    "and u.hash = wanted.hash offset 0) found"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileObject:
    """An object as it is stored; the columns are explained in ``tables``."""

    object_no: int
    domain_id: int
    pid: int
    object_type_id: int
    unique_key: bytes
    content: str
    version: int | None
    made_profile: bool
    keys: Sequence[Sequence[str]] | None
    source_at: datetime | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime

    @property
    def hashes(self) -> set[int]:
        """The entries of the index by unique key: of that, and of each key that finds a standard object."""
        of_keys = (key_hash(standard_key(self.pid, name, value)) for name, value in self.keys or ())
        return {key_hash(self.unique_key), *of_keys}


def key_hash(unique_key: bytes) -> int:
    """Return what the index has of a unique key; several keys may have one hash."""
    return int.from_bytes(unique_key[:8], "big", signed=True)


def standard_key(pid: int, name: str, value: str) -> bytes:
    """Return the entry of the index for a key of a standard object."""
    return hashlib.sha256(f"{pid}\0{name}\0{value}".encode()).digest()


def insert_object(writes: Writes, one: ProfileObject) -> None:
    """Write a new object with its entries in both indexes."""
    writes.add(_INSERT, **_row_of(one))
    writes.add(_INSERT_LISTED, pid=one.pid, object_type_id=one.object_type_id, object_no=one.object_no)
    _add_hashes(writes, one, one.hashes)


def update_object(writes: Writes, before: ProfileObject, after: ProfileObject) -> None:
    """Write what can change of an object; its profile stays."""
    row = _row_of(after)
    changed = {name: row[name] for name in _CHANGEABLE}
    writes.add(_UPDATE, of_domain=after.domain_id, of_object=after.object_no, **changed)
    _add_hashes(writes, after, after.hashes - before.hashes)
    for one_hash in before.hashes - after.hashes:
        writes.add(
            _DELETE_UNIQUE,
            of_domain=after.domain_id,
            of_type=after.object_type_id,
            of_hash=one_hash,
            of_object=after.object_no,
        )


def delete_object(connection: Connection, one: ProfileObject) -> None:
    """Remove an object with its entries in both indexes."""
    _DELETE.run(connection, of_domain=one.domain_id, of_object=one.object_no)
    _DELETE_LISTED.run(connection, of_pid=one.pid, of_type=one.object_type_id, of_object=one.object_no)
    for one_hash in one.hashes:
        _DELETE_UNIQUE.run(
            connection,
            of_domain=one.domain_id,
            of_type=one.object_type_id,
            of_hash=one_hash,
            of_object=one.object_no,
        )


def delete_objects_of_profiles(connection: Connection, domain_id: int, pids: Collection[int]) -> None:
    """Remove all objects of these profiles of the domain, which the caller holds."""
    objects = list_objects_of_profiles(connection, domain_id, pids)
    for one in objects:
        delete_object(connection, one)
    count_objects(connection, domain_id, -len(objects))


def _add_hashes(writes: Writes, one: ProfileObject, hashes: Iterable[int]) -> None:
    for one_hash in sorted(hashes):
        writes.add(
            _INSERT_UNIQUE,
            domain_id=one.domain_id,
            object_type_id=one.object_type_id,
            hash=one_hash,
            object_no=one.object_no,
        )


def count_objects(connection: Connection, domain_id: int, more: int) -> None:
    """Change the domain's number of objects, which the caller holds."""
    if more:
        _COUNT.run(connection, of_domain=domain_id, objects_added=more)


def find_by_hash(connection: Connection, domain_id: int, object_type_id: int, unique_key: bytes) -> list[ProfileObject]:
    """Find the objects of a type by the hash of a key; the caller compares the key itself."""
    return _BY_HASH.all(connection, of_domain=domain_id, of_type=object_type_id, of_hash=key_hash(unique_key))


def find_by_unique_key(
    connection: Connection, domain_id: int, object_type_id: int, unique_key: bytes
) -> ProfileObject | None:
    """Find an object by its unique key, expired or not."""
    found = find_by_hash(connection, domain_id, object_type_id, unique_key)
    return next((one for one in found if one.unique_key == unique_key), None)


def find_by_unique_keys(
    connection: Connection, domain_id: int, object_type_id: int, unique_keys: Collection[bytes]
) -> dict[bytes, ProfileObject | None]:
    """Find the objects of a type by their unique keys, expired or not; each unique key has an entry."""
    hashes = [key_hash(one) for one in unique_keys]
    of_type = {"domain_id": domain_id, "object_type_id": object_type_id, "hashes": hashes}
    query = _NUMBERS_SQLITE if connection.dialect.name == "sqlite" else _NUMBERS_POSTGRESQL
    numbers = connection.execute(query, of_type).scalars().all()
    found: dict[bytes, ProfileObject | None] = dict.fromkeys(unique_keys)
    for one in find_by_numbers(connection, domain_id, numbers).values():
        if one.unique_key in found:
            found[one.unique_key] = one
    return found


def find_by_numbers(connection: Connection, domain_id: int, numbers: Collection[int]) -> dict[int, ProfileObject]:
    """Find the objects of the domain with these numbers."""
    is_object = _of_numbers(connection, domain_id, table.c.object_no.in_(numbers))
    rows = connection.execute(select(table).where(is_object)).mappings()
    return {one.object_no: one for one in map(_object_of, rows)}


def list_objects(
    connection: Connection,
    domain_id: int,
    pid: int,
    object_type_id: int,
    now: datetime,
    *,
    before_no: int,
    limit: int,
) -> list[ProfileObject]:
    """List up to ``limit`` objects of a profile and type, newest first.

    Expired ones are left out.

    Args:
        before_no: only objects with lower numbers.
    """
    return _OF_PROFILE.all(
        connection,
        of_domain=domain_id,
        of_pid=pid,
        of_type=object_type_id,
        before_no=before_no,
        after=now,
        most=limit,
    )


def find_oldest_object(
    connection: Connection, domain_id: int, pid: int, object_type_id: int, but_nos: Collection[int]
) -> ProfileObject | None:
    """Find the object of a profile and type that came first, except some."""
    oldest = (
        select(table)
        .join(object_list, object_list.c.object_no == table.c.object_no)
        .where(
            table.c.domain_id == domain_id,
            object_list.c.pid == pid,
            object_list.c.object_type_id == object_type_id,
            object_list.c.object_no.not_in(but_nos),
        )
        .order_by(object_list.c.object_no)
        .limit(1)
    )
    row = connection.execute(oldest).mappings().one_or_none()
    return None if row is None else _object_of(row)


def count_by_type(connection: Connection, pid: int) -> dict[int, int]:
    """Count the objects of a profile by type, expired ones among them."""
    rows = connection.execute(
        select(object_list.c.object_type_id, func.count())
        .where(object_list.c.pid == pid)
        .group_by(object_list.c.object_type_id)
    )
    return {row[0]: row[1] for row in rows}


def list_objects_of_profiles(connection: Connection, domain_id: int, pids: Collection[int]) -> list[ProfileObject]:
    """List all objects of these profiles, expired ones among them."""
    numbers = select(object_list.c.object_no).where(object_list.c.pid.in_(pids))
    is_object = _of_numbers(connection, domain_id, table.c.object_no.in_(numbers))
    rows = connection.execute(select(table).where(is_object)).mappings()
    return [_object_of(row) for row in rows]


def list_objects_of_type(
    connection: Connection, domain_id: int, object_type_id: int, limit: int
) -> list[ProfileObject]:
    """List up to ``limit`` objects of a type, in no particular order."""
    numbers = (
        select(object_unique.c.object_no)
        .where(object_unique.c.domain_id == domain_id, object_unique.c.object_type_id == object_type_id)
        .limit(limit)
    )
    is_object = _of_numbers(connection, domain_id, table.c.object_no.in_(numbers))
    rows = connection.execute(select(table).where(is_object)).mappings()
    return [_object_of(row) for row in rows]


def read_newest_objects(
    connection: Connection, domain_id: int, object_type_id: int, now: datetime, limit: int
) -> Iterator[tuple[str, datetime]]:
    """Yield the contents of the newest ``limit`` objects of a type, with their times."""
    numbers = (
        connection.execute(
            # Several entries of a standard object have one number.
            select(object_unique.c.object_no)
            .distinct()
            .where(object_unique.c.domain_id == domain_id, object_unique.c.object_type_id == object_type_id)
            .order_by(object_unique.c.object_no.desc())
            .limit(limit)
        )
        .scalars()
        .all()
    )
    for start in range(0, len(numbers), _OBJECTS_PER_READ):
        part = numbers[start : start + _OBJECTS_PER_READ]
        is_object = _of_numbers(connection, domain_id, table.c.object_no.in_(part))
        rows = connection.execute(
            select(table.c.content, table.c.updated_at)
            .where(is_object, type_coerce(table.c.expires_at, BigInteger) + 0 > to_milliseconds(now))
            .order_by(table.c.object_no.desc())
        )
        yield from ((row.content, row.updated_at) for row in rows)


def has_objects_of_type(connection: Connection, domain_id: int, object_type_id: int) -> bool:
    """Return whether a type has any objects, expired ones among them."""
    query = (
        select(object_unique.c.object_no)
        .where(object_unique.c.domain_id == domain_id, object_unique.c.object_type_id == object_type_id)
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none() is not None


def list_expired_objects(connection: Connection, domain_id: int, now: datetime, limit: int) -> list[ProfileObject]:
    """List up to ``limit`` expired objects of a domain, longest ago first."""
    rows = connection.execute(
        select(table)
        .where(table.c.domain_id == domain_id, table.c.expires_at <= now, FOR_OBJECT_EXPIRY_INDEX)
        .order_by(table.c.domain_id, table.c.expires_at)
        .limit(limit)
    ).mappings()
    return [_object_of(row) for row in rows]


def _of_numbers(connection: Connection, domain_id: int, is_number: ColumnElement[bool]) -> ColumnElement[bool]:
    """Build the condition for objects that are known by number; see ``profiles._of_domain``."""
    return is_number if connection.dialect.name == "sqlite" else and_(table.c.domain_id == domain_id, is_number)


def _row_of(one: ProfileObject) -> dict[str, Any]:
    return {column.name: getattr(one, column.name) for column in table.columns}


def _object_of(row: Mapping[Any, Any]) -> ProfileObject:
    values = {column.name: row[column.name] for column in table.columns}
    return ProfileObject(**{**values, "unique_key": bytes(values["unique_key"])})


_CHANGEABLE = ("content", "version", "made_profile", "keys", "source_at", "updated_at", "expires_at")
_is_object = (table.c.domain_id == bindparam("of_domain")) & (table.c.object_no == bindparam("of_object"))
_is_of_domain = table.c.domain_id == bindparam("of_domain")
_is_listed = (
    (object_list.c.pid == bindparam("of_pid"))
    & (object_list.c.object_type_id == bindparam("of_type"))
    & (object_list.c.object_no == bindparam("of_object"))
)
_INSERT = PreparedStatement(insert(table))
_UPDATE = PreparedStatement(
    update(table).where(_is_object).values({name: bindparam(name, type_=table.c[name].type) for name in _CHANGEABLE})
)
_DELETE = PreparedStatement(delete(table).where(_is_object))
_INSERT_LISTED = PreparedStatement(insert(object_list))
_DELETE_LISTED = PreparedStatement(delete(object_list).where(_is_listed))
_INSERT_UNIQUE = PreparedStatement(insert(object_unique))
_DELETE_UNIQUE = PreparedStatement(
    delete(object_unique).where(
        object_unique.c.domain_id == bindparam("of_domain"),
        object_unique.c.object_type_id == bindparam("of_type"),
        object_unique.c.hash == bindparam("of_hash"),
        object_unique.c.object_no == bindparam("of_object"),
    )
)
_COUNT = PreparedStatement(
    update(domain)
    .where(domain.c.domain_id == bindparam("of_domain"))
    .values(object_count=domain.c.object_count + bindparam("objects_added"))
)
_BY_HASH = PreparedQuery(
    select(table)
    .join(object_unique, object_unique.c.object_no == table.c.object_no)
    .where(
        _is_of_domain,
        object_unique.c.domain_id == bindparam("of_domain"),
        object_unique.c.object_type_id == bindparam("of_type"),
        object_unique.c.hash == bindparam("of_hash"),
    ),
    _object_of,
)
_OF_PROFILE = PreparedQuery(
    select(table)
    .join(object_list, object_list.c.object_no == table.c.object_no)
    .where(
        _is_of_domain,
        object_list.c.pid == bindparam("of_pid"),
        object_list.c.object_type_id == bindparam("of_type"),
        object_list.c.object_no < bindparam("before_no"),
        table.c.expires_at > bindparam("after"),
    )
    .order_by(object_list.c.object_no.desc())
    .limit(bindparam("most")),
    _object_of,
)
