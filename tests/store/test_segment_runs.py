"""Estimates and exports of segments as jobs: what they count, how they end, and how long they are kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import by_hand
from by_hand import At
from openprofiles.errors import Busy, NotFound
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.segments.definitions import GROUPS
from openprofiles.segments.estimates import estimate_status, read_estimate, start_estimate
from openprofiles.segments.membership import known_since, read_memberships
from openprofiles.segments.snapshots import read_snapshot, start_snapshot
from openprofiles.settings import Settings
from openprofiles.store import job_queue
from openprofiles.store.connections import Store
from openprofiles.store.removal import remove_expired_jobs
from openprofiles.store.segment_rows import count_members
from openprofiles.store.segment_runs import SegmentRun
from store.made_rows import NOW, insert_job, make_domain
from store.test_segments import GOLD, group, groups
from store.test_sql_segments import Shop

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
OF_GOLD = groups(group(GOLD))


@pytest.fixture
def shop(store: Store, tmp_path: Path) -> Shop:
    settings = Settings(data_folder=tmp_path, export_folder=tmp_path / "exports")
    settings.scratch_folder.mkdir(parents=True, exist_ok=True)
    return Shop(store, make_domain(store, "shop"), settings)


def start(shop: Shop, query: Any = OF_GOLD) -> str:
    return At(shop.now).write(shop.store, shop.domain, start_estimate, {"SegmentQuery": query})


def find(shop: Shop, estimate_id: str) -> SegmentRun:
    return At(shop.now).read(shop.store, shop.domain, read_estimate, estimate_id)


def count(shop: Shop, query: Any = OF_GOLD) -> SegmentRun:
    estimate_id = start(shop, query)
    shop.run_job()
    return find(shop, estimate_id)


def presence(shop: Shop, name: str, *profile_ids: str) -> list[bool | None]:
    """Return for each profile whether it is a member of a segment; None: there is no such profile."""
    found = At(shop.now).read(shop.store, shop.domain, read_memberships, name, profile_ids)
    return [one.is_member if one.profile else None for one in found]


def test_an_estimate_of_nobody_succeeds(shop: Shop) -> None:
    shop.create("Ann", tier="gold")

    sentinel = {"ID": {"DimensionType": "INCLUSIVE", "Values": ["__no_records__"]}}
    found = count(shop, groups(group({"ProfileAttributes": {"Attributes": sentinel}})))

    assert (estimate_status(found), found.member_count, found.profile_count) == ("SUCCEEDED", 0, 1)


def test_expired_profiles_that_are_not_yet_removed_are_neither_counted_nor_exported_nor_found(shop: Shop) -> None:
    ann = shop.create("Ann", tier="gold")
    shop.now += 10 * DAY
    bob = shop.create("Bob", tier="gold")
    shop.define("gold", {GROUPS: OF_GOLD})
    assert presence(shop, "gold", ann, bob) == [True, True]

    shop.now = NOW + 31 * DAY

    counted, exported = count(shop), shop.export("gold")
    assert (counted.member_count, counted.profile_count) == (1, 1)
    assert (exported.member_count, exported.profile_count, shop.exported(exported)) == (1, 1, ["Bob"])
    assert presence(shop, "gold", ann, bob) == [None, True]


def test_an_estimate_is_of_one_state_while_profiles_are_created(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.create("Ann", tier="gold")

    def count_then_create(*arguments: Any) -> int:
        found = count_members(*arguments)
        shop.create("Bob", tier="gold")
        return found

    monkeypatch.setattr("openprofiles.segments.estimate_run.count_members", count_then_create)
    during = count(shop)

    # Two were created meanwhile.
    assert (during.member_count, during.profile_count) == (1, 1)
    monkeypatch.undo()
    assert count(shop).member_count == 3


def test_estimates_that_were_requested_at_once_all_end(shop: Shop) -> None:
    shop.create("Ann", tier="gold")
    shop.create("Bob", tier="basic")
    ids = [start(shop, OF_GOLD if number % 2 else groups()) for number in range(20)]

    for _ in ids:
        shop.run_job()

    assert [find(shop, one).member_count for one in ids] == [2, 1] * 10


def test_an_estimate_is_kept_for_a_day_after_its_end(shop: Shop) -> None:
    estimate_id = count(shop).job_id

    def remove(after: timedelta) -> None:
        with shop.store.write() as connection:
            remove_expired_jobs(connection, NOW + after)

    remove(DAY)
    assert find(shop, estimate_id).status == "SUCCEEDED"
    remove(DAY + MINUTE)
    with pytest.raises(NotFound, match="Estimates are kept for a day"):
        find(shop, estimate_id)


def test_an_estimate_whose_worker_was_killed_is_counted_by_another_one(shop: Shop) -> None:
    shop.create("Ann", tier="gold")
    estimate_id = start(shop)

    def claim() -> bool:
        with shop.store.write() as connection:
            return bool(
                job_queue.claim_next_job(connection, owner="killed", now=shop.now, lease_until=shop.now + MINUTE)
            )

    assert [claim(), claim()] == [True, False]
    assert estimate_status(find(shop, estimate_id)) == "RUNNING"
    shop.now += 2 * MINUTE
    shop.run_job()

    found = find(shop, estimate_id)
    assert (estimate_status(found), found.member_count, found.as_of) == ("SUCCEEDED", 1, shop.now)


def test_a_classic_segment_has_the_members_of_now_whatever_was_exported(shop: Shop) -> None:
    ann = shop.create("Ann", tier="gold")
    shop.define("gold", {GROUPS: OF_GOLD})
    shop.export("gold")

    shop.now += DAY
    change = ProfileChange(values={}, attributes={"tier": "basic"})
    by_hand.update_profile(shop.store, shop.domain.name, ann, change, shop.now)

    assert presence(shop, "gold", ann) == [False]
    assert At(shop.now).read(shop.store, shop.domain, known_since, "gold") == shop.now


def test_with_the_limits_of_aws_a_domain_has_two_hundred_exports_a_day(shop: Shop) -> None:
    shop.define("gold", {GROUPS: OF_GOLD})
    with shop.store.write() as connection:
        for number in range(199):
            insert_job(connection, shop.domain.domain_id, f"{number:032x}", kind="segment snapshot", request={})

    def export(*, strict: bool = True) -> str:
        request = {"DataFormat": "CSV", "DestinationUri": "s3://bucket"}
        at = At(shop.now)
        return at.write(shop.store, shop.domain, start_snapshot, "gold", request, export_folder=None, strict=strict)

    last = export()

    with pytest.raises(Busy, match="A domain can have 200 snapshots a day"):
        export()
    assert export(strict=False)
    found = by_hand.read(shop.store, shop.domain, read_snapshot, "gold", last)
    assert found.status == "IN_PROGRESS"
    shop.now += DAY
    assert export()
