"""Make a small SQLite store that has one domain without its profiles, to try out there what a job would do."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import ColumnElement, Table, insert, select, true
from sqlalchemy.engine import Connection

from openprofiles.store.connections import Store
from openprofiles.store.open import migrate
from openprofiles.store.tables import definition, definition_body, domain, indexed_field, row_sequence


def make_domain_copy(source: Connection, path: Path, domain_id: int) -> Store:
    """Create a store with a domain, its definitions, and the next row number."""
    from openprofiles.store.sqlite import SqliteStore

    store = SqliteStore(path)
    migrate(store)
    with store.write() as target:
        _copy(source, target, domain, domain.c.domain_id == domain_id)
        _copy(source, target, definition, definition.c.domain_id == domain_id)
        _copy(source, target, definition_body, definition_body.c.domain_id == domain_id)
        _copy(source, target, indexed_field, indexed_field.c.domain_id == domain_id)
        _copy(source, target, row_sequence, true())
    return store


def _copy(source: Connection, target: Connection, table: Table, condition: ColumnElement[bool]) -> None:
    rows = [dict(row) for row in source.execute(select(table).where(condition)).mappings()]
    if rows:
        target.execute(insert(table), rows)
