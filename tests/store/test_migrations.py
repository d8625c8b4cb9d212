from __future__ import annotations

import importlib
import itertools
import json
import multiprocessing
import re
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import astuple, replace
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url, select, text

import budgets
import by_hand
from openprofiles.clock import from_milliseconds, to_milliseconds
from openprofiles.facts.normal_forms import normal_key, normal_text
from openprofiles.feed_kinds import PROFILE_WORDS
from openprofiles.job_kinds import UNDO
from openprofiles.settings import PostgresqlUrl, Settings, SettingsError
from openprofiles.store import job_queue, tables, undos, upload_jobs
from openprofiles.store.connections import Connection, Store
from openprofiles.store.feeds import FeedHealth, HeldFeed, claim_feed, end_feed, move_feed, read_feed_health
from openprofiles.store.migrations import NEWEST_REVISION
from openprofiles.store.open import alembic_config, migrate, open_store
from openprofiles.store.postgresql import PostgresqlStore
from openprofiles.store.sqlite import SqliteStore
from openprofiles.store.tables import is_described, metadata
from openprofiles.store.webhooks import Delivery, find_delivery
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.mappings import saved_mappings
from openprofiles.uploads.mappings.saved_mappings import SavedMapping
from postgresql_server import PostgresqlServer

NOW = from_milliseconds(1_780_000_000_123)
DOMAIN = {
    "name": "shop",
    "config": {},
    "tags": {},
    "default_expiration_days": 30,
    "phone_region": "US",
    "created_at": NOW,
    "updated_at": NOW,
}


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
    blanks = ((" ,", ","), (", )", ")"), (" )", ")"), ("( ", "("))
    return {name: _without_blanks(sql, blanks) for name, sql in rows}


def _without_blanks(sql: str, blanks: Iterable[tuple[str, str]]) -> str:
    sql = re.sub(r'[\s"]+', " ", sql)
    for more, less in blanks:
        sql = sql.replace(more, less)
    return sql.strip()


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
            options = {"include_name": is_described}
            assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
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

    with pytest.raises(SettingsError, match=f"The store has revision 9999, .* only up to {NEWEST_REVISION}:"):
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

    with pytest.raises(SettingsError, match="another program's SQLite file"):
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
        connection.execute(tables.domain.insert().values(domain_id=7, **DOMAIN))
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


def test_saved_mappings_become_definitions_in_a_store_of_an_earlier_version(empty_stores: list[Store]) -> None:
    store = empty_stores[0]
    with store.write() as connection:
        command.upgrade(alembic_config(connection), "0017")
        connection.execute(tables.domain.insert().values(domain_id=7, **DOMAIN))
        fields = '{"E": {"Source": "\u00fc"}}'
        for name, columns in (
            ("daily", '["\u00fc", "b"]'),
            ("weekly", '{"names": ["\u00fc"], "reading": {"sheet": "S"}}'),
        ):
            # As literals: a parameter would not be taken for JSON.
            values = f"(7, '{name}', '{fields}', 'E', '{columns}', 1000, 2000)"
            connection.exec_driver_sql(f"insert into saved_mapping values {values}")

    migrate(store)

    domain = by_hand.get_domain(store, "shop")
    created_at, updated_at = from_milliseconds(1000), from_milliseconds(2000)
    found = [by_hand.read(store, domain, saved_mappings.get_mapping, name) for name in ("daily", "weekly")]
    assert found == [
        SavedMapping(name, {"E": {"Source": "\u00fc"}}, "E", columns, created_at, updated_at, reading)
        for name, columns, reading in (("daily", ["\u00fc", "b"], {}), ("weekly", ["\u00fc"], {"sheet": "S"}))
    ]


