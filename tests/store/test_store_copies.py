"""A store is copied into another one, from every engine to every engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import by_hand
from faults.loads import Installation, LoadSize, prepare_load
from openprofiles.clock import utc_now
from openprofiles.credentials.administer import create_credential
from openprofiles.errors import InvalidRequest
from openprofiles.master_key import load_master_key
from openprofiles.profiles import domains
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.settings import PostgresqlUrl, Settings, SettingsError
from openprofiles.store import job_queue, tables
from openprofiles.store.connections import Store
from openprofiles.store.copy_store import copy_store
from openprofiles.store.migrations import NEWEST_REVISION
from openprofiles.store.open import open_store, open_store_as_it_is, revision_of
from openprofiles.store.profile_words import find_pids
from openprofiles.store.tables import is_described
from postgresql_server import PostgresqlServer

SIZE = LoadSize(new=1_000, updates=2_500, repeats=50, entangled=40, failing=20)
ODD = "Ünïcode 'quoted' \"twice\"\\N\t\n\r{},;  ẞ 🙂"


@pytest.fixture(scope="module")
def original_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with everything that a store can hold, and a job that waits for a worker."""
    folder = tmp_path_factory.mktemp("original") / "data"
    prepare_load(Installation(folder), 1, SIZE)
    settings = Settings(data_folder=folder)
    store = open_store(settings)
    by_hand.create_profile(store, "shop-1", ProfileChange(values={"FirstName": ODD}, attributes={ODD: ODD}), utc_now())
    found = by_hand.create_profile(
        store, "shop-1", ProfileChange(values={"FirstName": "Ann"}, attributes={}), utc_now()
    )
    by_hand.add_profile_key(store, "shop-1", found.profile_id, "_email", ["by-hand@example.com"], utc_now())
    create_credential(
        store,
        load_master_key(settings),
        name="reports",
        actions=("profile:Get*",),
        domains=("shop-*",),
        requests_per_second=2.5,
        now=utc_now(),
    )
    domains.create_domain(
        store, "gone", default_expiration_days=1, config={}, tags={}, phone_region="US", now=utc_now()
    )
    with store.write() as connection:
        # The number of a domain that is gone is never given out again.
        for table in ("words_feed_state", "feed"):
            connection.execute(text(f"delete from {table} where domain_id = (select max(domain_id) from domain)"))
        connection.execute(text("delete from domain where name = 'gone'"))
        connection.execute(text("insert into ordered_record values (1, 7)"))
        connection.execute(text("insert into repeated_row values (1, 8, 10, 7, 9)"))
        connection.execute(
            text("insert into definition values (7, 1, 'mapping', 'daily', '{}', '{\"a\": \"Ünï\"}', 1, 5, 6, null)")
        )
        connection.execute(text('insert into definition_body values (1, 7, 1, \'{"columns": ["Ünï", "b"]}\')'))
        connection.execute(text("insert into preview_sample values (1, 0, x'00ff')"))
        connection.execute(text("insert into webhook values (1, 'https://hooks.example/', x'00ff', 5)"))
        connection.execute(
            text(
                "insert into feed values (1, 'webhook', 1, 'https://hooks.example/', 0, 2, 2, 'w', 7, "
                "'The response was 500.', null, null, 5)"
            )
        )
        connection.execute(text("insert into pending_keys values (9, 1, x'00ff')"))
        connection.execute(text("insert into schedule values (1, 'toy', 3600, 5)"))
        connection.execute(text("insert into undo_job values (2, 3, 4, 5, 6)"))
        connection.execute(text('insert into segment_run values (2, null, \'{"a": "Ünï"}\', 5, 6, 7)'))
        connection.execute(text("insert into profile_set values (1, 'subscription', 7, 0, x'00ff')"))
        connection.execute(text("insert into profile_words values (1, 1, '_1 ulmann')"))
        connection.execute(text("insert into segment_stream values (1, 'https://x.example/', 'r', 5, null, 6, 9, 1)"))
        connection.execute(
            text("insert into segment_subscription values (1, 7, 24, 'RUNNING', null, 5, 6, 7, 8, 9, 1, 2, 3)")
        )
        connection.execute(text("insert into segment_event values (1, 9, 7, 3, 'a', true, false, 5, null)"))
        connection.execute(text("insert into removed_profile values (1, 3, 'a', 5)"))
        connection.execute(text("insert into undo_image values (8, 1, x'00ff', 9)"))
        connection.execute(
            text("insert into profile_change values (1, 9999, 5, 'INGESTED', null, 1, 3, 8, 2, x'00ff', null)")
        )
        connection.execute(
            text(
                "insert into profile_object values (9, 1, 3, -3, x'00ff', '{\"OrderId\":\"Ünï\"}', null, false, "
                '\'[["order", "Ünï"]]\', null, 5, 6, 7)'
            )
        )
        connection.execute(text("insert into object_list values (3, -3, 9)"))
        connection.execute(text("insert into object_unique values (1, -3, -9223372036854775808, 9)"))
        connection.execute(
            text(
                "insert into dead_letter values (1, 1, 'Orders', x'00ff', '{\"id\":\"Ünï\"}', 'NO_PROFILE', 1, 5, 6, 7)"
            )
        )
        connection.execute(text("insert into undo_absent_key values (1, '_email', 'Ünï@x', 3)"))
        connection.execute(text("insert into undo_kept_profile values (1, 3, 'a', 1)"))
        connection.execute(
            text("insert into failed_row values (1, 3, 0, 4, 'MISSING_UNIQUE_KEY', 'Email', null, null)")
        )
        # In the order of their bytes, which is not that of a language.
        for path in ("Attributes.Tier", "Attributes.age", "Attributes.tier", "Attributes.ärger"):
            connection.execute(text("insert into indexed_field values (1, :path, 1)"), {"path": path})
    store.close()
    return folder


