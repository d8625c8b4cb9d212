"""Compare docs/growing.md with the statements that PostgreSQL receives: each must name the column of its table.

A database that is spread over several hosts by a column finds the host of a statement by that column's value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

import by_hand
from load.loading import DAY, FAR_FUTURE, NOW, Place, Shop
from load.oracle import Column
from openprofiles.facts.keys import SearchKey
from openprofiles.facts.records import Profile
from openprofiles.feed_kinds import PROFILE_WORDS, SEGMENT_SUBSCRIPTION
from openprofiles.objects.objects import put_objects
from openprofiles.objects.removal import remove_expired_objects_step, remove_objects_of_deleted_types_step
from openprofiles.objects.type_definitions import delete_object_type
from openprofiles.profiles.history import get_history_record, list_history
from openprofiles.profiles.profiles import ProfileChange, remove_expired_profiles_step
from openprofiles.profiles.search import search_profiles
from openprofiles.profiles.session import reading
from openprofiles.profiles.text_search import find_by_words
from openprofiles.segments.definitions import create_segment
from openprofiles.segments.subscriptions import associate_stream, list_subscription_events, put_subscription
from openprofiles.settings import PostgresqlUrl
from openprofiles.store import tables
from openprofiles.store.feeds import claim_feed, move_feed
from openprofiles.store.segment_events import read_events_after, remove_old_events_step
from openprofiles.uploads import jobs, undos
from openprofiles.uploads.job_report import list_repeated_rows, read_report
from openprofiles.uploads.made_profiles import list_made_profiles
from openprofiles.worker.feeds import Feeds, FeedWork
from openprofiles.worker.segment_changes import follow_segment
from postgresql_server import PostgresqlServer
from store.object_shop import ObjectShop

PAGE = Path(__file__).parents[2] / "docs" / "growing.md"
COLUMNS = (Column("Email", "EmailAddress"), Column("Phone", "PhoneNumber"), Column("First", "FirstName"))
ROWS = 20_000
OBJECTS = 2_000
VERBS = {
    "profile": {"select", "insert", "copy", "update", "delete"},
    # Removing keys counts them: "with removed as (delete ...".
    "profile_key": {"select", "insert", "copy", "delete", "with"},
    # What is forgotten of a profile is found in it: "delete from change_content where number in (select ...".
    "profile_change": {"select", "insert", "delete"},
    "change_content": {"select", "insert", "delete"},
    "failed_row": {"select", "copy"},
    "preview_sample": {"select", "copy"},
    "repeated_row": {"select", "copy"},
    "pending_keys": {"select", "insert", "delete"},
    "ordered_record": {"select", "copy", "delete"},
    "undo_image": {"select", "insert", "delete"},
    "undo_absent_key": {"select", "copy", "delete"},
    "profile_words": {"select", "insert", "delete"},
    "profile_set": {"select", "insert", "update", "delete"},
    "segment_event": {"select", "insert", "delete"},
    "removed_profile": {"select", "insert", "delete"},
    "profile_object": {"select", "insert", "update", "delete"},
    "object_unique": {"select", "insert", "delete"},
    "undo_kept_profile": {"select", "copy"},
}


def documented_columns() -> dict[str, str | None]:
    """The page's table: by which column each table is spread, None for those that every host has whole."""
    rows = re.findall(r"^\| `(\w+)` \| (?:`(\w+)`|a full copy on every host) \|", PAGE.read_text(), re.MULTILINE)
    return {table: column or None for table, column in rows}


def search(shop: Shop, key_name: str, value: str) -> Profile:
    """The one profile that is found by this key."""
    key = SearchKey(key_name, (value,))
    found = by_hand.read(shop.store, shop.name, search_profiles, [key], max_results=2)
    (only,) = found.found
    return only.profile