def test_deliveries_of_webhooks_become_feeds_in_a_store_of_an_earlier_version(empty_stores: list[Store]) -> None:
    store = empty_stores[0]
    url, error = "https://hooks.example/", "The response was 500."
    waiting, paused, delivered, given_up = deliveries = [
        Delivery(url, 0, NOW, None, None, None),
        Delivery(url, 6, NOW + timedelta(hours=6), error, None, None),
        Delivery(url, 2, None, None, NOW, None),
        Delivery(url, 7, None, error, None, NOW),
    ]
    with store.write() as connection:
        command.upgrade(alembic_config(connection), "0019")
        connection.execute(tables.domain.insert().values(domain_id=7, **DOMAIN))
        for number, delivery in enumerate(deliveries):
            columns = [number, 7, *astuple(delivery)]
            values = [to_milliseconds(value) if isinstance(value, datetime) else value for value in columns]
            names = dict(zip("abcdefgh", values, strict=True))
            connection.execute(text("insert into webhook_delivery values (:a, :b, :c, :d, :e, :f, :g, :h)"), names)

    migrate(store)

    with store.write() as connection:
        assert [find_delivery(connection, number) for number in range(4)] == [waiting, paused, delivered, given_up]
        assert read_feed_health(connection)["webhook"] == FeedHealth(1, NOW)
        # A later step has added one that is due too.
        end_feed(connection, PROFILE_WORDS, 7)
        first = claim_feed(connection, owner="w", now=NOW)
        assert first == HeldFeed("webhook", 0, 7, url, 0, epoch=1, attempts=1)
        move_feed(connection, first, 1, now=NOW)
        early = claim_feed(connection, owner="w", now=NOW + timedelta(hours=6, milliseconds=-1))
        due = claim_feed(connection, owner="w", now=NOW + timedelta(hours=6))
    assert (early, due) == (None, HeldFeed("webhook", 1, 7, url, 0, epoch=7, attempts=7))


# Of the version before jobs had a table of their own: row number, kind, status, and what else it has.
JOBS_OF_19: list[tuple[int, str, str, dict[str, object]]] = [
    (1, "upload", "CREATED", {"file_name": "'f1'", "client_token": "'t'", "create_token": "'c'"}),
    (2, "upload", "IN_PROGRESS", {"started_at": 5, "phase": "'stage'", "position": 7, "read_bytes": 900, "epoch": 3}),
    (3, "upload", "SUCCEEDED", {"completed_at": 6, "undo_days": 7, "undo_until": 604_800_006, "created_count": 4}),
    (4, "upload", "FAILED", {"completed_at": 6, "undo_days": 0, "failed_count": 9, "status_reason": "'R'"}),
    (5, "preview", "IN_PROGRESS", {"started_at": 5, "preview_of": 1, "phase": "'report'", "position": 3}),
    (6, "undo", "IN_PROGRESS", {"started_at": 4, "undo_of": 3, "record_count": 10, "created_count": 1}),
    (7, "undo", "FAILED", {"undo_of": 4, "updated_count": 2, "failed_count": 3, "unchanged_count": 4}),
    (8, "preview", "SUCCEEDED", {"preview_of": 2, "completed_at": 6, "updated_count": 2, "notices": "'[]'"}),
]


