"""The log of changes as calls write it, on both engines: what it has, what it forgets, and when."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

import by_hand
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.profiles import history, profiles
from openprofiles.profiles.history import HistoryPage, WholeHistoryRecord
from openprofiles.profiles.profiles import ProfileChange, remove_expired_profiles_step
from openprofiles.profiles.session import reading, writing
from openprofiles.store import profiles as profile_rows
from openprofiles.store import tables
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.connections import Store
from openprofiles.store.profile_changes import ProfileChange as StoredChange
from openprofiles.store.profile_changes import remove_old_changes_step
from openprofiles.store.row_number_lists import pack_row_numbers, unpack_row_numbers
from store.made_rows import NOW, make_domain, make_job

DAY = timedelta(days=1)
ADA = ProfileChange(values={"FirstName": "Ada", "EmailAddress": "ada@x"}, attributes={"tier": "gold"})


def page_of(store: Store, profile_id: str, **more: Any) -> HistoryPage:
    with reading(store, "shop", NOW) as session:
        return history.list_history(session, profile_id, **{"max_results": 100, "next_token": None, **more})


def actions_of(store: Store, profile_id: str) -> list[str]:
    return [record.change.action.value for record in page_of(store, profile_id).records]


def record_of(store: Store, profile_id: str, position: int) -> WholeHistoryRecord:
    """Return a record of the history with what came of the change, by its position from the newest."""
    record_id = page_of(store, profile_id).records[position].record_id
    with reading(store, "shop", NOW) as session:
        return history.get_history_record(session, profile_id, record_id)


def count(store: Store, table: Any) -> int:
    with store.read() as connection:
        number: int = connection.execute(select(func.count()).select_from(table)).scalar_one()
    return number


def remove_old(store: Store, at: Any, *, history_days: int = 365, replaced_values_days: int = 7) -> None:
    with store.write() as connection:
        while remove_old_changes_step(
            connection, at, 2, history_days=history_days, replaced_values_days=replaced_values_days
        ):
            pass


def test_every_call_that_changes_a_profile_is_in_its_history_newest_first(store: Store) -> None:
    make_domain(store, "shop")
    profile_id = by_hand.create_profile(store, "shop", ADA, NOW).profile_id
    other_id = by_hand.create_profile(store, "shop", ADA, NOW).profile_id
    by_hand.update_profile(store, "shop", profile_id, ProfileChange(values={"FirstName": "Eva"}), NOW + DAY)
    by_hand.add_profile_key(store, "shop", profile_id, "_email", ["e@x"], NOW + 2 * DAY)
    by_hand.delete_profile_key(store, "shop", profile_id, "_email", ["e@x"], NOW + 3 * DAY)
    # Nothing is there to be deleted, so nothing changes.
    by_hand.delete_profile_key(store, "shop", profile_id, "_email", ["e@x"], NOW + 3 * DAY)

    records = page_of(store, profile_id).records

    assert [(one.change.action.value, one.change.changed_at, one.change.number) for one in records] == [
        ("DELETED_PROFILE_KEY", NOW + 3 * DAY, 5),
        ("ADDED_PROFILE_KEY", NOW + 2 * DAY, 4),
        ("UPDATED", NOW + DAY, 3),
        ("CREATED", NOW, 1),
    ]
    assert {one.change.actor for one in records} == {by_hand.ACTOR}
    assert actions_of(store, other_id) == ["CREATED"]


def test_a_record_has_the_profile_as_it_was_after_the_change(store: Store) -> None:
    make_domain(store, "shop")
    profile_id = by_hand.create_profile(store, "shop", ADA, NOW).profile_id
    preferences = {"Email": [{"KeyName": "a", "KeyValue": "b"}]}
    changes = [
        ProfileChange(values={"FirstName": "Eva", "LastName": "Berg"}, attributes={"tier": "", "x": "\U0001f600"}),
        ProfileChange(values={"LastName": ""}, engagement_preferences=preferences),
        ProfileChange(values={"EmailAddress": "e@x"}, engagement_preferences={}),
    ]
    states = [by_hand.get_profile(store, "shop", profile_id, NOW)]
    for change in changes:
        states.append(by_hand.update_profile(store, "shop", profile_id, change, NOW))
        by_hand.add_profile_key(store, "shop", profile_id, "_account", ["7"], NOW)

    for position, state in zip((6, 5, 3, 1), states, strict=True):
        found = record_of(store, profile_id, position)
        assert found.profile is not None
        assert (found.profile.values, found.profile.attributes) == (state.values, state.attributes)
        assert found.profile.engagement_preferences == state.engagement_preferences
        assert found.keys is None
    assert record_of(store, profile_id, 0) == WholeHistoryRecord(
        page_of(store, profile_id).records[0], None, {"KeyName": "_account", "Values": ["7"]}
    )


def test_pages_join_without_gaps_and_a_filter_does_not_shorten_them(store: Store) -> None:
    make_domain(store, "shop")
    profile_id = by_hand.create_profile(store, "shop", ADA, NOW).profile_id
    for number in range(5):
        by_hand.update_profile(store, "shop", profile_id, ProfileChange(values={"LastName": str(number)}), NOW)
        by_hand.add_profile_key(store, "shop", profile_id, "_account", [str(number)], NOW)

    numbers, token = [], None
    while True:
        page = page_of(
            store,
            profile_id,
            is_wanted=lambda change: change.action is ChangeAction.UPDATED,
            max_results=2,
            next_token=token,
        )
        numbers += [one.change.number for one in page.records]
        token = page.next_token
        if token is None:
            break
        assert len(page.records) == 2

    assert numbers == [10, 8, 6, 4, 2]
    with pytest.raises(InvalidRequest):
        page_of(store, profile_id, next_token="abc")


def test_a_record_of_another_profile_or_of_none_is_not_found(store: Store) -> None:
    make_domain(store, "shop")
    one, other = (by_hand.create_profile(store, "shop", ADA, NOW) for _ in range(2))
    record_id = page_of(store, one.profile_id).records[0].record_id

    for wrong in (
        page_of(store, other.profile_id).records[0].record_id,
        record_id[:16] + f"{99:016x}",
        record_id[:16] + f"{2:016x}",
        "f" * 32,
    ):
        with reading(store, "shop", NOW) as session, pytest.raises(NotFound, match=f"no history record {wrong}"):
            history.get_history_record(session, one.profile_id, wrong)


def test_a_deleted_profile_leaves_its_row_number_and_no_value(store: Store) -> None:
    make_domain(store, "shop")
    gone = by_hand.create_profile(store, "shop", ADA, NOW)
    left = by_hand.create_profile(store, "shop", ADA, NOW)
    for one in (gone, left):
        by_hand.update_profile(store, "shop", one.profile_id, ProfileChange(values={"FirstName": "Eva"}), NOW)
        by_hand.add_profile_key(store, "shop", one.profile_id, "_email", ["secret@x"], NOW)

    by_hand.delete_profile(store, "shop", gone.profile_id, NOW)

    with pytest.raises(NotFound):
        page_of(store, gone.profile_id)
    with store.read() as connection:
        change = tables.profile_change
        rows = connection.execute(select(change.c.action, change.c.first_pid).order_by(change.c.number)).all()
        contents = list(connection.execute(select(tables.change_content.c.number)).scalars())
    assert tuple(rows[-1]) == ("DELETED_BY_CUSTOMER", gone.pid)
    assert contents == [5, 6]


def test_profiles_that_expire_together_are_one_change_of_the_service(store: Store) -> None:
    make_domain(store, "shop")
    made = [by_hand.create_profile(store, "shop", ADA, NOW) for _ in range(4)]
    by_hand.update_profile(store, "shop", made[1].profile_id, ProfileChange(), NOW + DAY)
    change = tables.profile_change

    with store.write() as connection:
        remove_expired_profiles_step(connection, made[0].expires_at, 100)

    with store.read() as connection:
        row = connection.execute(select(change).order_by(change.c.number.desc()).limit(1)).one()
    assert (row.action, row.actor, row.profile_count) == ("EXPIRED", "profile.amazonaws.com", 3)
    expired = [made[0].pid, made[2].pid, made[3].pid]
    assert list(unpack_row_numbers(row.first_pid, row.last_pid, row.pids)) == expired
    assert actions_of(store, made[1].profile_id) == ["UPDATED", "CREATED"]


def test_values_go_before_the_changes_themselves(store: Store) -> None:
    make_domain(store, "shop")
    profile_id = by_hand.create_profile(store, "shop", ADA, NOW - 400 * DAY).profile_id
    with store.write() as connection:
        connection.execute(update(tables.profile).values(expires_at=NOW + 400 * DAY))
    for days in (300, 7, 6):
        at = NOW - timedelta(days=days)
        by_hand.update_profile(store, "shop", profile_id, ProfileChange(values={"LastName": str(days)}), at)

    remove_old(store, NOW)

    assert actions_of(store, profile_id) == ["UPDATED", "UPDATED", "UPDATED"]
    assert count(store, tables.change_content) == 2
    found = [record_of(store, profile_id, position).profile for position in range(3)]
    assert [one and one.values.get("LastName") for one in found] == ["6", "7", "300"]
    remove_old(store, NOW + DAY)
    found = [record_of(store, profile_id, position).profile for position in range(3)]
    assert [one and one.values.get("LastName") for one in found] == ["6", "7", None]


def test_nothing_that_is_replaced_is_kept_if_nothing_shall_be(store: Store) -> None:
    make_domain(store, "shop")
    with writing(store, "shop", NOW, by_hand.ACTOR, keeps_replaced=False) as session:
        profile_id = profiles.create_profile(session, ADA).profile_id
        profiles.update_profile(session, profile_id, ProfileChange(values={"FirstName": "Eva"}))

    assert count(store, tables.change_content) == 0
    assert record_of(store, profile_id, 1).profile is None
    newest = record_of(store, profile_id, 0).profile
    assert newest is not None
    assert newest.values["FirstName"] == "Eva"


def test_a_list_of_row_numbers_comes_back() -> None:
    for numbers in ([7], [7, 8, 9], [1, 1 << 62], [3, 5, 6, 900_000], list(range(0, 300_000, 7))):
        packed = pack_row_numbers(numbers)
        assert list(unpack_row_numbers(numbers[0], numbers[-1], packed)) == numbers
    assert pack_row_numbers([7, 8, 9]) == b""
    assert len(pack_row_numbers(list(range(0, 40_000, 2)))) < 1_000


def test_what_is_kept_of_an_update_is_what_it_replaced(store: Store) -> None:
    make_domain(store, "shop")
    profile_id = by_hand.create_profile(store, "shop", ADA, NOW).profile_id

    change = ProfileChange(values={"FirstName": "Eva", "EmailAddress": "ada@x"}, attributes={"tier": "", "n": "1"})
    by_hand.update_profile(store, "shop", profile_id, change, NOW)

    with store.read() as connection:
        content = connection.execute(select(tables.change_content.c.content)).scalar_one()
    assert json.loads(content) == {"FirstName": "Ada", "Attributes.tier": "gold", "Attributes.n": None}


def test_undos_in_turn_do_not_hide_what_a_profile_was_before_the_loads(store: Store) -> None:
    shop = make_domain(store, "shop")
    profile = by_hand.create_profile(store, "shop", ADA, NOW)
    loads = [make_job(store, shop, number) for number in (1, 2)]
    undos = [make_job(store, shop, 3 + number, kind="undo", subject=load) for number, load in enumerate(loads)]
    # Both loads, then both undos, the last load first: what the loads had kept is removed by the undos.
    with store.write() as connection:
        for number, (action, job) in enumerate(
            [("INGESTED", loads[0]), ("INGESTED", loads[1]), ("UPDATED", undos[1]), ("UPDATED", undos[0])], 2
        ):
            row = {"domain_id": shop.domain_id, "number": number, "changed_at": NOW, "action": action, "pids": b""}
            pids = {"first_pid": profile.pid, "last_pid": profile.pid, "profile_count": 1}
            connection.execute(insert(tables.profile_change).values(job_number=job, **row, **pids))
        connection.execute(update(tables.domain).values(change_number=5))

    states = [record_of(store, profile.profile_id, position).profile for position in range(5)]

    assert [state and state.values["FirstName"] for state in states] == ["Ada", None, None, None, "Ada"]


def test_a_page_ends_after_it_has_looked_at_many_changes_in_vain(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    make_domain(store, "shop")
    profile_id = by_hand.create_profile(store, "shop", ADA, NOW).profile_id
    for number in range(5):
        by_hand.update_profile(store, "shop", profile_id, ProfileChange(values={"LastName": str(number)}), NOW)
    monkeypatch.setattr(history, "_MAX_EXAMINED", 4)

    def is_created(change: StoredChange) -> bool:
        return change.action is ChangeAction.CREATED

    first = page_of(store, profile_id, is_wanted=is_created)
    second = page_of(store, profile_id, is_wanted=is_created, next_token=first.next_token)

    assert first.records == ()
    assert [one.change.number for one in second.records] == [1]
    assert second.next_token is None


def test_a_worker_that_finds_nothing_expired_any_more_writes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_domain(store, "shop")
    monkeypatch.setattr(profile_rows, "count_expired_profiles", lambda *_, **__: 1)

    with store.write() as connection:
        assert remove_expired_profiles_step(connection, NOW, 10) == 0

    assert count(store, tables.profile_change) == 0