def use_everything(shop: Shop) -> None:
    """What hosts do all day: profiles by hand, found and changed; loads of every kind; expiry."""
    store, name = shop.store, shop.name
    made = shop.create_profile(EmailAddress="hand@example.com", FirstName="By", PhoneNumber="+12025550100")
    gone = shop.create_profile(EmailAddress="gone@example.com")
    by_hand.update_profile(store, name, made.profile_id, ProfileChange(values={"LastName": "Hand"}), NOW)
    email = Column("Email", "EmailAddress")
    shop.preview(shop.create_job((email,), "Email", b"Email\npreview@example.com\n", start=False))
    by_hand.add_profile_key(store, name, made.profile_id, "_account", ["A-1"], NOW)
    by_hand.delete_profile_key(store, name, made.profile_id, "_account", ["A-1"], NOW)
    by_hand.delete_profile(store, name, gone.profile_id, NOW)

    first = "".join(f"c{number}@example.com,+1202555{number:04},Ann\n" for number in range(200))
    shop.load(COLUMNS, "Email", f"Email,Phone,First\n{first},,nobody\n".encode())
    changed = "".join(f"c{number}@example.com,+1202556{number:04},Bob\n" for number in range(100))
    job = shop.load(COLUMNS, "Email", f"Email,Phone,First\n{changed},,nobody\n".encode(), rows_per_chunk=40)
    assert len(shop.failed_rows(job)) == 1
    reasons = [
        (one.code, one.column_name, one.first_record)
        for one in by_hand.read(store, shop.domain, read_report, job.job_id).fault_counts
    ]
    examples = by_hand.read(
        store, shop.domain, jobs.list_example_rows, shop.place.master_key, job.job_id, reasons, rows_per_reason=3
    )
    assert len(examples) == 1
    by_hand.read(store, shop.domain, jobs.list_jobs, max_results=10)
    # Records that meet in one profile, and keys that are there already.
    met = (Column("Home", "HomePhoneNumber"), Column("Phone", "PhoneNumber"))
    shop.load(
        met, "Phone", b"Home,Phone\n+12025560001,+12025560002\n+12025560002,+12025560003\n,+12025559999\n", strict=True
    )
    repeating = shop.load(COLUMNS, "Email", b"Email,Phone,First\nr@example.com,,Ann\nr@example.com,,Bob\n")
    repeated = by_hand.read(store, shop.domain, list_repeated_rows, repeating.job_id, max_results=10)
    assert len(repeated.items) == 1
    _, listed = by_hand.read(store, shop.domain, list_made_profiles, repeating.job_id, max_results=10)
    assert len(listed.items) == 1
    # A field that becomes a key.
    shop.load((Column("First", "FirstName"), Column("Last", "LastName")), "First", b"First,Last\nZoe,Z\n")

    follow = follow_a_segment(shop)
    find_customers(shop)

    # Loads that are taken back, but for a profile that was touched since, and for a key that was deleted before.
    first_page = search(shop, "_email", "c150@example.com")
    by_hand.delete_profile_key(store, name, first_page.profile_id, "_phone", ["+12025550150"], NOW)
    undone = shop.load(COLUMNS, "Email", b"Email,Phone,First\nc150@example.com,+12025557777,\nu@example.com,,New\n")
    again = shop.load(COLUMNS, "Email", b"Email,Phone,First\nc151@example.com,,Again\n")
    touched = search(shop, "_email", "c151@example.com")
    by_hand.update_profile(store, name, touched.profile_id, ProfileChange(values={"LastName": "Hand"}), NOW)
    assert (shop.undo(again).job.kept_count, shop.undo(undone).job.restored_count) == (1, 1)
    by_hand.read(store, shop.domain, undos.list_kept_profiles, again.job_id, max_results=10)

    key = SearchKey("_email", ("c1@example.com",))
    found = by_hand.read(store, name, search_profiles, [key], max_results=10)
    assert by_hand.get_profiles(store, name, [found.found[0].profile.profile_id], NOW).profiles
    with reading(store, name, NOW) as session:
        changes = list_history(session, touched.profile_id, max_results=10, next_token=None).records
        assert [one.change.action for one in changes] == ["UPDATED", "INGESTED", "CREATED"]
        states = [get_history_record(session, touched.profile_id, one.record_id).profile for one in changes]
        # The undo has removed what the load had kept.
        assert [state is None for state in states] == [False, False, True]
    objects = ObjectShop(store, shop.domain)
    objects.define("Crm")
    objects.define("Short", ExpirationDays=1)
    for first_name in ("Ada", "Augusta"):
        objects.put("Crm", {"id": "7", "first": first_name})
    objects.put("Short", {"id": "7", "first": "Short"})
    assert len(objects.objects(objects.only("crmId", "7"), "Crm")) == 1
    with store.write() as connection:
        assert remove_expired_objects_step(connection, NOW + 2 * DAY, 50) == 1
    by_hand.write(store, name, delete_object_type, "Crm")
    with store.write() as connection:
        step = remove_objects_of_deleted_types_step
        assert step(connection, NOW, 50, keeps_replaced=True, strict=False) == 1
    with store.write() as connection:
        assert remove_expired_profiles_step(connection, FAR_FUTURE, 50) == 50
    follow()
    with store.write() as connection:
        assert remove_old_events_step(connection, FAR_FUTURE, 10_000) > 10


