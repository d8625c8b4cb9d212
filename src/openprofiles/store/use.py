"""The lock that shows whether a store is in use: each server, worker and import holds it while it runs.

They share the lock. A command that needs the store to itself takes it exclusively. On SQLite it is a lock on a file
next to the store, on PostgreSQL an advisory lock of the session: both are released when the process ends, even by a
crash.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from openprofiles.errors import InvalidRequest
from openprofiles.lock_files import open_lock_file
from openprofiles.settings import PostgresqlUrl, Settings


@contextmanager
def using(settings: Settings) -> Iterator[None]:
    """Use the store of the settings for the block, among others.

    Raises:
        InvalidRequest: a command has it to itself.
        StoreUnreachable: the database does not answer.
    """
    with _held(settings, is_shared=True) as is_held:
        if not is_held:
            raise InvalidRequest(
                f"The store {settings.store_name} is being copied or restored, or its master key is being changed. "
                "Wait until that command has finished."
            )
        yield


@contextmanager
def using_alone(settings: Settings) -> Iterator[None]:
    """Have the store of the settings to oneself for the block.

    Raises:
        InvalidRequest: a server, a worker or another command uses it.
        StoreUnreachable: the database does not answer.
    """
    with _held(settings, is_shared=False) as is_held:
        if not is_held:
            raise InvalidRequest(
                f"A server, worker, import or other command is running on the store {settings.store_name}. Stop all of "
                "them first."
            )
        yield


def _held(settings: Settings, *, is_shared: bool) -> AbstractContextManager[bool]:
    if isinstance(settings.store, PostgresqlUrl):
        # Its driver is not everywhere.
        from openprofiles.store.postgresql_use import held_lock

        return held_lock(settings.store, is_shared=is_shared)
    return _held_file(settings, is_shared=is_shared)


@contextmanager
def _held_file(settings: Settings, *, is_shared: bool) -> Iterator[bool]:
    descriptor = open_lock_file(settings.store_lock_path)
    if descriptor is None:
        yield True
        return
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