@pytest.fixture
def original(original_folder: Path) -> Iterator[Store]:
    store = open_store(Settings(data_folder=original_folder))
    yield store
    store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a store that is not there yet."""
    if request.param == "sqlite":
        yield Settings(data_folder=tmp_path / "target")
    else:
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        yield Settings(data_folder=tmp_path / "target", store=PostgresqlUrl(server.create_database()))


def copy(source: Store, settings: Settings, **more: Any) -> None:
    into = open_store_as_it_is(settings)
    try:
        copy_store(source, into, utc_now(), **more)
    finally:
        into.close()


def rows_of(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("select name from sqlite_schema where type = 'table'")]
        # An engine may keep the members of custom attributes in an order of its own.
        connection.execute(
            "update profile set attributes = (select json_group_object(key, value) from "
            "(select key, value from json_each(attributes) order by key)) where attributes is not null"
        )
        # The index of words may be the same in other parts.
        return {
            name: sorted(connection.execute(f"select * from {name}"), key=repr)
            for name in names
            if is_described(name, "table", None)
        }


def test_a_store_that_went_to_an_engine_and_back_is_the_same(
    original: Store, original_folder: Path, target: Settings, tmp_path: Path
) -> None:
    back = Settings(data_folder=tmp_path / "back")

    copy(original, target)
    there = open_store(target)
    copy(there, back)
    there.close()

    expected, found = rows_of(original_folder / "openprofiles.db"), rows_of(back.store_path)
    # Each table is put to the test.
    assert [table.name for table in tables.metadata.sorted_tables if not expected[table.name]] == []
    assert found == expected
    copied = open_store(back)
    with copied.read() as connection:
        assert find_pids(connection, 1, [("ulm",)], before_pid=9, limit=9) == [1]
    copied.close()


def test_numbers_go_on_where_the_original_was(original: Store, target: Settings) -> None:
    with original.read() as connection:
        last = connection.execute(text("select seq from sqlite_sequence where name = 'domain'")).scalar_one()

    copy(original, target)
    there = open_store(target)
    made = domains.create_domain(
        there, "new", default_expiration_days=1, config={}, tags={}, phone_region="US", now=utc_now()
    )
    profile = by_hand.create_profile(there, "new", ProfileChange(values={"FirstName": "Ann"}, attributes={}), utc_now())
    with there.read() as connection:
        highest = connection.execute(
            text("select max(pid) from profile where domain_id <> :made"), {"made": made.domain_id}
        )
        highest_pid = highest.scalar_one()
    there.close()

    assert made.domain_id == last + 1
    assert profile.pid > highest_pid


def test_an_interrupted_copy_cannot_be_used_and_goes_on(
    original: Store, original_folder: Path, target: Settings
) -> None:
    batches: list[str] = []

    def interrupt(name: str, _count: int) -> None:
        batches.append(name)
        if len(batches) in (1, 5, 9):
            raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            copy(original, target, on_copied=interrupt)
        with pytest.raises(SettingsError, match="an unfinished copy of another store"):
            open_store(target)
    copy(original, target, on_copied=interrupt)

    there = open_store(target)
    with there.read() as connection:
        count = connection.execute(text("select count(*) from profile")).scalar_one()
        revision = revision_of(connection)
    there.close()
    assert count == len(rows_of(original_folder / "openprofiles.db")["profile"])
    assert revision == NEWEST_REVISION


def test_a_difference_is_found_and_the_copy_stays_unfinished(original: Store, target: Settings) -> None:
    into = open_store_as_it_is(target)

    def change(name: str, _count: int) -> None:
        if name == "upload_job":
            with into.write() as connection:
                connection.execute(
                    text("update profile set first_name = 'Eve' where pid = (select max(pid) from profile)")
                )

    with pytest.raises(InvalidRequest, match="The table profile of the copy differs"):
        copy_store(original, into, utc_now(), change)

    into.close()
    with pytest.raises(SettingsError, match="an unfinished copy"):
        open_store(target)


def test_a_store_is_not_copied_onto_another_one(original: Store, target: Settings) -> None:
    there = open_store(target)
    domains.create_domain(
        there, "mine", default_expiration_days=1, config={}, tags={}, phone_region="US", now=utc_now()
    )
    there.close()

    with pytest.raises(InvalidRequest, match="already contains a store"):
        copy(original, target)

    there = open_store(target)
    assert by_hand.get_domain(there, "mine").name == "mine"
    there.close()


def test_a_store_with_a_running_load_is_not_copied(original: Store, target: Settings) -> None:
    now = utc_now()
    with original.write() as connection:
        job = job_queue.claim_next_job(
            connection, owner="a worker", now=now, lease_until=now + timedelta(seconds=15), job_id=None
        )
    assert job is not None

    try:
        with pytest.raises(InvalidRequest, match="An import is running on the store"):
            copy(original, target)
    finally:
        with original.write() as connection:
            job_queue.release_lease(connection, job, now)