def test_jobs_keep_their_numbers_and_states_in_a_store_of_an_earlier_version(empty_stores: list[Store]) -> None:
    store = empty_stores[0]
    with store.write() as connection:
        command.upgrade(alembic_config(connection), "0019")
        connection.execute(tables.domain.insert().values(domain_id=7, **DOMAIN))
        for number, kind, status, more in JOBS_OF_19:
            values = {"job_id": f"'job {number}'", "domain_id": 7, "display_name": "'d'", "unique_key": "'E'"}
            values |= {"fields": "'{\"E\": {}}'", "data_expiry_days": 14, "created_at": number}
            values |= {"kind": f"'{kind}'", "status": f"'{status}'"} | more
            # As literals: a parameter would not be taken for JSON.
            connection.exec_driver_sql(
                f"insert into upload_job ({', '.join(values)}) values ({', '.join(map(str, values.values()))})"
            )
        # The job of the highest number is gone; a profile may still name it.
        connection.exec_driver_sql(
            "insert into upload_job (job_id, domain_id, display_name, fields, unique_key, data_expiry_days, status, "
            "created_at) values ('gone', 7, '', '{}', '', 1, 'FAILED', 1)"
        )
        connection.exec_driver_sql("delete from upload_job where job_id = 'gone'")
        connection.execute(tables.failed_row.insert().values(upload_job_id=4, record=1, line=2, code="NUL_BYTE"))

    migrate(store)

    domain = by_hand.get_domain(store, "shop")
    with store.read() as connection:
        found = {number: upload_jobs.find_job_by_number(connection, 7, number) for number in range(1, 9)}
        uploads = {number: job for number, job in found.items() if job is not None}
        running, failed = (undos.find_undo(connection, uploads[number]) for number in (3, 4))
        assert connection.execute(select(tables.failed_row.c.upload_job_id)).scalars().all() == [4]
    assert [(number, job.job_id, job.kind, job.status) for number, job in uploads.items()] == [
        (number, f"job {number}", kind, status) for number, kind, status, _ in JOBS_OF_19 if kind != "undo"
    ]
    assert (uploads[1].file_name, uploads[1].fields, uploads[2].epoch) == ("f1", {"E": {}}, 3)
    assert (uploads[2].phase, uploads[2].position, uploads[2].done) == ("stage", 7, 900)
    assert (uploads[5].subject, uploads[5].phase, uploads[5].position) == (1, "report", 3)
    assert (uploads[3].undo_until, uploads[4].undo_until) == (from_milliseconds(604_800_006), None)
    assert running is not None
    assert failed is not None
    assert (running.job_number, running.status, running.total, running.removed_count) == (6, "IN_PROGRESS", 10, 1)
    assert (failed.status, failed.restored_count, failed.kept_count, failed.gone_count) == ("FAILED", 2, 3, 4)
    with store.write() as connection:
        claimed = [
            job_queue.claim_next_job(connection, owner="w", now=NOW, lease_until=NOW, job_id=f"job {number}")
            for number in (2, 5, 6)
        ]
        assert [job and job.job_number for job in claimed] == [2, 5, None]
        values = {"job_id": "new", "domain_id": domain.domain_id, "status": "CREATED", "created_at": NOW}
        assert job_queue.insert_job(connection, replace(UNDO, details=None), values) == 10


step_16 = importlib.import_module("openprofiles.store.migrations.versions.0016_visible_keys")

# Of each profile: its fields, then its keys in the index before and after.
PROFILES_OF_15: list[tuple[dict[str, str], set[tuple[str, str]], set[tuple[str, str]]]] = [
    ({"email_address": "A\u200bda@x.example"}, {("_email", "a\u200bda@x.example")}, {("_email", "ada@x.example")}),
    # Removed by DeleteProfileKey.
    ({"email_address": "B\u200bo@x.example"}, set(), set()),
    (
        {"email_address": "NULL", "last_name": "None"},
        {("_email", "null"), ("_fullName", "none")},
        {("_fullName", "none")},
    ),
    ({"account_number": "C\u00ad1"}, {("_account", "c\u00ad1")}, {("_account", "c1")}),
    ({"account_number": "\\N"}, {("_account", "\\n")}, set()),
    ({"account_number": "\u00c91"}, {("_account", "\u00e91")}, {("_account", "\u00e91")}),
    ({"phone_number": "2065550100.0"}, {("_phone", "20655501000")}, {("_phone", "+12065550100")}),
    ({"phone_number": "2065550101.0"}, set(), set()),
    ({"phone_number": "+49\u200e30123456"}, {("_phone", "4930123456")}, {("_phone", "+4930123456")}),
    ({"phone_number": "#DIV/0!"}, {("_phone", "0")}, set()),
    # The old key of one field is the new key of the other.
    (
        {"phone_number": "206555010.0", "mobile_phone_number": "(206) 555-0100"},
        {("_phone", "+12065550100")},
        {("_phone", "206555010"), ("_phone", "+12065550100")},
    ),
    # This key was given to it.
    (
        {"phone_number": "206555010.0"},
        {("_phone", "+12065550100")},
        {("_phone", "206555010"), ("_phone", "+12065550100")},
    ),
    (
        {},
        {("_email", "gi\u200bven@x.example"), ("Loyalty", "a\u200b")},
        {("_email", "given@x.example"), ("Loyalty", "a\u200b")},
    ),
]
GIVEN_TO_15 = [
    (12, "_phone", "+12065550100", "+12065550100"),
    (13, "_email", "gi\u200bven@x.example", "given@x.example"),
    (13, "Loyalty", "a\u200b", "a\u200b"),
]
# Of loads that have not ended: added or not, name, value, row number, and the value after.
PENDING_OF_15 = [
    (0, "_email", "d\u200b@x.example", 1, "d@x.example"),
    # It has this key for another value.
    (0, "_email", "a\u200b\u200bda@x.example", 1, None),
    (1, "_email", "e\u200b@x.example", 1, "e@x.example"),
    (1, "_account", "none", 1, None),
    (1, "_phone", "20655501010", 8, "+12065550101"),
    (0, "_phone", "20655501000", 8, "20655501000"),
    (1, "_phone", "+12065550109", 8, "+12065550109"),
]
ABSENT_OF_15 = [
    ("_email", "f\u00ad@x.example", 1, ["f@x.example"]),
    ("_email", "g@x.example", 1, ["g@x.example"]),
    ("_phone", "20655501020", 1, ["20655501020", "+12065550102"]),
]


