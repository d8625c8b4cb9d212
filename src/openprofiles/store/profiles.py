"""Profiles as rows: one column for each field of the standard profile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Select, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.engine import Connection

from openprofiles.facts.records import FieldSource, Profile
from openprofiles.facts.standard_profile import FIELD_BY_PATH, FIELDS, attribute_of_target
from openprofiles.ids import ProfileId
from openprofiles.store.index_order import read_in_index_order
from openprofiles.store.prepared import PreparedQuery, PreparedStatement, Writes
from openprofiles.store.removed_profiles import keep_ids
from openprofiles.store.tables import FOR_EXPIRY_INDEX
from openprofiles.store.tables import profile as table


class KeySource(NamedTuple):
    """The fields of a profile that its keys are derived from, by path; and its attributes, by name."""

    pid: int
    values: Mapping[str, str]
    attributes: Mapping[str, str]


def insert_profile(writes: Writes, profile: Profile) -> None:
    """Write a new profile under the row number that was reserved for it."""
    writes.add(_INSERT, **_row_of(profile, _COLUMNS))


def update_profile(writes: Writes, before: Profile, after: Profile) -> None:
    """Write the columns of an existing profile that change."""
    columns = frozenset(_changed_columns(before, after))
    if not columns:
        return
    statement = _updates.get(columns)
    if statement is None:
        if len(_updates) >= _MAX_UPDATES:
            _updates.clear()
        values = {name: bindparam(name, type_=table.c[name].type) for name in sorted(columns)}
        statement = _updates[columns] = PreparedStatement(update(table).where(_IS_PROFILE).values(values))
    writes.add(statement, of_domain=after.domain_id, of_pid=after.pid, **_row_of(after, columns))


def delete_profiles(connection: Connection, domain_id: int, pids: Collection[int], now: datetime) -> None:
    """Remove these rows of the domain. The caller removes their keys."""
    is_row = _of_domain(connection, domain_id, table.c.pid.in_(pids))
    keep_ids(connection, domain_id, is_row, now)
    connection.execute(delete(table).where(is_row))


def read_ids(connection: Connection, domain_id: int, pids: Collection[int]) -> dict[int, str]:
    """Read the ids of the profiles of the domain among these row numbers.

    Expired profiles are included.
    """
    query = select(table.c.pid, table.c.profile_id).where(_of_domain(connection, domain_id, table.c.pid.in_(pids)))
    return dict(connection.execute(query).all())


def read_profiles(connection: Connection, domain_id: int, pids: Collection[int], now: datetime) -> dict[int, Profile]:
    """Read the unexpired profiles of the domain among these row numbers, by row number."""
    # The expiry, as a condition, would have SQLite walk the index on domain and expiry.
    found = read_profiles_of_numbers(connection, domain_id, pids)
    return {pid: one for pid, one in found.items() if one.expires_at > now}


def read_profiles_of_numbers(connection: Connection, domain_id: int, pids: Collection[int]) -> dict[int, Profile]:
    """Read the profiles of the domain among these row numbers, expired ones among them."""
    rows = connection.execute(select(table).where(_of_domain(connection, domain_id, table.c.pid.in_(pids))))
    # To look each column up in a row takes longer than all else.
    found = (_profile_of(dict(zip(_COLUMNS, row, strict=True))) for row in rows)
    return {one.pid: one for one in found if one.domain_id == domain_id}


def lock_profile(connection: Connection, domain_id: int, pid: int, now: datetime) -> Profile | None:
    """Read and lock a profile for a change; None if it does not exist or has expired."""
    return _FOR_CHANGE.one_or_none(connection, of_domain=domain_id, of_pid=pid, after=now)


def read_expired_profiles(
    connection: Connection, domain_id: int, now: datetime, limit: int, paths: Collection[str]
) -> list[KeySource]:
    """Read at most ``limit`` expired profiles of the domain, longest ago first.

    The caller holds the domain's row, so nothing changes them before they are removed.

    Args:
        paths: the fields that are wanted, ``Attributes.<name>`` among them.
    """
    read_in_index_order(connection)
    standard = [field for field in FIELDS if field.path in paths]
    columns = [table.c.pid, *(table.c[field.column] for field in standard)]
    has_attributes = any(attribute_of_target(path) is not None for path in paths)
    if has_attributes:
        columns.append(table.c.attributes)
    rows = connection.execute(
        select(*columns).where(_is_expired(domain_id, now)).order_by(table.c.domain_id, table.c.expires_at).limit(limit)
    )
    return [
        KeySource(
            row[0],
            {field.path: text for field, text in zip(standard, row[1:], strict=False) if text is not None},
            (row[-1] or {}) if has_attributes else {},
        )
        for row in rows
    ]


def count_expired_profiles(connection: Connection, domain_id: int, now: datetime, *, at_most: int | None = None) -> int:
    """Count the expired profiles of the domain that are still stored, up to ``at_most``.

    Reads the expired part of an index.
    """
    expired = select(table.c.pid).where(_is_expired(domain_id, now)).limit(at_most)
    count: int = connection.execute(select(func.count()).select_from(expired.subquery())).scalar_one()
    return count


def read_revisions(connection: Connection, domain_id: int, pids: Collection[int]) -> dict[int, int]:
    """Read the revisions of the domain's profiles among these row numbers, by row number."""
    rows = connection.execute(
        select(table.c.pid, table.c.revision).where(_of_domain(connection, domain_id, table.c.pid.in_(pids)))
    )
    return {row.pid: row.revision for row in rows}


