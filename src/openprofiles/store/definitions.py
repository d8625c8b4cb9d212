"""Definitions as rows: what a domain keeps by name, of every kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from openprofiles.store.definition_names import KEY_FORMS, OBJECT_TYPES
from openprofiles.store.prepared import PreparedQuery
from openprofiles.store.tables import definition as table
from openprofiles.store.tables import definition_body as bodies


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition without its body; the columns are explained in ``tables``."""

    definition_id: int
    domain_id: int
    kind: str
    name: str
    summary: Mapping[str, Any]
    tags: Mapping[str, str]
    version: int
    created_at: datetime
    updated_at: datetime


class NameTaken(Exception):
    """The domain has a definition of this kind and name. Roll the transaction back."""


_COLUMNS = tuple(table.c[field.name] for field in fields(Definition))


def insert_definition(
    connection: Connection,
    domain_id: int,
    kind: str,
    name: str,
    *,
    summary: Mapping[str, Any],
    body: Mapping[str, Any],
    tags: Mapping[str, str],
    now: datetime,
) -> Definition:
    """Write a new definition, with version 1.

    Raises:
        NameTaken: there is one of this kind and name.
    """
    values = {
        "domain_id": domain_id,
        "kind": kind,
        "name": name,
        "summary": dict(summary),
        "tags": dict(tags),
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    try:
        row = connection.execute(insert(table).values(values).returning(*_COLUMNS)).one()
    except IntegrityError as error:
        raise NameTaken from error
    made = Definition(*row)
    _insert_body(connection, made, body)
    return made


def find_definition(connection: Connection, domain_id: int, kind: str, name: str) -> Definition | None:
    """Find the definition of this kind and name."""
    return _OF_NAME.one_or_none(connection, of_domain=domain_id, of_kind=kind, of_name=name)


def list_definitions(
    connection: Connection, domain_id: int, kind: str, *, after_name: str, limit: int
) -> list[Definition]:
    """List up to ``limit`` definitions after ``after_name``, by the bytes of their names."""
    return _AFTER_NAME.all(connection, of_domain=domain_id, of_kind=kind, after_name=after_name, most=limit)


def read_key_forms(object_types: Iterable[Definition]) -> dict[str, set[tuple[str, ...]]]:
    """Return the content types of each key's fields, by name."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for one in object_types:
        for name, forms in one.summary[KEY_FORMS].items():
            found.setdefault(name, set()).update(map(tuple, forms))
    return found


def read_key_forms_of_domain(connection: Connection, domain_id: int) -> dict[str, set[tuple[str, ...]]]:
    """Return the content types of the keys of all object types of a domain."""
    return read_key_forms(_OF_KIND.all(connection, of_domain=domain_id, of_kind=OBJECT_TYPES))


def list_deleted_object_types(connection: Connection) -> list[Definition]:
    """List the deleted object types of all domains that are not removed yet."""
    is_deleted = and_(table.c.kind == OBJECT_TYPES, table.c.deleted_at.is_not(None))
    rows = connection.execute(select(*_COLUMNS).where(is_deleted).order_by(table.c.definition_id))
    return [Definition(*row) for row in rows]


def read_definition_name(connection: Connection, definition_id: int) -> str | None:
    """Return the name of a definition, deleted or not; None if it is removed."""
    query = select(table.c.name).where(table.c.definition_id == definition_id)
    return connection.execute(query).scalar_one_or_none()


def read_body(connection: Connection, definition: Definition, version: int | None = None) -> dict[str, Any]:
    """Read the body of a definition: the one that holds, or an older one that something refers to."""
    query = select(bodies.c.body).where(_is_body(definition, version or definition.version))
    body: dict[str, Any] = connection.execute(query).scalar_one()
    return body


def write_definition(
    connection: Connection, definition: Definition, body: Mapping[str, Any] | None, *, keeps_older: bool = False
) -> None:
    """Write the columns of a definition that can change.

    The caller holds the domain's row, so that of two at once the second sees the first.

    Args:
        body: that of its version, which is new; None: the body that is there holds.
        keeps_older: whether something refers to the body before it.
    """
    connection.execute(
        update(table)
        .where(table.c.definition_id == definition.definition_id)
        .values(
            summary=dict(definition.summary),
            tags=dict(definition.tags),
            version=definition.version,
            created_at=definition.created_at,
            updated_at=definition.updated_at,
        )
    )
    if body is None:
        return
    if not keeps_older:
        connection.execute(delete(bodies).where(_is_body(definition, definition.version - 1)))
    _insert_body(connection, definition, body)


def mark_definition_deleted(connection: Connection, definition: Definition, now: datetime) -> None:
    """Mark a definition as deleted, and free its name; ``removal`` removes its rows."""
    connection.execute(update(table).where(table.c.definition_id == definition.definition_id).values(deleted_at=now))


def _insert_body(connection: Connection, definition: Definition, body: Mapping[str, Any]) -> None:
    connection.execute(
        insert(bodies).values(
            domain_id=definition.domain_id,
            definition_id=definition.definition_id,
            version=definition.version,
            body=dict(body),
        )
    )


def _is_body(definition: Definition, version: int) -> ColumnElement[bool]:
    return and_(
        bodies.c.domain_id == definition.domain_id,
        bodies.c.definition_id == definition.definition_id,
        bodies.c.version == version,
    )


_SELECT = select(*_COLUMNS).where(
    table.c.domain_id == bindparam("of_domain"), table.c.kind == bindparam("of_kind"), table.c.deleted_at.is_(None)
)


def _definition_of(row: Mapping[str, Any]) -> Definition:
    return Definition(**row)


_OF_KIND = PreparedQuery(_SELECT, _definition_of)
_OF_NAME = PreparedQuery(_SELECT.where(table.c.name == bindparam("of_name")), _definition_of)
_AFTER_NAME = PreparedQuery(
    _SELECT.where(table.c.name > bindparam("after_name")).order_by(table.c.name).limit(bindparam("most")),
    _definition_of,
)
