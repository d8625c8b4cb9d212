"""Opens the store in the form that this program knows, migrating an older one first.

Alembic is imported where it is used: half a second that only a store in need of a step pays for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DatabaseError

from openprofiles.master_key import load_master_key
from openprofiles.settings import Settings, SettingsError
from openprofiles.store.migrations import NEWEST_REVISION
from openprofiles.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from alembic.config import Config

_SCRIPTS = Path(__file__).with_name("migrations")


def open_store(settings: Settings) -> SqliteStore:
    """The store of the data folder, made or migrated if need be. Several processes may do this at once.

    Raises:
        SettingsError: the data folder, the master key or the store cannot be used; a newer program wrote the store.
    """
    # The key comes first: a store without one cannot be told from a store whose key was lost.
    load_master_key(settings)
    path = settings.store_path
    store = SqliteStore(path)
    try:
        migrate(store)
        path.chmod(0o600)
    except SettingsError:
        store.close()
        raise
    except (DatabaseError, OSError) as error:
        store.close()
        reason = error.orig if isinstance(error, DatabaseError) else error
        raise SettingsError(
            f"The store {path} cannot be opened: {reason}. "
            "Check the disk and the path, or restore the store from a backup."
        ) from error
    return store


def migrate(store: SqliteStore) -> tuple[str | None, str]:
    """Brings the store to the newest revision, in one transaction.

    Returns:
        The revision before (None for a store that is new) and after.

    Raises:
        SettingsError: a newer openprofiles wrote the store, or something else than openprofiles.
    """
    with store.read() as connection:
        before = revision_of(connection)
    if before == NEWEST_REVISION:
        return before, before
    with store.write() as connection:
        # Another process may have migrated it while this one waited for the lock.
        before = revision_of(connection)
        if before != NEWEST_REVISION:
            _apply_steps(connection, before)
    return before, NEWEST_REVISION


def revision_of(connection: Connection) -> str | None:
    """The revision that a store has, or None if it holds nothing.

    Raises:
        SettingsError: the file holds tables, but not those of openprofiles.
    """
    tables = set(connection.execute(text("select name from sqlite_master where type = 'table'")).scalars())
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise SettingsError("The store is a SQLite file of another program. Give openprofiles a file of its own.")
    return connection.execute(text("select version_num from alembic_version")).scalar_one_or_none()


def alembic_config(connection: Connection) -> Config:
    """What Alembic needs to work on this connection with the steps of this package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _apply_steps(connection: Connection, before: str | None) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if before is not None and before not in known:
        raise SettingsError(
            f"The store has revision {before}, but this openprofiles knows revisions up to {NEWEST_REVISION} only: a "
            "newer openprofiles has written it. Use that version, or restore the store from an older backup."
        )
    command.upgrade(config, NEWEST_REVISION)
