"""What the pages of profiles and domains ask beside the API: which job touched a profile, and how a domain grew."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

import by_hand
from openprofiles.profiles import domains
from openprofiles.profiles.profiles import ChangedMeanwhile, ProfileChange
from openprofiles.store import tables
from openprofiles.store.connections import Store
from openprofiles.uploads import growth, jobs
from store.made_rows import NOW, make_domain, make_job

DAY = timedelta(days=1)


def test_a_job_is_found_by_the_number_that_a_profile_has_of_it(store: Store) -> None:
    shop, other = make_domain(store, "shop"), make_domain(store, "other")
    number = make_job(store, shop, 1)
    undo = make_job(store, shop, 2, kind="undo", subject=number)

    found = by_hand.read(store, shop, jobs.find_job_of_number, number)

    assert found is not None
    assert found.job_id == f"{1:032x}"
    assert by_hand.read(store, other, jobs.find_job_of_number, number) is None
    assert by_hand.read(store, shop, jobs.find_job_of_number, undo) is None
    assert by_hand.read(store, shop, jobs.find_job_of_number, undo + 1) is None


def test_a_domain_grows_by_what_its_jobs_made_and_shrinks_by_what_was_taken_back(store: Store) -> None:
    shop, other = make_domain(store, "shop"), make_domain(store, "other")
    first = make_job(store, shop, 1, completed_at=NOW + DAY, created_count=100)
    make_job(store, shop, 2, started_at=NOW + 2 * DAY, created_count=7, status="IN_PROGRESS")
    make_job(store, shop, 3, kind="undo", subject=first, completed_at=NOW + 3 * DAY, removed_count=90)
    make_job(store, shop, 4, kind="preview", subject=first, completed_at=NOW + 3 * DAY, created_count=1000)
    make_job(store, shop, 5, completed_at=NOW + 3 * DAY)
    make_job(store, other, 6, completed_at=NOW, created_count=1000)

    grown = by_hand.read(store, shop, growth.read_growth)

    assert grown.is_whole
    assert [(day.day, day.made, day.total) for day in grown.days] == [
        ((NOW + DAY).date(), 100, 100),
        ((NOW + 2 * DAY).date(), 7, 107),
        ((NOW + 3 * DAY).date(), -90, 17),
    ]


def test_only_the_newest_jobs_are_read_and_it_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make_domain(store, "shop")
    for number in range(4):
        make_job(store, shop, number, created_at=NOW + number * DAY, completed_at=NOW + number * DAY, created_count=1)
    monkeypatch.setattr(growth, "MAX_JOBS", 3)

    grown = by_hand.read(store, shop, growth.read_growth)

    assert not grown.is_whole
    assert [day.day for day in grown.days] == [(NOW + number * DAY).date() for number in (1, 2, 3)]


def test_a_change_that_was_made_for_another_revision_is_refused_with_the_profile_as_it_is(store: Store) -> None:
    make_domain(store, "shop")
    made = by_hand.create_profile(store, "shop", ProfileChange(values={"FirstName": "Ada"}), NOW)
    change = ProfileChange(values={"LastName": "King"})
    after = by_hand.update_profile(store, "shop", made.profile_id, change, NOW, only_revision=made.revision)

    with pytest.raises(ChangedMeanwhile) as refused:
        by_hand.update_profile(store, "shop", made.profile_id, change, NOW, only_revision=made.revision)

    assert refused.value.profile == after
    assert by_hand.get_profile(store, "shop", made.profile_id, NOW) == after


def test_the_fields_that_jobs_find_profiles_by_are_told(store: Store) -> None:
    shop, other = make_domain(store, "shop"), make_domain(store, "other")
    with store.write() as connection:
        connection.execute(
            insert(tables.indexed_field).values(domain_id=shop.domain_id, path="LastName", is_built=True)
        )

    assert by_hand.read(store, shop, domains.get_indexed_paths) == {"LastName"}
    assert by_hand.read(store, other, domains.get_indexed_paths) == frozenset()