def read_range(connection: Connection, domain_id: int, after_pid: int, upto_pid: int, *, limit: int) -> list[Profile]:
    """Read the profiles with row numbers above ``after_pid`` up to ``upto_pid``, by row number.

    Expired profiles are included. At most ``limit`` rows are read, even if others no longer exist.
    """
    read_in_index_order(connection)
    is_row = and_(table.c.pid > after_pid, table.c.pid <= upto_pid)
    query = select(table).where(_of_domain(connection, domain_id, is_row)).order_by(table.c.pid).limit(limit)
    return [one for one in map(_profile_of, connection.execute(query).mappings()) if one.domain_id == domain_id]


def read_last_pids(connection: Connection, domain_id: int, after_pid: int, before_pid: int, *, limit: int) -> list[int]:
    """Read row numbers of the domain between two others, the highest first; those of expired profiles too."""
    is_of_domain = table.c.domain_id + 0 if connection.dialect.name == "sqlite" else table.c.domain_id
    query = select(table.c.pid).where(table.c.pid > after_pid, table.c.pid < before_pid, is_of_domain == domain_id)
    return list(connection.execute(query.order_by(table.c.pid.desc()).limit(limit)).scalars())


def read_texts(
    connection: Connection, domain_id: int, pids: Collection[int], paths: Sequence[str]
) -> list[tuple[int, dict[str, str]]]:
    """Read standard fields of the profiles among these row numbers, expired ones included.

    Returns:
        the row number of each, with its values by path.
    """
    is_row = _of_domain(connection, domain_id, table.c.pid.in_(pids))
    return _texts(connection, domain_id, select(*_text_columns(paths)).where(is_row), paths)


def read_texts_of_range(
    connection: Connection, domain_id: int, after_pid: int, upto_pid: int, paths: Sequence[str], *, limit: int
) -> list[tuple[int, dict[str, str]]]:
    """Read standard fields of the first profiles in a range of row numbers, as ``read_texts``."""
    read_in_index_order(connection)
    # As they stand in the table, with those of other domains between them.
    is_of_domain = (
        table.c.domain_id + 0 == domain_id if connection.dialect.name == "sqlite" else (table.c.domain_id == domain_id)
    )
    query = select(*_text_columns(paths)).where(table.c.pid > after_pid, table.c.pid <= upto_pid, is_of_domain)
    return _texts(connection, domain_id, query.order_by(table.c.pid).limit(limit), paths)


def _text_columns(paths: Sequence[str]) -> list[Column[Any]]:
    return [table.c.pid, table.c.domain_id, *(table.c[FIELD_BY_PATH[path].column] for path in paths)]


def _texts(
    connection: Connection, domain_id: int, query: Select[Any], paths: Sequence[str]
) -> list[tuple[int, dict[str, str]]]:
    return [
        (row[0], {path: text for path, text in zip(paths, row[2:], strict=True) if text})
        for row in connection.execute(query)
        if row[1] == domain_id
    ]


def read_newest(connection: Connection, domain_id: int, now: datetime, limit: int) -> Iterator[Profile]:
    """Yield up to ``limit`` unexpired profiles of the domain, those that expire last first.

    They were written last, and there is an index for this order.
    """
    read_in_index_order(connection)
    query = (
        select(table)
        .where(table.c.domain_id == domain_id, table.c.expires_at > now, FOR_EXPIRY_INDEX)
        .order_by(table.c.domain_id.desc(), table.c.expires_at.desc())
    )
    yield from map(_profile_of, connection.execute(query.limit(limit)).mappings())


