"""Open the store, migrating an older one to the present version first.

A new store is created as ``tables`` describes it; only an older one runs the migrations, with the same result.
Alembic is imported where it is used: it takes a quarter of a second, which only a migration needs to pay for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DatabaseError

from openprofiles.errors import DomainError, InvalidRequest, StoreNotWritable
from openprofiles.master_key import load_master_key
from openprofiles.settings import PostgresqlUrl, Settings, SettingsError
from openprofiles.store.connections import Store
from openprofiles.store.migrations import NEWEST_REVISION
from openprofiles.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

# Any number will do; all processes that migrate one database take turns by it.
_MIGRATION_LOCK = 7_308_604_897_068_083_558

# In the place of a revision: of a store that a copy is being made into.
_UNFINISHED = "unfinished copy"

# As Alembic makes it.
_alembic_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

_SCRIPTS = Path(__file__).with_name("migrations")


def open_store(settings: Settings, *, may_migrate: bool = False) -> Store:
    """Open the store of the data folder; create it if needed. Several processes may do this at once.

    An embedded store of an older form is migrated. A server store is so only if ``may_migrate``: programs of the older
    version may be at work on it, so the moment is an operator's to choose.

    Raises:
        SettingsError: the data folder, the master key or the store cannot be used; a newer program wrote the store, or
            an older one wrote a server store.
    """
    # The key comes first: a store without one looks like a store whose key was lost.
    load_master_key(settings)
    if isinstance(settings.store, PostgresqlUrl):
        return _open_postgresql(settings.store, may_migrate=may_migrate, may_make=True)
    return _open_sqlite(settings.store_path)


def open_existing_store(settings: Settings, *, may_migrate: bool = False) -> Store:
    """Open a store that exists, as ``open_store`` does; make no store, no data folder and no master key.

    Raises:
        SettingsError: there is no store, or it cannot be used.
    """
    if not isinstance(settings.store, PostgresqlUrl):
        require_store_file(settings)
        return _open_sqlite(settings.store_path)
    # An empty database is there because somebody made it: ``openprofiles migrate`` may prepare it.
    return _open_postgresql(settings.store, may_migrate=may_migrate, may_make=may_migrate)


def require_store_file(settings: Settings) -> None:
    """Refuse settings whose SQLite store does not exist.

    Raises:
        SettingsError: there is no such file.
    """
    if not settings.store_path.exists():
        raise SettingsError(
            f"There is no store {settings.store_path}. Name the folder of a store with --data, or the store itself "
            "with --store."
        )


def open_store_as_it_is(settings: Settings) -> Store:
    """Open the store as it is, perhaps without tables; it is neither created nor migrated.

    Raises:
        SettingsError: the data folder, the master key or a package is missing.
    """
    load_master_key(settings)
    if isinstance(settings.store, PostgresqlUrl):
        return _postgresql_store(settings.store)
    from openprofiles.store.sqlite import SqliteStore

    return SqliteStore(settings.store_path)


def _open_sqlite(path: Path) -> Store:
    from openprofiles.store.sqlite import SqliteStore

    store = SqliteStore(path)
    try:
        migrate(store)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except (SettingsError, StoreNotWritable):
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


def _postgresql_store(url: PostgresqlUrl) -> Store:
    try:
        from openprofiles.store.postgresql import PostgresqlStore
    except ImportError as error:
        raise SettingsError(
            "A PostgreSQL store needs more packages. Install them with: pip install 'openprofiles[postgresql]'"
        ) from error
    return PostgresqlStore(url)


def _open_postgresql(url: PostgresqlUrl, *, may_migrate: bool, may_make: bool) -> Store:
    store = _postgresql_store(url)
    try:
        with store.read() as connection:
            before = revision_of(connection)
        if before is None and not may_make:
            raise SettingsError(  # noqa: TRY301 (closed like every other way out)
                f"There is no store in the database {url}. Name the database of a store with --store."
            )
        if before is not None and before < NEWEST_REVISION and not may_migrate:
            raise SettingsError(  # noqa: TRY301 (closed like every other way out)
                f"The store {url} has revision {before}; this version of openprofiles needs {NEWEST_REVISION}. "
                "Make a backup and run: openprofiles migrate"
            )
        migrate(store)
    except SettingsError:
        store.close()
        raise
    except (DatabaseError, DomainError) as error:
        store.close()
        raise SettingsError(
            f"The store {url} cannot be opened: {_first_line(error)}. "
            "Check that the database exists and can be reached, and check the user's password and permissions."
        ) from error
    return store


def _first_line(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error, DomainError) else error
    return str(getattr(cause, "orig", None) or cause or error).strip().splitlines()[0].rstrip(".")


def migrate(store: Store) -> tuple[str | None, str]:
    """Migrate the store to the newest revision.

    That is one transaction, except for steps that commit in parts: see ``migrations``.

    Returns:
        The revision before (None for a store that is new) and after.

    Raises:
        SettingsError: a newer openprofiles wrote the store, or something else than openprofiles.
    """
    with store.read() as connection:
        before = revision_of(connection)
    if before == NEWEST_REVISION:
        return before, before
    while True:
        try:
            with store.write() as connection:
                _take_turns(connection)
                # Another process may have migrated it while this one waited for the lock.
                before = revision_of(connection)
                if before is None:
                    _make_tables(connection, NEWEST_REVISION)
                elif before != NEWEST_REVISION:
                    _apply_steps(store, connection, before)
        except _MigratedMeanwhile:
            continue
        return before, NEWEST_REVISION


class _MigratedMeanwhile(Exception):
    """Another process has made a step while this one was between two of its parts."""


def _take_turns(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"select pg_advisory_xact_lock({_MIGRATION_LOCK})"))


def begin_unfinished_store(store: Store) -> None:
    """Make the tables, and mark the store as one that nobody may use yet; nothing if that was done before.

    Raises:
        InvalidRequest: there is a store already.
        SettingsError: there are tables of another program.
    """
    with store.write() as connection:
        _take_turns(connection)
        if inspect(connection).has_table("alembic_version") and is_unfinished(connection):
            return
        if revision_of(connection) is not None:
            raise InvalidRequest("The target already contains a store. Name an empty target.")
        _make_tables(connection, _UNFINISHED)


def is_unfinished(connection: Connection) -> bool:
    """Return whether the tables of a store are marked as unfinished."""
    return connection.execute(text("select version_num from alembic_version")).scalar_one_or_none() == _UNFINISHED


def revision_of(connection: Connection) -> str | None:
    """Read the revision of a store; None if it holds nothing.

    Raises:
        SettingsError: it holds tables, but not those of openprofiles; or it is not to be used yet.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if "alembic_version" not in tables or "profile" not in tables:
        kind = "SQLite file" if connection.dialect.name == "sqlite" else "PostgreSQL database"
        own = kind.split()[1]
        raise SettingsError(f"The store is another program's {kind}. openprofiles needs its own {own}.")
    revision: str | None = connection.execute(text("select version_num from alembic_version")).scalar_one_or_none()
    if revision == _UNFINISHED:
        raise SettingsError(
            "The store is an unfinished copy of another store. Run the same openprofiles copy-store command again "
            "to continue, or name another store."
        )
    return revision


def alembic_config(connection: Connection) -> Config:
    """Configure Alembic for this connection and the steps of this package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _make_tables(connection: Connection, revision: str) -> None:
    metadata.create_all(connection, checkfirst=False)
    _alembic_version.create(connection)
    connection.execute(_alembic_version.insert().values(version_num=revision))


def _apply_steps(store: Store, connection: Connection, before: str) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if before not in known:
        raise SettingsError(
            f"The store has revision {before}, but this version of openprofiles supports revisions only up to "
            f"{NEWEST_REVISION}: a newer version wrote it. Use that version, or restore the store from an older backup."
        )

    def end_part() -> None:
        revision = revision_of(connection)
        store.end_part(connection)
        _take_turns(connection)
        if revision_of(connection) != revision:
            raise _MigratedMeanwhile

    config.attributes["end_part"] = end_part
    command.upgrade(config, NEWEST_REVISION)