def make_store_of_15(store: Store) -> None:
    """Make a store of the version before keys ignored what nobody sees."""
    options_of_15 = JobOptions(blank_cells="CLEAR").to_json()
    del options_of_15["doubtful_rows"]
    options_of_15["shared_key_rows"] = "REFUSE"
    with store.write() as connection:
        command.upgrade(alembic_config(connection), "0015")
        connection.execute(tables.domain.insert().values(domain_id=7, **DOMAIN))
        common = {"domain_id": 7, "created_at": NOW, "updated_at": NOW, "expires_at": NOW}
        for pid, (fields, keys, _) in enumerate(PROFILES_OF_15, 1):
            connection.execute(tables.profile.insert().values(pid=pid, profile_id=f"{pid:032x}", **common, **fields))
            for name, value in keys:
                connection.execute(tables.profile_key.insert().values(domain_id=7, name=name, value=value, pid=pid))
        for pid, name, before, _ in GIVEN_TO_15:
            insert = text("insert into added_key (pid, name, value) values (:pid, :name, :value)")
            connection.execute(insert, {"pid": pid, "name": name, "value": before})
        columns = "upload_job_id, domain_id, job_id, display_name, fields, unique_key, data_expiry_days, status"
        # As literals: a parameter would not be taken for JSON.
        values = f"9, 7, '9', '', '{{}}', '', 1, '', 1, '{json.dumps(options_of_15)}'"
        connection.exec_driver_sql(f"insert into upload_job ({columns}, created_at, options) values ({values})")
        for name, value, pid, _ in ABSENT_OF_15:
            connection.execute(tables.undo_absent_key.insert().values(upload_job_id=9, name=name, value=value, pid=pid))
        image = pa.table({"pid": [1, 2], "phone_number": ["2065550102.0", None], "first_name": ["Ada", None]})
        pending = pa.table(
            {
                "added": pa.array([row[0] for row in PENDING_OF_15], pa.int64()),
                "name": [row[1] for row in PENDING_OF_15],
                "value": [row[2] for row in PENDING_OF_15],
                "pid": pa.array([row[3] for row in PENDING_OF_15], pa.int64()),
            }
        )
        connection.execute(tables.undo_image.insert().values(upload_job_id=9, content=in_arrow(image)))
        connection.execute(tables.pending_keys.insert().values(upload_job_id=9, changes=in_arrow(pending)))


def in_arrow(table: pa.Table) -> bytes:
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    content: bytes = stream.getvalue().to_pybytes()
    return content


class _Killed(Exception):
    pass