def count_changed_in_range(
    connection: Connection, domain_id: int, after_pid: int, upto_pid: int, *, at_most: int
) -> tuple[int, dict[int, int]]:
    """Count the profiles with row numbers above ``after_pid`` up to ``upto_pid``, to ``at_most``.

    Also returns the revision of each that was changed since it was created, by row number.
    """
    is_row = and_(table.c.pid > after_pid, table.c.pid <= upto_pid)
    first = (
        select(table.c.pid, table.c.revision)
        .where(_of_domain(connection, domain_id, is_row))
        .order_by(table.c.pid)
        .limit(at_most)
        .subquery()
    )
    count: int = connection.execute(select(func.count()).select_from(first)).scalar_one()
    changed = connection.execute(select(first.c.pid, first.c.revision).where(first.c.revision != 1))
    return count, {row.pid: row.revision for row in changed}


def _is_expired(domain_id: int, now: datetime) -> ColumnElement[bool]:
    # In this order: SQLite looks up the first of the two limits in the index.
    return and_(table.c.domain_id == domain_id, table.c.expires_at <= now, FOR_EXPIRY_INDEX)


def _of_domain(connection: Connection, domain_id: int, is_row: ColumnElement[bool]) -> ColumnElement[bool]:
    """Build the condition for rows that are known by number; it names the domain if that is free.

    On PostgreSQL it does, and a store that is spread over several hosts by domain finds the host by it. SQLite would
    walk the whole domain for 20 profiles (79 ms instead of 2 ms with a million profiles).
    """
    if connection.dialect.name == "sqlite":
        return is_row
    return and_(table.c.domain_id == domain_id, is_row)


def _changed_columns(before: Profile, after: Profile) -> Iterator[str]:
    for path in before.values.keys() | after.values.keys():
        if before.values.get(path) != after.values.get(path):
            yield FIELD_BY_PATH[path].column
    for name in _OTHER_COLUMNS:
        if getattr(before, name) != getattr(after, name):
            yield name


def _row_of(profile: Profile, columns: Collection[str]) -> dict[str, Any]:
    """Return these columns of a profile."""
    return {
        name: profile.values.get(_PATH_OF_COLUMN[name])
        if name in _PATH_OF_COLUMN
        else _WRITTEN.get(name, _as_it_is)(getattr(profile, name))
        for name in columns
    }


def _as_it_is(value: Any) -> Any:
    return value


# How members of a profile are written that are not a column as they are.
_WRITTEN: Mapping[str, Callable[[Any], Any]] = {
    "attributes": lambda attributes: dict(attributes) or None,
    "origins": lambda origins: sorted(origins) or None,
    "sources": lambda sources: (
        [[one.object_no, one.object_type_id, one.ingested_at_ms, one.source_at_ms, one.paths] for one in sources]
        or None
    ),
    "object_count": lambda count: count or None,
}
_PATH_OF_COLUMN = {field.column: field.path for field in FIELDS}
_COLUMNS = tuple(column.name for column in table.columns)
_OTHER_COLUMNS = tuple(name for name in _COLUMNS if name not in _PATH_OF_COLUMN)
# By the columns that they change.
_updates: dict[frozenset[str], PreparedStatement] = {}
_MAX_UPDATES = 500


def _profile_of(columns: Mapping[Any, Any]) -> Profile:
    return Profile(
        pid=columns["pid"],
        domain_id=columns["domain_id"],
        profile_id=ProfileId(columns["profile_id"]),
        values={field.path: text for field in FIELDS if (text := columns[field.column]) is not None},
        # In this order, since ``jsonb`` does not keep the one in which they were written.
        attributes=dict(sorted(columns["attributes"].items())) if columns["attributes"] else {},
        engagement_preferences=columns["engagement_preferences"],
        origins=frozenset(columns["origins"] or ()),
        revision=columns["revision"],
        created_at=columns["created_at"],
        updated_at=columns["updated_at"],
        expires_at=columns["expires_at"],
        last_upload_job=columns["last_upload_job"],
        sources=tuple(_source_of(*one) for one in columns["sources"] or ()),
        object_count=columns["object_count"] or 0,
    )


def _source_of(
    object_no: int, type_id: int, ingested_at_ms: int, source_at_ms: int | None, paths: list[str]
) -> FieldSource:
    return FieldSource(
        object_no=object_no,
        object_type_id=type_id,
        ingested_at_ms=ingested_at_ms,
        source_at_ms=source_at_ms,
        paths=tuple(paths),
    )


_IS_PROFILE = (table.c.pid == bindparam("of_pid")) & (table.c.domain_id == bindparam("of_domain"))
_INSERT = PreparedStatement(insert(table))
_FOR_CHANGE = PreparedQuery(
    select(table).where(_IS_PROFILE, table.c.expires_at > bindparam("after")).with_for_update(), _profile_of
)