def find_customers(shop: Shop) -> None:
    """Write the words of customers, and search them."""
    # The lease of the segments' reader has run out by then.
    later = NOW + timedelta(hours=2)
    work = FeedWork(shop.place.settings, shop.store, shop.place.master_key, lambda: later)
    assert Feeds(work, "w", [PROFILE_WORDS]).act_next()
    at = by_hand.At(later)
    for text in ("", "bob"):
        assert at.read(shop.store, shop.domain, find_by_words, text, max_results=5).profiles


def follow_a_segment(shop: Shop) -> Callable[[], None]:
    """Follow a segment of all profiles, with events for those that come and go; return what looks at changes again."""
    store, name = shop.store, shop.name
    by_hand.write(store, name, create_segment, "all", {"DisplayName": "all"}, {}, {})
    stream = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
    by_hand.write(store, name, associate_stream, stream, "arn:aws:iam::000000000000:role/r")
    by_hand.write(store, name, put_subscription, "all", interval_hours=None)

    work = FeedWork(shop.place.settings, store, shop.place.master_key, lambda: NOW)

    def act() -> None:
        with store.write() as connection:
            # The feeds of the stream and of words come only once: they are not released.
            claimed = [claim_feed(connection, owner="w", now=NOW) for _ in range(3)]
        (held,) = (one for one in claimed if one is not None and one.name == SEGMENT_SUBSCRIPTION.name)
        number = follow_segment(work, held)
        with store.write() as connection:
            # Without the rest after an act.
            assert move_feed(connection, held, number, now=NOW - timedelta(seconds=1))

    act()
    came = shop.create_profile(EmailAddress="came@example.com")
    act()
    by_hand.delete_profile(store, name, came.profile_id, NOW)
    act()
    listed = by_hand.read(store, name, list_subscription_events, "all", max_results=10)
    assert [event.has_joined for event in listed.events] == [False, True]
    with store.read() as connection:
        assert len(read_events_after(connection, shop.domain.domain_id, 0, 10)) == 2
    return act


@pytest.fixture(scope="module")
def statements(
    postgresql_server: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, ...]]:
    url = postgresql_server.create_database()
    made = Place(tmp_path_factory.mktemp("load") / "data", PostgresqlUrl(url))
    shop = made.open_shop()
    made.store.close()
    with postgresql_server.recorded(url) as recorded:
        use_everything(shop)
        made.close()
    yield tuple(dict.fromkeys(plain(statement) for statement in recorded))
    postgresql_server.drop_database(url)


def plain(statement: str) -> str:
    """The statement without quotes, schemas and what the loader's driver puts around a query."""
    statement = re.sub(r"\s+", " ", statement).strip().lower()
    statement = re.sub(r"^copy \((.*)\) to stdout.*$", r"\1", statement)
    return re.sub(r'"?\bpublic"? ?\. ?', "", statement).replace('"', "")


def mentions(statement: str, table: str) -> bool:
    return re.search(rf"\b(from|join|into|update|using|copy) {table}\b", statement) is not None


def carries(statement: str, table: str, column: str) -> bool:
    """Whether a statement says which value of the column it is about: by comparing it, or by writing it."""
    if re.match(rf"(insert into|copy) {table} \([^)]*\b{column}\b", statement):
        return True
    no_alias = r"(?!(?:on|set|where|order|for|limit|using|left|join)\b)"
    uses = re.findall(rf"\b(?:from|join|update|using) {table}\b(?: (?:as )?{no_alias}(\w+))?", statement)
    prefixes = [rf"\b{alias}\." if alias else rf"(?<![.\w])(?:{table}\.)?" for alias in uses]
    return bool(prefixes) and all(
        re.search(rf"{prefix}{column} = (\$\d+|\d+)", statement) is not None for prefix in prefixes
    )


def test_the_page_says_of_every_table_how_it_is_spread() -> None:
    assert documented_columns().keys() == tables.metadata.tables.keys()
    assert {table for table, column in documented_columns().items() if column} == VERBS.keys()


@pytest.mark.parametrize("table", VERBS)
def test_every_hot_statement_names_the_column_that_its_table_is_spread_by(
    statements: tuple[str, ...], table: str
) -> None:
    column = documented_columns()[table]
    assert column is not None
    found = [statement for statement in statements if mentions(statement, table)]
    assert {statement.split()[0] for statement in found} == VERBS[table]
    assert [statement for statement in found if not carries(statement, table, column)] == []


