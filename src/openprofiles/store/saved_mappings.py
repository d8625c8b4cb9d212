"""Saved mappings as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.engine import Connection

from openprofiles.store.tables import saved_mapping


@dataclass(frozen=True, slots=True)
class SavedMapping:
    """A mapping that is kept by name.

    Attributes:
        fields: as in CreateUploadJob: ``{field name: {"Source": ..., "Target": ..., "ContentType": ...}}``.
        unique_key: as in CreateUploadJob.
        columns: the names of all columns of the file that it was made for, in their order.
        reading: what was chosen about reading the file, as JSON; empty: nothing.
    """

    name: str
    fields: Mapping[str, Mapping[str, str]]
    unique_key: str
    columns: Sequence[str]
    created_at: datetime
    updated_at: datetime
    reading: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SavedMappingName:
    """A saved mapping in a list."""

    name: str
    created_at: datetime
    updated_at: datetime


def write_mapping(
    connection: Connection,
    domain_id: int,
    name: str,
    *,
    fields: Mapping[str, Mapping[str, str]],
    unique_key: str,
    columns: Sequence[str],
    reading: Mapping[str, Any],
    now: datetime,
) -> None:
    """Write a mapping; it replaces one of the same name.

    The caller holds the domain's row, so that of two at once the second sees the first.
    """
    values: dict[str, Any] = {
        "fields": {key: dict(one) for key, one in fields.items()},
        "unique_key": unique_key,
        # Only with choices the header is in an object, so that an older mapping is read in the same way.
        "columns": {"names": list(columns), "reading": dict(reading)} if reading else list(columns),
        "updated_at": now,
    }
    changed = connection.execute(update(saved_mapping).where(_is(domain_id, name)).values(values))
    if changed.rowcount == 0:
        connection.execute(insert(saved_mapping).values(values | _key(domain_id, name) | {"created_at": now}))


def find_mapping(connection: Connection, domain_id: int, name: str) -> SavedMapping | None:
    table = saved_mapping.c
    row = connection.execute(
        select(table.name, table.fields, table.unique_key, table.columns, table.created_at, table.updated_at).where(
            _is(domain_id, name)
        )
    ).one_or_none()
    if row is None:
        return None
    found, reading = (
        (row.columns, {}) if isinstance(row.columns, list) else (row.columns["names"], row.columns["reading"])
    )
    return SavedMapping(row.name, row.fields, row.unique_key, found, row.created_at, row.updated_at, reading)


def list_mapping_names(
    connection: Connection, domain_id: int, *, after_name: str, limit: int
) -> list[SavedMappingName]:
    """List up to ``limit`` mapping names after ``after_name``, in the order of their bytes."""
    table = saved_mapping.c
    rows = connection.execute(
        select(table.name, table.created_at, table.updated_at)
        .where(table.domain_id == domain_id, table.name > after_name)
        .order_by(table.name)
        .limit(limit)
    )
    return [SavedMappingName(*row) for row in rows]


def delete_mapping(connection: Connection, domain_id: int, name: str) -> bool:
    """Delete a mapping; return whether it existed."""
    return connection.execute(delete(saved_mapping).where(_is(domain_id, name))).rowcount > 0


def _is(domain_id: int, name: str) -> ColumnElement[bool]:
    return (saved_mapping.c.domain_id == domain_id) & (saved_mapping.c.name == name)


def _key(domain_id: int, name: str) -> dict[str, Any]:
    return {"domain_id": domain_id, "name": name}