def test_keys_of_an_earlier_version_lose_what_nobody_sees_and_placeholders(
    empty_stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = empty_stores[0]
    make_store_of_15(store)
    end_part, part_count = store.end_part, itertools.count(1)

    def end_part_or_die(connection: Connection) -> None:
        end_part(connection)
        if next(part_count) % 2 == 0:
            raise _Killed

    monkeypatch.setattr(store, "end_part", end_part_or_die)
    kill_count = 0
    while True:
        try:
            migrate(store)
            break
        except _Killed:
            kill_count += 1

    assert kill_count > 1
    with store.read() as connection:
        keys = {tuple(row) for row in connection.execute(select(*list(tables.profile_key.c)[1:]))}
        given_keys = {tuple(row) for row in connection.execute(select(tables.held_key))}
        absent = {tuple(row)[1:] for row in connection.execute(select(tables.undo_absent_key))}
        (pending,) = connection.execute(select(tables.pending_keys.c.changes)).scalars()
        (options,) = connection.execute(select(tables.upload_job.c.options)).scalars()
        assert connection.execute(text("select version_num from alembic_version")).scalar_one() == NEWEST_REVISION
    assert JobOptions.from_json(options) == JobOptions(blank_cells="CLEAR", doubtful_rows="REFUSE")
    expected = enumerate(PROFILES_OF_15, 1)
    assert keys == {(name, value, pid) for pid, (_, _, after) in expected for name, value in after}
    assert given_keys == {(pid, name, after, "hand") for pid, name, _, after in GIVEN_TO_15}
    assert absent == {(name, value, pid) for name, _, pid, after in ABSENT_OF_15 for value in after}
    assert pa.ipc.open_stream(pending).read_all().to_pylist() == [
        {"added": added, "name": name, "value": after, "pid": pid}
        for added, name, _, pid, after in PENDING_OF_15
        if after is not None
    ]


def test_the_rows_of_a_table_are_looked_at_in_parts(empty_stores: list[Store], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_16, "ROWS_PER_PART", 3)
    rows = [(name, value, pid) for name in ("a", "b") for value in ("x", "\u00e9") for pid in (1, 2)]
    with empty_stores[0].write() as connection:
        command.upgrade(alembic_config(connection), "0015")
        for name, value, pid in rows:
            connection.execute(tables.profile_key.insert().values(domain_id=7, name=name, value=value, pid=pid))

        found = step_16.parts(
            connection, "profile_key", {"domain_id": 7}, ("name", "value", "pid"), step_16.IS_CANDIDATE
        )

        found_rows = [[tuple(row.values()) for row in part] for part in found]
    assert found_rows == [[("a", "\u00e9", 1)], [("a", "\u00e9", 2)], [("b", "\u00e9", 1), ("b", "\u00e9", 2)]]


letters = st.text(alphabet=st.sampled_from("aN1.0@\u0301\u0130\u00a0\u00ad\u200b\u202a \u1e9e\u03a3#/!+D"), max_size=12)


@budgets.STATEMENTS
@given(value=st.one_of(letters, st.text(max_size=8)), region=st.sampled_from(["US", "DE"]))
def test_the_new_forms_of_the_step_are_those_of_the_program(value: str, region: str) -> None:
    for name in ("_email", "_account"):
        old = normal_text(value)
        assert (old and step_16.text_form(name, old)) == normal_key(name, value, region)
    assert step_16.new_phone(value, region) == normal_key("_phone", value, region)


# What programs for contacts put around a number.
marks = st.text(alphabet=st.sampled_from("\u200b\u202a\u202c\ufeff"), max_size=2)


@budgets.STATEMENTS
@given(marks, st.from_regex(r"(\+?1 ?)?\(?[2-9][0-9]{2}\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4}", fullmatch=True), marks)
def test_the_old_form_of_a_number_with_marks_around_it_is_that_of_the_library(
    before: str, number: str, after: str
) -> None:
    marked = before + number + after
    assert step_16.old_phone(marked, "US") == step_16.phone_form(marked, "US")


@budgets.STATEMENTS
@given(digits=st.from_regex(r"\+?[0-9]{1,13}\.0", fullmatch=True), region=st.sampled_from(["US", "DE"]))
def test_the_old_form_of_a_decimal_number_is_that_of_the_library(digits: str, region: str) -> None:
    assert step_16.old_phone(digits, region) == step_16.phone_form(digits, region)
    assert step_16.new_phone(digits, region) == normal_key("_phone", digits, region)


def open_and_count(folder: Path) -> int:
    store = open_store(Settings(data_folder=folder))
    with store.read() as connection:
        tables = connection.execute(text("select count(*) from sqlite_master where type = 'table'")).scalar_one()
    store.close()
    return int(tables)


@pytest.mark.long(daily="tests/unit/test_credentials.py::test_processes_that_start_at_once_make_one_administrator")
def test_processes_that_start_at_once_make_one_store(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        counts = pool.map(open_and_count, [tmp_path / "data"] * 6, chunksize=1)

    assert len(set(counts)) == 1
    assert counts[0] > len(metadata.tables)
