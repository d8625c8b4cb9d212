from __future__ import annotations

import multiprocessing
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url, select, text

from openprofiles.clock import from_milliseconds
from openprofiles.settings import PostgresqlUrl, Settings, SettingsError
from openprofiles.store import tables
from openprofiles.store.connections import Store
from openprofiles.store.migrations import NEWEST_REVISION
from openprofiles.store.open import alembic_config, migrate, open_store
from openprofiles.store.postgresql import PostgresqlStore
from openprofiles.store.sqlite import SqliteStore
from openprofiles.store.tables import metadata
from postgresql_server import PostgresqlServer

NOW = from_milliseconds(1_780_000_000_123)


def schema_of(store: Store) -> dict[str, str]:
    """Every table and index by name, in its own words but for blanks and quotes; in PostgreSQL every column too."""
    with store.read() as connection:
        if connection.dialect.name == "sqlite":
            query = "select name, sql from sqlite_master where sql is not null"
        else:
            query = (
                "select indexname, indexdef from pg_indexes where schemaname = 'public' union all "
                "select table_name || '.' || column_name, concat_ws(' ', data_type, collation_name, is_nullable, "
                "column_default, character_maximum_length) from information_schema.columns "
                "where table_schema = 'public' union all "
                "select conname, pg_get_constraintdef(oid) from pg_constraint "
                "where connamespace = 'public'::regnamespace"
            )
        rows = connection.execute(text(query)).all()
    return {name: re.sub(r'[\s"]+', " ", sql).replace(", )", ")").replace("( ", "(").strip() for name, sql in rows}


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Store]]:
    """Two stores without any table."""
    stores: list[Store]
    if request.param == "sqlite":
        stores = [SqliteStore(tmp_path / "one.db"), SqliteStore(tmp_path / "two.db")]
    else:
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        stores = [PostgresqlStore(PostgresqlUrl(server.create_database())) for _ in range(2)]
    yield stores
    for store in stores:
        store.close()


def test_a_store_that_went_through_all_steps_is_like_a_new_one(empty_stores: list[Store]) -> None:
    stepped, new = empty_stores
    with stepped.write() as connection:
        command.upgrade(alembic_config(connection), NEWEST_REVISION)

    migrate(new)

    assert schema_of(stepped) == schema_of(new)
    assert "alembic_version_pkc" in " ".join(schema_of(new).values()) + " ".join(schema_of(new))
    for store in empty_stores:
        with store.read() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
            assert connection.execute(text("select version_num from alembic_version")).all() == [(NEWEST_REVISION,)]


def test_text_that_rows_are_ordered_by_is_ordered_by_its_bytes_on_postgresql_as_well() -> None:
    """The servers of the tests know no other order, so the tables are looked at."""
    dialect = make_url("postgresql+psycopg://").get_dialect()()
    keys = [column for table in metadata.sorted_tables for column in table.primary_key]
    compiled = {str(column): column.type.compile(dialect) for column in keys}

    texts = {name: type_ for name, type_ in compiled.items() if "TEXT" in type_}
    assert len(texts) >= 6
    assert set(texts.values()) == {'TEXT COLLATE "C"'}


