"""The profiles that a job has made, as a list in pages: read by their row numbers, whatever else the store holds."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

import by_hand
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.records import Domain, Profile
from openprofiles.ids import new_profile_id
from openprofiles.store import row_sequence
from openprofiles.store.connections import Store
from openprofiles.store.prepared import written_together
from openprofiles.store.profiles import delete_profiles, insert_profile, read_range
from openprofiles.uploads.made_profiles import list_made_profiles
from store.made_rows import NOW, make_domain, make_job

DAY = timedelta(days=1)
ROWS = 12
JOB_ID = f"{1:032x}"


@pytest.fixture
def domain(store: Store) -> Domain:
    return make_domain(store, "shop")


def make_profiles(store: Store, domain: Domain, count: int, expires_at: datetime = NOW + DAY) -> list[int]:
    """Profiles one after the other; their row numbers."""
    with store.write() as connection, written_together(connection) as writes:
        first = row_sequence.reserve(connection, count)
        pids = list(range(first, first + count))
        for pid in pids:
            insert_profile(
                writes,
                Profile(
                    pid=pid,
                    domain_id=domain.domain_id,
                    profile_id=new_profile_id(NOW, pid),
                    values={},
                    created_at=NOW,
                    updated_at=NOW,
                    expires_at=expires_at,
                ),
            )
    return pids


def pages(store: Store, domain: Domain, size: int = 5) -> list[list[int]]:
    found: list[list[int]] = []
    token = None
    while True:
        _, page = by_hand.read(store, domain, list_made_profiles, JOB_ID, max_results=size, next_token=token)
        found.append([one.pid for one in page.items])
        token = page.next_token
        if token is None:
            return found


def test_those_that_are_still_there_come_in_pages_and_nothing_else_does(store: Store, domain: Domain) -> None:
    make_profiles(store, domain, 3)
    made = make_profiles(store, domain, ROWS)
    make_profiles(store, make_domain(store, "other"), 3)
    make_profiles(store, domain, 3)
    make_job(store, domain, 1, pid_base=made[0] - 1, record_count=ROWS)

    assert pages(store, domain) == [made[:5], made[5:10], made[10:]]
    assert pages(store, domain, ROWS) == [made]

    # Most are deleted: a page skips them without reading them.
    with store.write() as connection:
        delete_profiles(connection, domain.domain_id, made[1:-2], NOW)
    assert pages(store, domain) == [[made[0], *made[-2:]]]
    with store.write() as connection:
        delete_profiles(connection, domain.domain_id, made, NOW)
    assert pages(store, domain) == [[]]


def test_a_page_looks_at_no_more_than_it_may_show_although_they_have_expired(store: Store, domain: Domain) -> None:
    expired = make_profiles(store, domain, 8, expires_at=NOW)
    there = make_profiles(store, domain, 4)
    make_job(store, domain, 1, pid_base=expired[0] - 1, record_count=ROWS)

    assert pages(store, domain) == [[], there[:2], there[2:]]
    with store.read() as connection:
        assert len(read_range(connection, domain.domain_id, 0, there[-1], limit=3)) == 3


def test_the_range_of_a_job_shows_no_profile_of_another_domain(store: Store, domain: Domain) -> None:
    other = make_profiles(store, make_domain(store, "other"), 2)
    make_job(store, domain, 1, pid_base=other[0] - 1, record_count=2)

    assert pages(store, domain) == [[]]


def test_a_job_that_has_not_begun_has_made_nothing(store: Store, domain: Domain) -> None:
    make_profiles(store, domain, 2)
    make_job(store, domain, 1, status="CREATED", completed_at=None)

    assert pages(store, domain) == [[]]


def test_what_is_no_job_or_no_token_is_refused(store: Store, domain: Domain) -> None:
    make_job(store, domain, 1, pid_base=0, record_count=2)

    with pytest.raises(NotFound):
        by_hand.read(store, domain, list_made_profiles, "0" * 32, max_results=5)
    with pytest.raises(InvalidRequest, match="NextToken"):
        by_hand.read(store, domain, list_made_profiles, JOB_ID, max_results=5, next_token="abc")