@pytest.mark.parametrize(
    "statement",
    [
        "select p.pid from wanted_pid w join profile p on p.pid = w.pid",
        "update profile set domain_id = domain_id where pid = 1",
        "select pid from profile_key k join profile p on p.pid = k.pid where k.domain_id = $1",
        "delete from profile k using (select p.ctid from profile p where p.domain_id = 1) f where k.ctid = f.ctid",
        plain('COPY "public" . "profile" ("pid", "profile_id") FROM STDIN WITH (FORMAT binary)'),
        plain("COPY (select pid from profile p where p.pid = 1) TO STDOUT (FORMAT binary)"),
    ],
)
def test_a_statement_without_the_column_would_be_seen(statement: str) -> None:
    assert mentions(statement, "profile")
    assert not carries(statement, "profile", "domain_id")


@pytest.mark.parametrize(
    "counted",
    [
        "never",
        pytest.param(
            "before the domain was made",
            marks=pytest.mark.long(daily="test_a_load_into_tables_that_nobody_has_counted_looks_at_single_rows[never]"),
        ),
    ],
)
def test_a_load_into_tables_that_nobody_has_counted_looks_at_single_rows(
    postgresql_server: PostgresqlServer, tmp_path: Path, counted: str
) -> None:
    url = postgresql_server.create_database()
    place = Place(tmp_path / "data", PostgresqlUrl(url))
    with psycopg.connect(url, autocommit=True) as connection:
        # As it is in the minute before autovacuum comes.
        connection.execute("alter table profile set (autovacuum_enabled = false)")
        connection.execute("alter table profile_key set (autovacuum_enabled = false)")
        rows = "".join(f"c{number}@example.com,+1202{number:07},Ann\n" for number in range(ROWS))
        if counted != "never":
            place.open_shop().load(COLUMNS, "Email", f"Email,Phone,First\n{rows}".encode())
            connection.execute("vacuum analyze")
        shop = place.open_shop()
        shop.load(COLUMNS, "Email", f"Email,Phone,First\n{rows}".encode())

        job = shop.load(COLUMNS, "Email", f"Email,Phone,First\n{rows.replace('Ann', 'Bob')}".encode())
        changed = search(shop, "_email", "c150@example.com")
        change = ProfileChange(values={"Address.City": "Rome"})
        by_hand.update_profile(shop.store, shop.name, changed.profile_id, change, NOW)

        assert job.updated_count == ROWS
        place.close()
        ((by_expiry,),) = connection.execute(
            "select idx_tup_read from pg_stat_user_indexes where indexrelname = 'profile_expiry'"
        )
        walked: dict[str, int] = dict(
            connection.execute("select relname, seq_tup_read from pg_stat_user_tables").fetchall()
        )
    postgresql_server.drop_database(url)
    assert by_expiry == 0
    # Reading whole tables is for what is empty.
    assert (walked["profile"], walked["profile_key"]) == (0, 0)


@pytest.mark.parametrize(
    "counted",
    [
        "never",
        pytest.param(
            "before the domain was made",
            marks=pytest.mark.long(
                daily="test_a_group_of_objects_in_tables_that_nobody_has_counted_looks_at_single_rows[never]"
            ),
        ),
    ],
)
def test_a_group_of_objects_in_tables_that_nobody_has_counted_looks_at_single_rows(
    postgresql_server: PostgresqlServer, tmp_path: Path, counted: str
) -> None:
    url = postgresql_server.create_database()
    place = Place(tmp_path / "data", PostgresqlUrl(url))
    names = ("profile", "profile_key", "held_key", "profile_object", "object_unique")
    with psycopg.connect(url, autocommit=True) as connection:
        for name in names:
            connection.execute(f"alter table {name} set (autovacuum_enabled = false)")
        put_customers(place, 50)
        if counted != "never":
            connection.execute("vacuum analyze")
        put_customers(place, OBJECTS)
        place.close()
        walked: dict[str, int] = dict(
            connection.execute("select relname, seq_tup_read from pg_stat_user_tables").fetchall()
        )
        read: dict[str, int] = dict(
            connection.execute("select indexrelname, idx_tup_read from pg_stat_user_indexes").fetchall()
        )
    postgresql_server.drop_database(url)
    # Reading whole tables is for what is empty, or nearly.
    assert {name: walked[name] for name in names if walked[name] > OBJECTS} == {}
    assert {name: count for name, count in read.items() if count > 20 * OBJECTS} == {}


def put_customers(place: Place, count: int) -> None:
    """Put objects into a new domain, and replace all of them, in groups."""
    shop = place.open_shop()
    customers = ObjectShop(shop.store, shop.domain)
    customers.define("Crm")
    for first in ("Ada", "Eve"):
        contents = [json.dumps({"id": number, "mail": f"m{number}@x.org", "first": first}) for number in range(count)]
        for start in range(0, count, 50):
            customers.at.write(shop.store, shop.domain, put_objects, "Crm", contents[start : start + 50])
