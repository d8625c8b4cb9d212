"""Profiles: created, read, changed and deleted; their keys, their expiry and what the worker removes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

import by_hand
from openprofiles.clock import from_milliseconds
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.records import Domain, Profile
from openprofiles.ids import new_profile_id, row_number_of
from openprofiles.profiles import domains, profiles
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.store import row_sequence, tables
from openprofiles.store.connections import Store
from openprofiles.store.removal import remove_deleted_domain_step
from store.made_rows import insert_job

NOW = from_milliseconds(1_780_000_000_123)
DAY = timedelta(days=1)


def make_domain(store: Store, name: str = "shop", expiration_days: int = 30) -> Domain:
    return domains.create_domain(
        store, name, default_expiration_days=expiration_days, config={}, tags={}, phone_region="US", now=NOW
    )


def make_profile(store: Store, domain: str = "shop", now: datetime = NOW, **values: str) -> Profile:
    return by_hand.create_profile(store, domain, ProfileChange(values=values), now)


def index_of(store: Store, profile: Profile) -> set[tuple[str, str]]:
    key = tables.profile_key.c
    with store.read() as connection:
        rows = connection.execute(
            select(key.name, key.value).where(key.pid == profile.pid, key.domain_id == profile.domain_id)
        )
        return {(row.name, row.value) for row in rows}


def count_rows(store: Store, table: Any) -> int:
    with store.read() as connection:
        return len(connection.execute(select(table)).all())


def change_number(store: Store, name: str = "shop") -> int:
    return by_hand.get_domain(store, name).change_number


def live_count(store: Store, now: datetime, name: str = "shop") -> int:
    return by_hand.At(now).read(store, name, domains.count_profiles)


def test_a_profile_is_read_as_it_was_made(store: Store) -> None:
    make_domain(store)
    preferences = {"Email": [{"KeyName": "_email", "KeyValue": "kid@example.com", "ContactType": "EmailAddress"}]}
    change = ProfileChange(
        values={"EmailAddress": " Ada@Example.com ", "ShippingAddress.City": "Zürich", "GenderString": "other"},
        attributes={"Loyalty": "gold", "a.b": "1"},
        engagement_preferences=preferences,
    )

    made = by_hand.create_profile(store, "shop", change, NOW)

    assert by_hand.get_profile(store, "shop", made.profile_id, NOW) == made
    assert (made.values, made.attributes, made.engagement_preferences) == (
        change.values,
        change.attributes,
        preferences,
    )
    assert (made.revision, made.created_at, made.updated_at, made.expires_at) == (1, NOW, NOW, NOW + 30 * DAY)
    assert made.origins == {
        "EmailAddress",
        "ShippingAddress.City",
        "GenderString",
        "Attributes.Loyalty",
        "Attributes.a.b",
        "EngagementPreferences",
    }


def test_two_profiles_may_be_alike(store: Store) -> None:
    make_domain(store)

    first = make_profile(store, EmailAddress="ada@example.com")
    second = make_profile(store, EmailAddress="ada@example.com")

    assert first.profile_id != second.profile_id
    assert live_count(store, NOW) == 2


def test_row_numbers_begin_at_one_and_are_never_given_twice(store: Store) -> None:
    make_domain(store)

    first = make_profile(store, FirstName="Ada")
    with store.write() as connection:
        range_start = row_sequence.reserve(connection, 1000)
    by_hand.delete_profile(store, "shop", first.profile_id, NOW)
    next_one = make_profile(store, FirstName="Grace")

    assert (first.pid, range_start, next_one.pid) == (1, 2, 1002)
    assert row_number_of(next_one.profile_id) == 1002


def test_an_update_keeps_what_is_absent_and_removes_what_is_empty(store: Store) -> None:
    make_domain(store)
    before = by_hand.create_profile(
        store,
        "shop",
        ProfileChange(
            values={"FirstName": "Ada", "LastName": "King", "Address.City": "London", "Address.Country": "UK"},
            attributes={"Loyalty": "gold", "Size": "M"},
            engagement_preferences={"Email": []},
        ),
        NOW,
    )
    other = make_profile(store, FirstName="Ada", LastName="King")

    after = by_hand.update_profile(
        store,
        "shop",
        before.profile_id,
        ProfileChange(
            values={"LastName": "Lovelace", "FirstName": "", "Address.City": "", "MiddleName": ""},
            attributes={"Loyalty": "", "Colour": "red"},
        ),
        NOW + DAY,
    )

    assert after.values == {"LastName": "Lovelace", "Address.Country": "UK"}
    assert after.attributes == {"Size": "M", "Colour": "red"}
    assert after.engagement_preferences == {"Email": []}
    assert after.origins == {
        "LastName",
        "Address.Country",
        "Attributes.Size",
        "Attributes.Colour",
        "EngagementPreferences",
    }
    assert (after.revision, after.created_at, after.updated_at) == (2, NOW, NOW + DAY)
    assert by_hand.get_profile(store, "shop", before.profile_id, NOW + DAY) == after
    assert by_hand.get_profile(store, "shop", other.profile_id, NOW + DAY) == other
    assert index_of(store, other) == {("_fullName", "ada king")}


def test_an_update_that_changes_nothing_touches_the_profile_and_leaves_the_keys(store: Store) -> None:
    make_domain(store)
    before = make_profile(store, EmailAddress="ada@example.com")
    version = change_number(store)

    by_hand.update_profile(
        store, "shop", before.profile_id, ProfileChange(values={"EmailAddress": "ada@example.com"}), NOW + DAY
    )

    after = by_hand.get_profile(store, "shop", before.profile_id, NOW + DAY)
    assert (after.values, after.revision) == (before.values, 2)
    assert (after.updated_at, after.expires_at) == (NOW + DAY, NOW + 31 * DAY)
    # A load that runs meanwhile must see what was set by hand, also when no key changed.
    assert change_number(store) == version + 1


def test_an_empty_set_of_preferences_removes_them(store: Store) -> None:
    make_domain(store)
    before = by_hand.create_profile(store, "shop", ProfileChange(engagement_preferences={"Phone": []}), NOW)

    after = by_hand.update_profile(store, "shop", before.profile_id, ProfileChange(engagement_preferences={}), NOW)

    assert (after.engagement_preferences, after.origins) == (None, frozenset())


def test_an_update_never_shortens_a_life(store: Store) -> None:
    make_domain(store, expiration_days=100)
    before = make_profile(store, FirstName="Ada")
    by_hand.write(store, "shop", domains.update_domain, default_expiration_days=5)

    soon = by_hand.update_profile(store, "shop", before.profile_id, ProfileChange(), NOW + DAY)
    late = by_hand.update_profile(store, "shop", before.profile_id, ProfileChange(), NOW + 99 * DAY)

    assert (soon.expires_at, late.expires_at) == (NOW + 100 * DAY, NOW + 104 * DAY)


def test_an_attribute_without_a_name_is_refused(store: Store) -> None:
    make_domain(store)
    before = make_profile(store, FirstName="Ada")
    nameless = ProfileChange(attributes={"": "x"})

    with pytest.raises(InvalidRequest, match="Attributes"):
        by_hand.create_profile(store, "shop", nameless, NOW)
    with pytest.raises(InvalidRequest, match="Attributes"):
        by_hand.update_profile(store, "shop", before.profile_id, nameless, NOW)

    assert live_count(store, NOW) == 1


def test_the_index_follows_the_fields(store: Store) -> None:
    make_domain(store)
    profile = make_profile(
        store, EmailAddress="ada@example.com", BusinessEmailAddress="ADA@example.com", PhoneNumber="1"
    )

    by_hand.update_profile(
        store,
        "shop",
        profile.profile_id,
        ProfileChange(values={"EmailAddress": "new@example.com", "PhoneNumber": "", "AccountNumber": "A1"}),
        NOW,
    )

    assert index_of(store, profile) == {
        ("_email", "ada@example.com"),
        ("_email", "new@example.com"),
        ("_account", "a1"),
    }


def test_a_field_that_jobs_find_profiles_by_is_indexed_from_then_on(store: Store) -> None:
    domain = make_domain(store)
    make_domain(store, "other")
    with store.write() as connection:
        connection.execute(
            insert(tables.indexed_field).values(domain_id=domain.domain_id, path="Attributes.Id", is_built=True)
        )

    here = by_hand.create_profile(store, "shop", ProfileChange(attributes={"Id": "X 1"}), NOW)
    elsewhere = by_hand.create_profile(store, "other", ProfileChange(attributes={"Id": "X 1"}), NOW)

    assert index_of(store, here) == {("_profile.Attributes.Id", "X 1")}
    assert index_of(store, elsewhere) == set()


def test_a_deleted_profile_is_gone_with_its_keys(store: Store) -> None:
    make_domain(store)
    gone = make_profile(store, EmailAddress="ada@example.com", FirstName="Ada")
    kept = make_profile(store, EmailAddress="ada@example.com")
    by_hand.add_profile_key(store, "shop", gone.profile_id, "crm", ["7"], NOW)
    by_hand.add_profile_key(store, "shop", kept.profile_id, "crm", ["7"], NOW)

    by_hand.delete_profile(store, "shop", gone.profile_id, NOW)

    with pytest.raises(NotFound):
        by_hand.get_profile(store, "shop", gone.profile_id, NOW)
    assert index_of(store, gone) == set()
    assert index_of(store, kept) == {("_email", "ada@example.com"), ("crm", "7")}
    assert count_rows(store, tables.held_key) == 1
    assert live_count(store, NOW) == 1


Act = Callable[[Store, str], object]
ACTS: list[Any] = [
    pytest.param(lambda store, one: by_hand.get_profile(store, "shop", one, NOW), id="get"),
    pytest.param(lambda store, one: by_hand.update_profile(store, "shop", one, ProfileChange(), NOW), id="update"),
    pytest.param(lambda store, one: by_hand.delete_profile(store, "shop", one, NOW), id="delete"),
    pytest.param(lambda store, one: by_hand.add_profile_key(store, "shop", one, "crm", ["1"], NOW), id="add key"),
    pytest.param(
        lambda store, one: by_hand.delete_profile_key(store, "shop", one, "_email", ["a@b.c"], NOW), id="delete key"
    ),
]


@pytest.mark.parametrize("act", ACTS)
def test_an_id_of_another_domain_of_no_profile_or_of_an_expired_one_names_nothing(store: Store, act: Act) -> None:
    make_domain(store)
    make_domain(store, "other")
    elsewhere = make_profile(store, "other", EmailAddress="a@b.c")
    here = make_profile(store, EmailAddress="a@b.c")
    expired = make_profile(store, now=NOW - 30 * DAY, EmailAddress="a@b.c")
    same_row_number = new_profile_id(NOW, here.pid)

    for wrong_id in (elsewhere.profile_id, expired.profile_id, same_row_number, new_profile_id(NOW, 999), "no id"):
        with pytest.raises(NotFound, match=f"^Profile {wrong_id} does not exist in domain shop"):
            act(store, wrong_id)

    assert by_hand.get_profile(store, "other", elsewhere.profile_id, NOW) == elsewhere
    assert by_hand.get_profile(store, "shop", here.profile_id, NOW) == here


def test_a_list_of_ids_is_answered_in_its_order_with_the_ids_that_name_nothing(store: Store) -> None:
    make_domain(store)
    first = make_profile(store, FirstName="Ada")
    expired = make_profile(store, now=NOW - 31 * DAY, FirstName="Old")
    second = make_profile(store, FirstName="Grace")
    unknown = new_profile_id(NOW, 999)

    found = by_hand.get_profiles(store, "shop", [second.profile_id, unknown, first.profile_id, expired.profile_id], NOW)

    assert found.profiles == (second, first)
    assert found.missing_ids == (unknown, expired.profile_id)


def test_a_key_added_by_hand_outlives_the_field_that_also_holds_it(store: Store) -> None:
    make_domain(store)
    profile = make_profile(store, PhoneNumber="206-555-0100")

    by_hand.add_profile_key(store, "shop", profile.profile_id, "_phone", ["+1 206 555 0100", "206 555 0199"], NOW + DAY)
    changed = ProfileChange(values={"PhoneNumber": ""})
    by_hand.update_profile(store, "shop", profile.profile_id, changed, NOW + DAY)

    assert index_of(store, profile) == {("_phone", "+12065550100"), ("_phone", "+12065550199")}
    after = by_hand.get_profile(store, "shop", profile.profile_id, NOW + DAY)
    assert (after.revision, after.expires_at) == (3, NOW + 31 * DAY)


def test_a_deleted_key_of_a_field_comes_back_when_that_field_changes(store: Store) -> None:
    make_domain(store)
    profile = make_profile(store, EmailAddress="ada@example.com", FirstName="Ada")
    other = make_profile(store, EmailAddress="ada@example.com")

    def update_with(**values: str) -> set[tuple[str, str]]:
        by_hand.update_profile(store, "shop", profile.profile_id, ProfileChange(values=values), NOW)
        return index_of(store, profile)

    by_hand.delete_profile_key(
        store, "shop", profile.profile_id, "_email", ["ADA@example.com", "absent@example.com"], NOW
    )

    assert index_of(store, profile) == {("_fullName", "ada")}
    assert update_with(FirstName="Eve") == {("_fullName", "eve")}
    assert update_with(EmailAddress="new@example.com") == {("_fullName", "eve"), ("_email", "new@example.com")}
    assert update_with(EmailAddress="ada@example.com") == {("_fullName", "eve"), ("_email", "ada@example.com")}
    assert index_of(store, other) == {("_email", "ada@example.com")}


def test_deleting_an_absent_key_leaves_the_profile_untouched(store: Store) -> None:
    make_domain(store)
    profile = make_profile(store, EmailAddress="ada@example.com")
    version = change_number(store)

    by_hand.delete_profile_key(store, "shop", profile.profile_id, "_email", ["x@example.com", " "], NOW + DAY)

    assert by_hand.get_profile(store, "shop", profile.profile_id, NOW) == profile
    assert change_number(store) == version


def test_a_key_that_could_never_find_the_profile_is_refused_without_repeating_it(store: Store) -> None:
    make_domain(store)
    profile = make_profile(store, EmailAddress="ada@example.com")

    with pytest.raises(InvalidRequest, match=r"^Values\[1\] is not a valid value of the key _phone\.$"):
        by_hand.add_profile_key(store, "shop", profile.profile_id, "_phone", ["206 555 0100", "none"], NOW)
    with pytest.raises(InvalidRequest, match="_profileId"):
        by_hand.add_profile_key(store, "shop", profile.profile_id, "_profileId", [profile.profile_id], NOW)
    with pytest.raises(InvalidRequest, match="_profileId"):
        by_hand.delete_profile_key(store, "shop", profile.profile_id, "_profileId", [profile.profile_id], NOW)

    assert index_of(store, profile) == {("_email", "ada@example.com")}


def test_every_write_that_changes_keys_or_profiles_raises_the_change_number(store: Store) -> None:
    make_domain(store)
    make_domain(store, "other")
    other_version = change_number(store, "other")
    versions = [change_number(store)]

    profile = make_profile(store, BirthDate="1815")
    versions.append(change_number(store))
    by_hand.update_profile(store, "shop", profile.profile_id, ProfileChange(values={"FirstName": "Ada"}), NOW)
    versions.append(change_number(store))
    by_hand.add_profile_key(store, "shop", profile.profile_id, "crm", ["1"], NOW)
    versions.append(change_number(store))
    by_hand.delete_profile_key(store, "shop", profile.profile_id, "crm", ["1"], NOW)
    versions.append(change_number(store))
    by_hand.delete_profile(store, "shop", profile.profile_id, NOW)
    versions.append(change_number(store))

    assert versions == sorted(set(versions))
    assert change_number(store, "other") == other_version


def test_expired_profiles_are_removed_in_steps_and_the_others_stay(store: Store) -> None:
    make_domain(store)
    make_domain(store, "other")
    expired = [make_profile(store, now=NOW - n * DAY, EmailAddress=f"{n}@example.com") for n in (30, 31, 32)]
    expired += [make_profile(store, "other", now=NOW - 40 * DAY, EmailAddress="old@example.com")]
    by_hand.add_profile_key(store, "shop", expired[1].profile_id, "crm", ["1"], NOW - 31 * DAY)
    last_moment = make_profile(store, now=NOW - 30 * DAY + timedelta(milliseconds=1), EmailAddress="30@example.com")
    kept = make_profile(store, "other", EmailAddress="old@example.com")
    assert (live_count(store, NOW), live_count(store, NOW, "other")) == (1, 1)

    removed: list[int] = []
    while not removed or removed[-1] == 2:
        with store.write() as connection:
            removed.append(profiles.remove_expired_profiles_step(connection, NOW, 2))

    assert removed == [2, 2, 0]
    assert [index_of(store, profile) for profile in expired] == [set()] * 4
    assert index_of(store, last_moment) == {("_email", "30@example.com")}
    assert index_of(store, kept) == {("_email", "old@example.com")}
    assert by_hand.get_profile(store, "shop", last_moment.profile_id, NOW) == last_moment
    assert (count_rows(store, tables.profile), count_rows(store, tables.held_key)) == (2, 0)
    assert [by_hand.get_domain(store, name).profile_count for name in ("shop", "other")] == [1, 1]


def make_job(store: Store, domain: Domain, **columns: Any) -> int:
    """An upload job with two failed rows and two pending keys."""
    with store.write() as connection:
        job_id = f"{domain.name}-{columns.get('status')}-{columns.get('lease_owner')}"
        job = insert_job(connection, domain.domain_id, job_id, **columns)
        for number in (1, 2):
            connection.execute(
                insert(tables.failed_row).values(upload_job_id=job, record=number, line=number + 1, code="TOO_LONG")
            )
            connection.execute(insert(tables.pending_keys).values(upload_job_id=job, changes=b"a"))
            connection.execute(insert(tables.undo_image).values(upload_job_id=job, content=b"a"))
            connection.execute(
                insert(tables.undo_absent_key).values(upload_job_id=job, name="_email", value="a@x", pid=number)
            )
            connection.execute(
                insert(tables.undo_kept_profile).values(upload_job_id=job, pid=number, profile_id="a", was_created=True)
            )
    return job


ALL_TABLES = (
    tables.domain,
    tables.indexed_field,
    tables.definition,
    tables.definition_body,
    tables.profile,
    tables.profile_key,
    tables.held_key,
    tables.job,
    tables.upload_job,
    tables.failed_row,
    tables.pending_keys,
    tables.undo_image,
    tables.undo_absent_key,
    tables.undo_kept_profile,
)


def rows_of_domain(store: Store, domain: Domain) -> dict[str, int]:
    """How many rows each table holds for a domain."""
    with store.read() as connection:
        jobs = select(tables.job.c.job_number).where(tables.job.c.domain_id == domain.domain_id)
        pids = select(tables.profile.c.pid).where(tables.profile.c.domain_id == domain.domain_id)
        counts = {}
        for table in ALL_TABLES:
            if "domain_id" in table.c:
                condition = table.c.domain_id == domain.domain_id
            elif "job_number" in table.c:
                condition = table.c.job_number.in_(jobs)
            elif "upload_job_id" in table.c:
                condition = table.c.upload_job_id.in_(jobs)
            else:
                condition = table.c.pid.in_(pids)
            counts[table.name] = len(connection.execute(select(table).where(condition)).all())
        return counts


def fill_domain(store: Store, name: str) -> Domain:
    domain = make_domain(store, name)
    for number in range(5):
        profile = make_profile(store, name, EmailAddress=f"{number}@example.com", FirstName="Ada")
        by_hand.add_profile_key(store, name, profile.profile_id, "crm", ["1", "2"], NOW)
    with store.write() as connection:
        connection.execute(
            insert(tables.indexed_field).values(domain_id=domain.domain_id, path="BirthDate", is_built=True)
        )
        connection.execute(
            insert(tables.definition).values(
                domain_id=domain.domain_id,
                kind="mapping",
                name="a",
                summary={},
                tags={},
                version=1,
                created_at=NOW,
                updated_at=NOW,
            )
        )
        connection.execute(
            insert(tables.definition_body).values(domain_id=domain.domain_id, definition_id=1, version=1, body={})
        )
    make_job(store, domain)
    return domain


def remove_until_done(store: Store, now: datetime, limit: int) -> int:
    """The most rows that one step took."""
    most = 0
    while True:
        before = sum(count_rows(store, table) for table in ALL_TABLES)
        with store.write() as connection:
            more = remove_deleted_domain_step(connection, now, limit)
        most = max(most, before - sum(count_rows(store, table) for table in ALL_TABLES))
        if not more:
            return most


def test_the_data_of_a_deleted_domain_goes_in_bounded_steps_and_no_other(store: Store) -> None:
    gone = fill_domain(store, "gone")
    also_gone = fill_domain(store, "also-gone")
    kept = fill_domain(store, "kept")
    kept_rows = rows_of_domain(store, kept)
    by_hand.write(store, "gone", domains.delete_domain)
    by_hand.write(store, "also-gone", domains.delete_domain)
    make_domain(store, "gone")

    most = remove_until_done(store, NOW, limit=3)

    assert most == 3
    assert set(rows_of_domain(store, gone).values()) == {0}
    assert set(rows_of_domain(store, also_gone).values()) == {0}
    assert rows_of_domain(store, kept) == kept_rows
    assert {name: count for name, count in kept_rows.items() if count == 0} == {}
    assert by_hand.get_domain(store, "gone").profile_count == 0
    assert count_rows(store, tables.held_key) == 10


def test_a_deleted_domain_waits_for_the_job_that_a_worker_runs(store: Store) -> None:
    waits = fill_domain(store, "waits")
    goes = fill_domain(store, "goes")
    kept = fill_domain(store, "kept")
    minute = timedelta(minutes=1)
    for domain in (waits, kept):
        make_job(store, domain, status="IN_PROGRESS", lease_owner="w1", lease_until=NOW + minute)
    make_job(store, goes, status="IN_PROGRESS", lease_owner="w2", lease_until=NOW)
    rows_before = rows_of_domain(store, waits)
    by_hand.write(store, "waits", domains.delete_domain)
    by_hand.write(store, "goes", domains.delete_domain)

    remove_until_done(store, NOW, limit=100)
    rows_during = rows_of_domain(store, waits)
    remove_until_done(store, NOW + 2 * minute, limit=100)

    assert rows_during == rows_before
    assert set(rows_of_domain(store, goes).values()) == {0}
    assert set(rows_of_domain(store, waits).values()) == {0}
    assert rows_of_domain(store, kept)["upload_job"] == 2


def test_deleting_a_domain_asks_its_running_job_to_stop(store: Store) -> None:
    gone = make_domain(store, "gone")
    kept = make_domain(store, "kept")
    running = make_job(store, gone, status="IN_PROGRESS", lease_owner="w1")
    asked_before = make_job(store, gone, status="IN_PROGRESS", lease_owner="w2", stop_requested_at=NOW - DAY)
    ended = make_job(store, gone)
    elsewhere = make_job(store, kept, status="IN_PROGRESS")

    by_hand.write(store, "gone", domains.delete_domain)

    with store.read() as connection:
        job = tables.job.c
        stops = {row[0]: row[1] for row in connection.execute(select(job.job_number, job.stop_requested_at))}
    assert stops == {running: NOW, asked_before: NOW - DAY, ended: None, elsewhere: None}


def test_a_profile_whose_keys_a_load_has_yet_to_index_is_updated_all_the_same(store: Store) -> None:
    make_domain(store)
    profile = make_profile(store, EmailAddress="ada@example.com")
    with store.write() as connection:
        connection.execute(tables.profile_key.delete())
        connection.execute(update(tables.profile).values(origins=None, last_upload_job=7))

    by_hand.update_profile(store, "shop", profile.profile_id, ProfileChange(values={"AccountNumber": "A1"}), NOW)

    after = by_hand.get_profile(store, "shop", profile.profile_id, NOW)
    assert after.origins == {"AccountNumber"}
    assert after.last_upload_job == 7
    assert index_of(store, profile) == {("_account", "a1")}