def test_the_newest_revision_is_the_only_end_of_the_chain(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    with store.read() as connection:
        scripts = ScriptDirectory.from_config(alembic_config(connection))
    store.close()

    assert scripts.get_heads() == [NEWEST_REVISION]


def test_a_store_is_made_at_its_first_opening_and_left_alone_at_the_second(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path / "data")

    store = open_store(settings)
    with store.write() as connection:
        connection.execute(text("insert into row_sequence values ('profile', 7)"))
    store.close()
    store = open_store(settings)

    with store.read() as connection:
        assert connection.execute(text("select next_value from row_sequence")).scalar_one() == 7
    assert migrate(store) == (NEWEST_REVISION, NEWEST_REVISION)
    assert stat.S_IMODE(settings.store_path.stat().st_mode) == 0o600
    store.close()


def test_a_store_of_a_newer_program_is_refused_naming_both_revisions(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path / "data")
    store = open_store(settings)
    with store.write() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    store.close()

    with pytest.raises(SettingsError, match=f"The store has revision 9999, .* up to {NEWEST_REVISION} only"):
        open_store(settings)

    with closing(sqlite3.connect(settings.store_path)) as connection:
        assert connection.execute("select version_num from alembic_version").fetchall() == [("9999",)]


def test_a_sqlite_file_of_another_program_is_refused_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table song (title text)")
    settings = Settings(data_folder=tmp_path / "data", store=path)
    # The key is there, as beside any store in use.
    (tmp_path / "data").mkdir(mode=0o700)
    settings.master_key_path.write_bytes(bytes(32))

    with pytest.raises(SettingsError, match="of another program"):
        open_store(settings)

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select name from sqlite_master").fetchall() == [("song",)]


def test_a_file_that_is_no_database_is_named_in_the_error(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path / "data")
    open_store(settings).close()
    settings.store_path.write_bytes(b"no database at all" * 1000)

    with pytest.raises(SettingsError, match=f"The store {settings.store_path} cannot be opened"):
        open_store(settings)


def test_a_step_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    with store.write() as connection:
        command.upgrade(alembic_config(connection), "0011")
        # In the way of the last table that the next step makes.
        connection.execute(text("create table undo_kept_profile (number integer)"))
    before = schema_of(store)

    with pytest.raises(Exception, match="already exists"):
        migrate(store)

    assert schema_of(store) == before
    assert "undo_image" not in before
    with store.read() as connection:
        assert connection.execute(text("select version_num from alembic_version")).scalar_one() == "0011"
    store.close()


def test_keys_of_fields_lose_their_surrounding_blanks_in_a_store_of_an_earlier_version(
    empty_stores: list[Store],
) -> None:
    store = empty_stores[0]
    name = "_profile.Attributes.id"
    before = [
        (name, " A 1 ", 1),
        (name, "A 1", 2),
        (name, "A 1", 1),
        (name, "e\u0301\u00a0", 3),
        (name, "B\t", 4),
        (name, "\u00a0", 5),
        ("_email", " x", 1),
        ("_profileId", " x", 1),
    ]
    with store.write() as connection:
        command.upgrade(alembic_config(connection), "0014")
        connection.execute(
            tables.domain.insert().values(
                domain_id=7,
                name="shop",
                config={},
                tags={},
                default_expiration_days=30,
                phone_region="US",
                created_at=NOW,
                updated_at=NOW,
            )
        )
        rows = [dict(zip(("name", "value", "pid"), key, strict=True)) for key in before]
        connection.execute(tables.profile_key.insert(), [{"domain_id": 7, **row} for row in rows])
        connection.execute(tables.undo_absent_key.insert(), [{"upload_job_id": 9, **row} for row in rows[:2]])

    migrate(store)

    with store.read() as connection:
        keys = connection.execute(select(*list(tables.profile_key.c)[1:]))
        assert {tuple(key) for key in keys} == {
            (name, "A 1", 1),
            (name, "A 1", 2),
            (name, "\u00e9", 3),
            (name, "B", 4),
            ("_email", " x", 1),
            ("_profileId", " x", 1),
        }
        absent = connection.execute(select(*list(tables.undo_absent_key.c)[1:]))
        assert {tuple(key) for key in absent} == {(name, "A 1", 1), (name, "A 1", 2)}


def open_and_count(folder: Path) -> int:
    store = open_store(Settings(data_folder=folder))
    with store.read() as connection:
        tables = connection.execute(text("select count(*) from sqlite_master where type = 'table'")).scalar_one()
    store.close()
    return int(tables)


def test_processes_that_start_at_once_make_one_store(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        counts = pool.map(open_and_count, [tmp_path / "data"] * 6, chunksize=1)

    assert len(set(counts)) == 1
    assert counts[0] > len(metadata.tables)
