"""Opens the store for a loader. Each engine's module is imported only where it is used: its driver takes a while."""

from __future__ import annotations

from openprofiles.settings import PostgresqlUrl, Settings
from openprofiles.store.bulk import BulkStore
from openprofiles.store.leased_jobs import Lease


def open_bulk_store(settings: Settings, lease: Lease) -> BulkStore:
    """The connection of one loader that writes."""
    if isinstance(settings.store, PostgresqlUrl):
        from openprofiles.store.postgresql_bulk import PostgresqlBulkStore

        return PostgresqlBulkStore(settings.store, lease)
    from openprofiles.store.sqlite_bulk import SqliteBulkStore

    return SqliteBulkStore(settings.store_path, lease)
