"""SQL segments on every engine: counted and exported by jobs, with members from the last export."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import update

import by_hand
from by_hand import At
from openprofiles.errors import InvalidRequest
from openprofiles.facts.records import Domain
from openprofiles.job_kinds import KINDS
from openprofiles.objects.type_definitions import delete_object_type
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.segments import estimate_run, snapshot_run
from openprofiles.segments.definitions import GROUPS, create_segment
from openprofiles.segments.estimates import read_estimate, start_estimate
from openprofiles.segments.membership import known_since, list_members, read_memberships
from openprofiles.segments.snapshots import read_snapshot, start_snapshot
from openprofiles.segments.sql import query_run
from openprofiles.segments.sql.query_run import QueryFailed
from openprofiles.segments.subscriptions import associate_stream, put_subscription
from openprofiles.settings import Settings
from openprofiles.store import job_queue, tables
from openprofiles.store.connections import Store
from openprofiles.store.leased_jobs import Lease
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.removal import remove_expired_jobs
from openprofiles.store.segment_runs import SegmentRun
from store.made_rows import NOW, make_domain
from store.object_shop import ObjectShop

DAY = timedelta(days=1)
GOLD = "select profile_id from profile where attributes['tier'] = 'gold'"


@dataclass
class Shop:
    """A domain whose jobs are run when they are asked for."""

    store: Store
    domain: Domain
    settings: Settings
    now: datetime = NOW

    def create(self, name: str, **attributes: str) -> str:
        change = ProfileChange(values={"FirstName": name}, attributes=attributes)
        return by_hand.create_profile(self.store, self.domain.name, change, self.now).profile_id

    def define(self, name: str, body: Mapping[str, Any], **more: Any) -> None:
        At(self.now).write(self.store, self.domain, create_segment, name, {"DisplayName": name}, body, {}, **more)

    def count(self, query: str) -> SegmentRun:
        estimate_id = At(self.now).write(self.store, self.domain, start_estimate, {"SegmentSqlQuery": query})
        self.run_job()
        return At(self.now).read(self.store, self.domain, read_estimate, estimate_id)

    def export(self, name: str, data_format: str = "CSV") -> SegmentRun:
        assert self.settings.export_folder is not None
        request = {"DataFormat": data_format, "DestinationUri": self.settings.export_folder.as_uri()}
        snapshot_id = At(self.now).write(
            self.store,
            self.domain,
            start_snapshot,
            name,
            request,
            export_folder=self.settings.export_folder,
            strict=False,
        )
        self.run_job()
        return At(self.now).read(self.store, self.domain, read_snapshot, name, snapshot_id)

    def run_job(self) -> None:
        self.run_next()
        assert list(self.settings.scratch_folder.iterdir()) == []

    def run_next(self) -> None:
        with self.store.write() as connection:
            lease_until = self.now + timedelta(minutes=1)
            claimed = job_queue.claim_next_job(connection, owner="a", now=self.now, lease_until=lease_until)
        assert claimed is not None
        leased = LeasedStore(self.store, Lease(claimed.job_number, "a", claimed.epoch, claimed.kind))
        run = {"segment estimate": estimate_run.run, "segment snapshot": snapshot_run.run}[KINDS[claimed.kind].name]
        run(leased, self.settings, lambda: self.now)

    def exported(self, run: SegmentRun) -> list[str]:
        """Return the first names in an export."""
        assert self.settings.export_folder is not None
        (file,) = self.settings.export_folder.glob(f"*/{run.job_id}/part-00000.csv")
        return [line.split(",")[1].strip('"') for line in file.read_text().splitlines()[1:]]

    def members(self, name: str) -> list[str]:
        return At(self.now).read(self.store, self.domain, list_members, name, max_results=100).profile_ids


@pytest.fixture
def shop(store: Store, tmp_path: Path) -> Shop:
    settings = Settings(data_folder=tmp_path, export_folder=tmp_path / "exports")
    settings.scratch_folder.mkdir(parents=True, exist_ok=True)
    make_domain(store, "other")
    return Shop(store, make_domain(store, "shop"), settings)


def refusal(shop: Shop, query: str, **more: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        shop.define("refused", {"SegmentSqlQuery": query}, **more)
    return str(caught.value)


def run_here(monkeypatch: pytest.MonkeyPatch, before: Callable[[], object] = lambda: None) -> None:
    """Run queries in this process, which takes a tenth of the time; something happens before each."""

    def run(folder: Path, query: str, **_: Any) -> bytes:
        before()
        with duckdb.connect(str(folder / "tables.duckdb"), read_only=True) as connection:
            rows = connection.execute(query).fetchall()
        return b"".join(number.to_bytes(8, "little") for (number,) in rows)

    monkeypatch.setattr(query_run, "_run", run)


def test_a_query_counts_only_living_profiles_of_its_domain_each_once(shop: Shop) -> None:
    ann, bob = shop.create("Ann", tier="gold", visits="12"), shop.create("Bob", tier="basic", visits="3")
    change = ProfileChange(values={"FirstName": "Zoe"}, attributes={"tier": "gold"})
    other = by_hand.create_profile(shop.store, "other", change, NOW)

    everybody = shop.count("select profile_id from profile")
    assert (everybody.status, everybody.member_count, everybody.profile_count) == ("SUCCEEDED", 2, 2)
    assert shop.count(GOLD).member_count == 1
    assert shop.count("select profile_id from profile where attributes.visits > 9").member_count == 1
    assert shop.count("select a.profile_id from profile a, profile b").member_count == 2
    assert shop.count("select profile_id from profile where attributes['Tier'] is null").member_count == 2
    both = "select profile_id from profile where attributes['Tier'] = 'gold' or attributes['tier'] = 'gold'"
    assert shop.count(both).member_count == 1
    # Ids that are written down are of the domain, or of nobody.
    written = f"select '{other.profile_id}' as profile_id from profile union select '{ann}' from profile"
    assert shop.count(written).member_count == 1
    assert shop.count("select first_name as profile_id from profile").member_count == 0
    shop.now = NOW + 1_000 * DAY
    assert shop.count("select profile_id from profile").member_count == 0
    assert bob


def test_objects_are_tables_that_can_be_joined(shop: Shop) -> None:
    objects = ObjectShop(shop.store, shop.domain)
    objects.define("Crm")
    for number, first in ((1, "Ada"), (2, "Bob"), (1, "Augusta")):
        objects.put("Crm", {"id": str(number), "first": first})
    objects.put("Crm", {"id": "3", "first": "Cleo"})

    joined = "select p.profile_id from profile p join crm o on o.profile_id = p.profile_id where o.first {}"
    assert shop.count(joined.format("like 'A%'")).member_count == 1
    assert shop.count(joined.format("in ('Bob', 'Cleo')")).member_count == 2
    aggregated = "select profile_id from crm group by profile_id having count(*) >= 1 and max(updated_at) <= now()"
    assert shop.count(aggregated).member_count == 3


def test_the_last_export_says_who_the_members_are(shop: Shop) -> None:
    ann, bob = shop.create("Ann", tier="gold"), shop.create("Bob", tier="basic")
    shop.define("sql", {"SegmentSqlQuery": GOLD})
    with pytest.raises(InvalidRequest, match="has no snapshot of the last year"):
        At(shop.now).read(shop.store, shop.domain, read_memberships, "sql", [ann])

    first = shop.export("sql")
    assert (first.status, first.member_count, shop.exported(first)) == ("SUCCEEDED", 1, ["Ann"])
    shop.now = NOW + DAY
    by_hand.update_profile(
        shop.store, shop.domain.name, ann, ProfileChange(values={}, attributes={"tier": "basic"}), shop.now
    )
    by_hand.update_profile(
        shop.store, shop.domain.name, bob, ProfileChange(values={}, attributes={"tier": "gold"}), shop.now
    )

    def found() -> list[bool]:
        memberships = At(shop.now).read(shop.store, shop.domain, read_memberships, "sql", [ann, bob])
        return [one.is_member for one in memberships]

    assert (found(), shop.members("sql")) == ([True, False], [ann])
    assert At(shop.now).read(shop.store, shop.domain, known_since, "sql") == NOW
    # Another segment can build on it.
    of_sql = {"SourceSegments": [{"SegmentDefinitionName": "sql"}]}
    shop.define("not-sql", {GROUPS: {"Groups": [of_sql], "Include": "NONE"}})
    assert shop.members("not-sql") == [bob]

    second = shop.export("sql")
    assert (found(), shop.exported(second)) == ([False, True], ["Bob"])
    shop.now = NOW + 367 * DAY
    with pytest.raises(InvalidRequest, match="has no snapshot of the last year"):
        shop.members("sql")


def test_an_export_of_any_segment_can_be_compared_with_another(shop: Shop) -> None:
    ann = shop.create("Ann", tier="gold")
    shop.define("gold", {GROUPS: {"Groups": [{"Dimensions": [having("tier", "gold")]}]}})
    before = shop.export("gold")
    bob = shop.create("Bob", tier="gold")
    after = shop.export("gold")

    by_before, by_after = (having("_openprofiles.exported_by_snapshot", one.job_id) for one in (before, after))
    groups = [{"Dimensions": [by_after]}, {"Dimensions": [by_before], "Type": "NONE"}]
    shop.define("joined", {GROUPS: {"Groups": groups}})
    assert shop.members("joined") == [bob]
    shop.define("stayed", {GROUPS: {"Groups": [{"Dimensions": [by_after, by_before]}]}})
    assert shop.members("stayed") == [ann]
    absent = having("_openprofiles.exported_by_snapshot", "f" * 32)
    with pytest.raises(InvalidRequest, match="there is no snapshot"):
        shop.define("x", {GROUPS: {"Groups": [{"Dimensions": [absent]}]}})

    # The sets go with their jobs.
    with shop.store.write() as connection:
        long_ago = update(tables.job).where(tables.job.c.job_id == before.job_id)
        connection.execute(long_ago.values(completed_at=NOW - 400 * DAY))
        remove_expired_jobs(connection, NOW)
        owners = connection.execute(tables.profile_set.select()).all()
    assert [one.number for one in owners] == [after.job_number]


def having(name: str, *values: str) -> dict[str, Any]:
    return {"ProfileAttributes": {"Attributes": {name: {"DimensionType": "INCLUSIVE", "Values": list(values)}}}}


def test_an_sql_segment_is_refused_where_it_cannot_be(shop: Shop) -> None:
    assert "There is no table orders." in refusal(shop, "select profile_id from orders")
    assert "needs the data store of the domain" in refusal(shop, GOLD, strict=True)
    shop.define("sql", {"SegmentSqlQuery": GOLD})
    stream = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
    by_hand.write(shop.store, shop.domain, associate_stream, stream, "arn:aws:iam::000000000000:role/r")
    with pytest.raises(InvalidRequest, match="an SQL segment, which cannot be followed"):
        by_hand.write(shop.store, shop.domain, put_subscription, "sql", interval_hours=None)


def test_a_query_whose_table_is_gone_fails_with_the_reason(shop: Shop) -> None:
    objects = ObjectShop(shop.store, shop.domain)
    objects.define("Crm")
    estimate_id = by_hand.write(
        shop.store, shop.domain, start_estimate, {"SegmentSqlQuery": "select profile_id from crm"}
    )
    by_hand.write(shop.store, shop.domain, delete_object_type, "Crm")
    shop.run_job()

    found = by_hand.read(shop.store, shop.domain, read_estimate, estimate_id)
    assert (found.status, found.failure_message) == (
        "FAILED",
        "SegmentSqlQuery: There is no table crm. Tables: profile. (line 1, column 24)",
    )


def test_expired_profiles_and_objects_are_not_in_the_tables(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    run_here(monkeypatch)
    objects = ObjectShop(shop.store, shop.domain)
    objects.define("Crm")
    objects.put("Crm", {"id": "1", "mail": "ada@x.org"})
    objects.put("Crm", {"id": "2", "mail": "bob@x.org"})
    objects.later(days=20)
    # It keeps the profile, and not the first object of it.
    objects.put("Crm", {"id": "3", "mail": "ada@x.org"})
    numbers = "(select count(*) from profile) = {} and (select count(*) from crm) = {}"

    found = []
    for days, profiles, of_type in ((20, 2, 3), (31, 1, 1)):
        shop.now = NOW + timedelta(days=days)
        found.append(shop.count(f"select profile_id from profile where {numbers.format(profiles, of_type)}"))

    assert [one.member_count for one in found] == [2, 1]


def test_queries_of_two_domains_at_once_see_only_the_tables_of_their_own(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Shop(shop.store, by_hand.get_domain(shop.store, "other"), shop.settings)
    for one, names in ((shop, ("Ann", "Bob")), (other, ("Zoe",))):
        objects = ObjectShop(one.store, one.domain)
        objects.define("Crm")
        for number, name in enumerate(names):
            objects.put("Crm", {"id": str(number), "first": name})
    ObjectShop(other.store, other.domain).define("Secret")
    query = {"SegmentSqlQuery": "select profile_id from profile where (select count(*) from crm) < 3"}
    estimates = [(one, At(NOW).write(one.store, one.domain, start_estimate, query)) for one in (shop, other)]
    # The other one is counted from its beginning to its end while this one runs.
    others: Iterator[Callable[[], object]] = iter([other.run_next, lambda: None])
    run_here(monkeypatch, lambda: next(others)())

    shop.run_next()

    runs = [At(NOW).read(one.store, one.domain, read_estimate, estimate_id) for one, estimate_id in estimates]
    assert [(one.status, one.member_count, one.profile_count) for one in runs] == [
        ("SUCCEEDED", 2, 2), ("SUCCEEDED", 1, 1)
    ]  # fmt: skip
    assert list(shop.settings.scratch_folder.iterdir()) == []
    assert "There is no table secret. Tables: profile, crm." in refusal(shop, "select profile_id from secret")


def test_a_query_that_takes_too_much_fails_alone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.create("Ann")

    def fail() -> None:
        raise QueryFailed("The query needed more than 1 GB of memory.")

    outcomes: Iterator[Callable[[], object]] = iter([fail, lambda: None])
    run_here(monkeypatch, lambda: next(outcomes)())
    failed, counted = (shop.count("select profile_id from profile") for _ in range(2))

    assert (failed.status, failed.failure_message) == ("FAILED", "The query needed more than 1 GB of memory.")
    assert (failed.member_count, counted.status, counted.member_count) == (None, "SUCCEEDED", 1)
