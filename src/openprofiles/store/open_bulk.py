"""Open the store for a loader. Each engine's module is imported only where it is used: its driver takes a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openprofiles.settings import PostgresqlUrl, Settings
from openprofiles.store.bulk import BulkStore
from openprofiles.store.leased_jobs import Lease

if TYPE_CHECKING:
    from openprofiles.store.leased_store import LeasedStore


def open_leased_store(settings: Settings, lease: Lease) -> LeasedStore:
    """The connections of one loader that writes what calls of the API write."""
    from openprofiles.store.leased_store import LeasedStore
    from openprofiles.store.open import open_store_as_it_is

    return LeasedStore(open_store_as_it_is(settings), lease)


def open_bulk_store(settings: Settings, lease: Lease) -> BulkStore:
    """The connection of one loader that writes."""
    if isinstance(settings.store, PostgresqlUrl):
        from openprofiles.store.postgresql_bulk import PostgresqlBulkStore

        return PostgresqlBulkStore(settings.store, lease)
    from openprofiles.store.sqlite_bulk import SqliteBulkStore

    return SqliteBulkStore(settings.store_path, lease)
