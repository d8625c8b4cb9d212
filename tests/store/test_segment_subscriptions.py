"""Subscriptions to segments: each profile that joins or leaves becomes one event, on every engine."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select

import budgets
import by_hand
from by_hand import At
from openprofiles.calculated.definitions import create_calculated
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.records import Domain
from openprofiles.feed_kinds import FEEDS, SEGMENT_STREAM, SEGMENT_SUBSCRIPTION
from openprofiles.master_key import MasterKey
from openprofiles.profiles.profiles import ProfileChange, remove_expired_profiles_step
from openprofiles.segments import membership_changes, subscriptions
from openprofiles.segments.definitions import GROUPS, create_segment, delete_segment
from openprofiles.settings import Settings
from openprofiles.store.connections import Store
from openprofiles.store.feeds import LEASE, HeldFeed, begin_feed, claim_feed
from openprofiles.store.profile_sets import SetOwner, set_members
from openprofiles.store.segment_events import remove_old_events_step
from openprofiles.store.segment_subscriptions import Subscription, list_subscriptions
from openprofiles.store.subscription_states import SubscriptionStatus
from openprofiles.store.tables import profile_change, removed_profile, segment_event
from openprofiles.uploads.webhooks import put_webhook
from openprofiles.worker import segment_changes, segment_deliveries
from openprofiles.worker.feeds import FeedFailed, FeedLost, Feeds, FeedWork
from openprofiles.worker.webhook_post import DeliveryFailed
from store.made_rows import NOW, make_domain
from store.object_shop import ObjectShop

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
KINESIS = "arn:aws:kinesis:us-east-1:000000000000:stream/segments"
ROLE = "arn:aws:iam::000000000000:role/segments"
GOLD = {"tier": "gold"}


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Shop:
    """A domain whose segments are followed by a worker that acts when it is asked to."""

    store: Store
    domain: Domain
    clock: Clock
    worker: Feeds

    @property
    def at(self) -> At:
        return At(self.clock.now)

    def define(self, name: str, groups: Mapping[str, Any]) -> None:
        self.at.write(self.store, self.domain, create_segment, name, {"DisplayName": name}, {GROUPS: groups}, {})

    def subscribe(self, name: str = "gold", hours: int | None = None) -> Subscription:
        return self.at.write(self.store, self.domain, subscriptions.put_subscription, name, interval_hours=hours)

    def subscription(self, name: str = "gold") -> Subscription:
        return self.at.read(self.store, self.domain, subscriptions.get_subscription, name)

    def follow(self) -> None:
        """Let the worker act until nothing is left to do."""
        while self.worker.act_next():
            pass

    def create(self, attributes: Mapping[str, str]) -> str:
        change = ProfileChange(values={}, attributes=attributes)
        return by_hand.create_profile(self.store, self.domain.name, change, self.clock.now).profile_id

    def update(self, profile_id: str, attributes: Mapping[str, str]) -> None:
        change = ProfileChange(values={}, attributes=attributes)
        by_hand.update_profile(self.store, self.domain.name, profile_id, change, self.clock.now)

    def delete(self, profile_id: str) -> None:
        by_hand.delete_profile(self.store, self.domain.name, profile_id, self.clock.now)

    def events(self, name: str = "gold") -> list[tuple[str, str, str]]:
        """List the events of a segment, the oldest first."""
        listed: list[tuple[str, str, str]] = []
        token = None
        while True:
            page = self.at.read(
                self.store,
                self.domain,
                subscriptions.list_subscription_events,
                name,
                max_results=2,
                next_token=token,
            )
            listed += [
                (one.profile_id, "JOINED" if one.has_joined else "LEFT", "LIVE" if one.is_live else "SCHEDULE")
                for one in page.events
            ]
            token = page.next_token
            if token is None:
                return listed[::-1]

    def known(self) -> set[int]:
        """Return the row numbers that are known to be members of the only subscription."""
        with self.store.read() as connection:
            (one,) = list_subscriptions(connection, self.domain.domain_id)
            return set(set_members(connection, self.domain.domain_id, SetOwner.SUBSCRIPTION, one.definition_id))


_numbers = itertools.count(1)


def open_shop(store: Store) -> Shop:
    clock = Clock()
    domain = make_domain(store, f"shop-{next(_numbers)}")
    worker = Feeds(FeedWork(Settings(data_folder=Path("not-used")), store, MasterKey(bytes(32)), clock), "a")
    made = Shop(store, domain, clock, worker)
    made.define("gold", having("tier", "INCLUSIVE", "gold"))
    return made


def follow_from_the_start(shop: Shop) -> Shop:
    associate(shop)
    shop.subscribe()
    shop.follow()
    return shop


@pytest.fixture
def shop(store: Store) -> Shop:
    return open_shop(store)


@pytest.fixture(autouse=True)
def no_deliveries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the feeds of streams, which tests/acceptance has, and the rest between two acts."""
    monkeypatch.delitem(FEEDS, SEGMENT_STREAM.name)
    without_rest = dataclasses.replace(SEGMENT_SUBSCRIPTION, rest=timedelta(0))
    monkeypatch.setitem(FEEDS, SEGMENT_SUBSCRIPTION.name, without_rest)


@pytest.fixture
def followed(shop: Shop) -> Shop:
    return follow_from_the_start(shop)


def associate(shop: Shop, destination: str = KINESIS) -> None:
    shop.at.write(shop.store, shop.domain, subscriptions.associate_stream, destination, ROLE)


def having(name: str, operator: str, *values: str) -> dict[str, Any]:
    test = {"Attributes": {name: {"DimensionType": operator, "Values": list(values)}}}
    return {"Groups": [{"Dimensions": [{"ProfileAttributes": test}]}]}


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(InvalidRequest) as caught:
        call()
    return str(caught.value)


def test_the_members_at_the_start_are_known_without_events(shop: Shop) -> None:
    gold = [shop.create(GOLD) for _ in range(3)]
    shop.create({"tier": "basic"})
    associate(shop)

    put = shop.subscribe()
    shop.follow()

    found = shop.subscription()
    assert (put.status, found.status, found.interval_hours) == ("STARTING", "RUNNING", 24)
    assert (found.started_at, found.last_at, found.next_at) == (NOW, None, NOW + DAY)
    assert (len(shop.known()), shop.events()) == (len(gold), [])


def test_profiles_that_join_and_leave_become_events_once(followed: Shop) -> None:
    shop = followed
    ann = shop.create(GOLD)
    bob = shop.create({"tier": "basic"})
    shop.follow()
    shop.follow()
    shop.update(bob, {"tier": "gold"})
    # Its membership stays.
    shop.update(ann, {"visits": "2"})
    shop.follow()
    shop.update(ann, {"tier": "basic"})
    shop.follow()

    assert shop.events() == [(ann, "JOINED", "LIVE"), (bob, "JOINED", "LIVE"), (ann, "LEFT", "LIVE")]


def test_a_profile_that_joins_and_leaves_between_two_looks_makes_no_event(followed: Shop) -> None:
    ann = followed.create(GOLD)
    followed.update(ann, {"tier": "basic"})
    followed.follow()

    assert followed.events() == []


def test_a_profile_changed_while_a_subscription_starts_is_known_or_becomes_an_event(shop: Shop) -> None:
    associate(shop)
    shop.subscribe()
    ann = shop.create(GOLD)
    shop.follow()

    assert (len(shop.known()), shop.events()) == (1, [])
    shop.update(ann, {"tier": "basic"})
    shop.follow()
    assert shop.events() == [(ann, "LEFT", "LIVE")]


def test_deleted_and_expired_profiles_leave_with_their_ids(followed: Shop) -> None:
    shop = followed
    ann, bob = shop.create(GOLD), shop.create(GOLD)
    shop.follow()
    shop.delete(ann)
    shop.follow()
    shop.clock.now = NOW + 1_000 * DAY
    with shop.store.write() as connection:
        remove_expired_profiles_step(connection, shop.clock.now, 10)
    shop.follow()

    left = shop.events()[2:]
    assert left[0] == (ann, "LEFT", "LIVE")
    assert left[1][:2] == (bob, "LEFT")
    assert shop.known() == set()


def test_an_expired_profile_that_is_still_there_leaves_at_the_next_look_at_all(followed: Shop) -> None:
    shop = followed
    ann = shop.create(GOLD)
    shop.follow()
    shop.clock.now = NOW + 1_000 * DAY
    shop.follow()

    assert shop.events() == [(ann, "JOINED", "LIVE"), (ann, "LEFT", "SCHEDULE")]


def test_ids_of_removed_profiles_are_kept_only_where_a_segment_is_followed_and_for_30_days(followed: Shop) -> None:
    shop = followed
    other = make_domain(shop.store, "other")
    change = ProfileChange(values={}, attributes=GOLD)
    elsewhere = by_hand.create_profile(shop.store, "other", change, NOW)
    by_hand.delete_profile(shop.store, "other", elsewhere.profile_id, NOW)
    shop.delete(shop.create(GOLD))

    def kept() -> list[int]:
        with shop.store.read() as connection:
            return list(connection.execute(select(removed_profile.c.domain_id)).scalars())

    assert (kept(), other.domain_id in kept()) == ([shop.domain.domain_id], False)
    with shop.store.write() as connection:
        assert remove_old_events_step(connection, NOW + 29 * DAY, 10) == 0
        assert remove_old_events_step(connection, NOW + 31 * DAY, 10) == 1
    assert kept() == []


def test_what_time_alone_changes_is_found_when_all_profiles_are_looked_at(shop: Shop) -> None:
    shop.define("recent", having("joined", "BETWEEN", "now-2d"))
    ann = shop.create({"joined": "2026-05-28T00:00:00Z"})
    shop.clock.now = datetime.fromisoformat("2026-05-29T00:00:00+00:00")
    associate(shop)
    shop.subscribe("recent", hours=6)
    shop.follow()
    assert len(shop.known()) == 1
    shop.clock.now += 3 * DAY
    shop.follow()

    found = shop.subscription("recent")
    assert shop.events("recent") == [(ann, "LEFT", "SCHEDULE")]
    assert (found.last_at, found.next_at) == (shop.clock.now, shop.clock.now + 6 * HOUR)


def test_a_look_at_all_profiles_goes_on_where_it_stopped(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_changes, "_SCANNED_AT_ONCE", 2)
    # Each act looks at one piece.
    monkeypatch.setattr(segment_changes, "_SECONDS_AT_A_TIME", -1.0)
    gold = [shop.create(GOLD) for _ in range(7)]
    associate(shop)
    shop.subscribe()
    acts = 0
    while shop.subscription().status == "STARTING":
        assert shop.worker.act_next()
        acts += 1

    assert acts > len(gold) // 2
    assert (len(shop.known()), shop.events()) == (7, [])


def test_a_log_that_was_not_kept_for_so_long_is_made_up_for_by_a_look_at_all_profiles(followed: Shop) -> None:
    shop = followed
    ann = shop.create(GOLD)
    bob = shop.create(GOLD)
    with shop.store.write() as connection:
        first = connection.execute(select(profile_change.c.number).order_by(profile_change.c.number)).scalars().first()
        connection.execute(delete(profile_change).where(profile_change.c.number == first))
    shop.follow()

    assert sorted(shop.events()) == sorted([(ann, "JOINED", "SCHEDULE"), (bob, "JOINED", "SCHEDULE")])


def test_a_worker_whose_lease_was_lost_writes_no_event(followed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = followed
    ann = shop.create(GOLD)
    find = membership_changes.find_changes

    def find_and_lose(*arguments: Any) -> Any:
        found = find(*arguments)
        shop.clock.now += LEASE
        with shop.store.write() as connection:
            assert claim_feed(connection, owner="b", now=shop.clock.now) is not None
        return found

    monkeypatch.setattr("openprofiles.worker.segment_changes.find_changes", find_and_lose)
    assert shop.worker.act_next()
    assert (shop.events(), shop.known()) == ([], set())

    monkeypatch.setattr("openprofiles.worker.segment_changes.find_changes", find)
    for _ in range(2):
        # The second worker has died, and there is a pause after that.
        shop.clock.now += 2 * LEASE
        shop.follow()
    assert shop.events() == [(ann, "JOINED", "LIVE")]


def test_a_segment_whose_source_was_deleted_fails_with_the_reason_and_starts_anew_when_it_is_put_again(
    shop: Shop,
) -> None:
    shop.define("vip", {"Groups": [{"SourceSegments": [{"SegmentDefinitionName": "gold"}]}]})
    associate(shop)
    shop.subscribe("vip")
    shop.follow()
    shop.at.write(shop.store, shop.domain, delete_segment, "gold")
    shop.create(GOLD)
    shop.follow()

    found = shop.subscription("vip")
    assert found.status == "FAILED"
    assert "uses segment definition gold, which does not exist" in (found.message or "")
    assert "gold, which does not exist" in refusal(lambda: shop.subscribe("vip"))

    shop.define("gold", having("tier", "INCLUSIVE", "gold"))
    shop.clock.now += HOUR
    assert shop.subscribe("vip").started_at == shop.clock.now
    shop.follow()
    again = shop.subscription("vip")
    assert (again.status, again.message, shop.events("vip"), len(shop.known())) == ("RUNNING", None, [], 1)


def test_a_stream_is_needed_and_only_one_and_its_end_stops_all_subscriptions(shop: Shop) -> None:
    assert "has no stream for segments" in refusal(shop.subscribe)
    with pytest.raises(NotFound, match="has no stream"):
        shop.at.read(shop.store, shop.domain, subscriptions.get_stream)
    associate(shop)
    assert "already has a stream" in refusal(lambda: associate(shop))
    shop.subscribe()
    shop.follow()
    shop.at.write(shop.store, shop.domain, subscriptions.disassociate_stream)
    shop.create(GOLD)
    shop.follow()

    stopped = shop.subscription()
    assert (stopped.status, shop.events(), shop.known()) == ("STOPPED", [], set())
    assert shop.at.read(shop.store, shop.domain, subscriptions.get_stream).disassociated_at == NOW
    with pytest.raises(NotFound, match="no associated stream"):
        shop.at.write(shop.store, shop.domain, subscriptions.disassociate_stream)
    assert "has no stream for segments" in refusal(shop.subscribe)

    # It starts anew, without events for what came in between.
    associate(shop)
    shop.subscribe()
    shop.follow()
    assert (shop.subscription().status, shop.events(), len(shop.known())) == ("RUNNING", [], 1)


def test_putting_a_subscription_again_changes_only_its_interval(followed: Shop) -> None:
    followed.clock.now += HOUR
    put = followed.subscribe(hours=2)

    assert (put.status, put.started_at, put.interval_hours) == ("RUNNING", NOW, 2)
    assert (put.next_at, put.updated_at) == (NOW + 2 * HOUR, NOW + HOUR)
    assert followed.subscribe().interval_hours == 2


def test_a_domain_has_at_most_ten_subscriptions(followed: Shop) -> None:
    for number in range(10):
        followed.define(f"s{number}", {"Groups": []})
    for number in range(9):
        followed.subscribe(f"s{number}")

    assert "has 10 subscriptions to segments; at most 10" in refusal(lambda: followed.subscribe("s9"))
    followed.at.write(followed.store, followed.domain, subscriptions.delete_subscription, "s0")
    assert followed.subscribe("s9").status is SubscriptionStatus.STARTING


def test_events_outlive_their_subscription_for_30_days_and_go_with_their_segment(followed: Shop) -> None:
    shop = followed
    ann = shop.create(GOLD)
    shop.follow()
    shop.at.write(shop.store, shop.domain, subscriptions.delete_subscription, "gold")
    shop.update(ann, {"tier": "basic"})
    shop.follow()
    with pytest.raises(NotFound, match="has no subscription"):
        shop.subscription()
    assert shop.events() == [(ann, "JOINED", "LIVE")]

    with shop.store.write() as connection:
        assert remove_old_events_step(connection, NOW + 29 * DAY, 10) == 0
        assert remove_old_events_step(connection, NOW + 31 * DAY, 10) == 1
    with pytest.raises(NotFound, match="has no subscription"):
        shop.events()


def test_a_deleted_segment_takes_its_subscription_along_without_events(followed: Shop) -> None:
    shop = followed
    shop.create(GOLD)
    shop.follow()
    shop.at.write(shop.store, shop.domain, delete_segment, "gold")
    shop.follow()

    assert shop.at.read(shop.store, shop.domain, subscriptions.list_followed_segments) == []
    with shop.store.read() as connection:
        assert list_subscriptions(connection, shop.domain.domain_id) == []
        assert len(connection.execute(select(segment_event)).all()) == 1
    shop.define("gold", having("tier", "INCLUSIVE", "gold"))
    with pytest.raises(NotFound, match="has no subscription"):
        shop.events()


def test_an_event_names_the_one_of_its_profile_before(followed: Shop) -> None:
    ann = followed.create(GOLD)
    followed.follow()
    followed.clock.now += HOUR
    followed.update(ann, {"tier": "basic"})
    followed.follow()

    with followed.store.read() as connection:
        times = connection.execute(
            select(segment_event.c.at, segment_event.c.previous_at).order_by(segment_event.c.number)
        ).all()
    assert [tuple(one) for one in times] == [(NOW, None), (NOW + HOUR, NOW)]


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ("arn:aws:sqs:us-east-1:000000000000:queue", "must be the ARN of a Kinesis data stream"),
        ("arn:aws:kinesis:us-east-1:000000000000:stream/", "must be the ARN of a Kinesis data stream"),
        ("file:///tmp/x", "must be the ARN of a Kinesis data stream"),
        ("https://127.0.0.1/hook", "does not have a public IP address"),
        ("https://user@example.com/", "must not contain a user or password"),
    ],
)
def test_a_destination_is_a_kinesis_stream_or_an_allowed_url(destination: str, message: str) -> None:
    found = refusal(lambda: subscriptions.check_stream_destination(destination, private_addresses=False))
    assert message in found


def test_a_url_needs_the_secret_of_the_domains_webhook(shop: Shop) -> None:
    url = "https://example.com/hook"
    assert "no webhook secret" in refusal(lambda: associate(shop, url))
    shop.at.write(shop.store, shop.domain, put_webhook, MasterKey(bytes(32)), url=None, secret="x" * 32)
    associate(shop, url)
    assert shop.at.read(shop.store, shop.domain, subscriptions.get_stream).destination == url


def test_an_interval_that_is_changed_during_a_look_at_all_profiles_holds_from_then_on(
    followed: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, find = followed, membership_changes.find_changes

    def find_and_change(*arguments: Any) -> Any:
        shop.subscribe(hours=1)
        return find(*arguments)

    monkeypatch.setattr("openprofiles.worker.segment_changes.find_changes", find_and_change)
    shop.clock.now += DAY
    shop.worker.act_next()

    assert (shop.subscription().last_at, shop.subscription().next_at) == (shop.clock.now, shop.clock.now + HOUR)


class Destination:
    """Takes so many records of each request, and notes them; something happens with each."""

    def __init__(self, taken: Sequence[int], then: Callable[[], object] = lambda: None) -> None:
        self._taken = iter(taken)
        self._then = then
        self.requests: list[list[str]] = []
        self.records: list[Mapping[str, Any]] = []

    def probe(self) -> None:
        pass

    def send(self, records: Sequence[Mapping[str, Any]]) -> int:
        self.requests.append([str(one["OperationType"]) for one in records])
        self.records += records
        self._then()
        return next(self._taken)


def deliver(shop: Shop, destination: Destination, monkeypatch: pytest.MonkeyPatch) -> int:
    """Deliver the events of a domain with one act of the reader."""
    monkeypatch.setattr(segment_deliveries, "_open", lambda *_: destination)
    with shop.store.write() as connection:
        begin_feed(
            connection,
            SEGMENT_STREAM,
            shop.domain.domain_id,
            domain_id=shop.domain.domain_id,
            number=0,
            now=NOW,
        )
    held = HeldFeed(SEGMENT_STREAM.name, shop.domain.domain_id, shop.domain.domain_id, None, 0, epoch=1, attempts=1)
    return segment_deliveries.deliver_events(
        FeedWork(Settings(data_folder=Path("not-used")), shop.store, MasterKey(bytes(32)), shop.clock), held
    )


def make_events(shop: Shop) -> None:
    """Let one profile join and leave, and another one join."""
    ann = shop.create(GOLD)
    shop.follow()
    shop.update(ann, {"tier": "basic"})
    shop.follow()
    shop.create(GOLD)
    shop.follow()


def test_a_request_has_one_event_of_a_profile_at_most(followed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    make_events(followed)
    destination = Destination([1, 2])

    assert deliver(followed, destination, monkeypatch) == 3
    assert destination.requests == [["JOINED"], ["LEFT", "JOINED"]]


def test_what_a_destination_has_not_taken_is_left_for_later(followed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    make_events(followed)

    with pytest.raises(FeedFailed, match="did not take all records") as caught:
        deliver(followed, Destination([1, 1]), monkeypatch)
    assert caught.value.moved_to == 2


def test_nothing_more_is_sent_once_the_stream_is_disassociated(followed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = followed
    make_events(shop)
    destination = Destination([1, 2], lambda: shop.at.write(shop.store, shop.domain, subscriptions.disassociate_stream))

    with pytest.raises(FeedLost):
        deliver(shop, destination, monkeypatch)
    assert destination.requests == [["JOINED"]]


def test_a_record_has_the_members_and_types_of_aws(followed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = followed
    ann = shop.create({"tier": "basic"})
    shop.update(ann, GOLD)
    shop.follow()
    shop.clock.now += HOUR
    shop.update(ann, {"tier": "basic"})
    shop.follow()
    destination = Destination([1, 1])

    deliver(shop, destination, monkeypatch)

    seconds = int(NOW.timestamp())
    always = {
        "AccountId": Settings(data_folder=Path("not-used")).account_id,
        "DomainName": shop.domain.name,
        "SegmentDefinitionName": "gold",
        "SegmentType": "CLASSIC",
        "ProfileId": ann,
        "EventType": "LIVE",
    }
    assert json.loads(json.dumps(destination.records)) == [
        {**always, "OperationType": "JOINED", "MembershipCalculatedAt": seconds},
        {
            **always,
            "OperationType": "LEFT",
            "MembershipCalculatedAt": seconds + 3_600,
            "PreviousMembershipChangedAt": seconds,
        },
    ]


def test_events_wait_for_a_destination_that_is_down_for_an_hour_and_then_come_in_their_order(
    followed: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = followed
    monkeypatch.setitem(FEEDS, SEGMENT_STREAM.name, SEGMENT_STREAM)
    is_down = True

    def answer() -> None:
        if is_down:
            raise DeliveryFailed("The Kinesis stream cannot be reached.")

    destination = Destination([1, 2], answer)
    monkeypatch.setattr(segment_deliveries, "_open", lambda *_: destination)
    make_events(shop)
    started_at = shop.clock.now
    while shop.clock.now < started_at + HOUR:
        shop.clock.now += timedelta(minutes=1)
        shop.follow()
    down = shop.at.read(shop.store, shop.domain, subscriptions.get_stream)
    attempts = len(destination.records)
    is_down = False
    shop.clock.now += timedelta(minutes=5)
    shop.follow()

    up = shop.at.read(shop.store, shop.domain, subscriptions.get_stream)
    assert (down.failure, up.failure) == ("The Kinesis stream cannot be reached.", None)
    # After the first minutes it is tried every five minutes.
    assert attempts < 20
    sent = [(one["ProfileId"], one["OperationType"]) for one in destination.records[attempts:]]
    assert sent == [(profile_id, event) for profile_id, event, _ in shop.events()]
    assert [event for _, event in sent] == ["JOINED", "LEFT", "JOINED"]


def test_a_profile_joins_by_an_object_that_changes_its_calculated_attribute(shop: Shop) -> None:
    objects = ObjectShop(shop.store, shop.domain)
    objects.define("Crm")
    details = {"Expression": "{Crm.visits}", "Attributes": [{"Name": "visits"}]}
    visits = {"AttributeDetails": details, "Statistic": "MAXIMUM"}
    shop.at.write(shop.store, shop.domain, create_calculated, "visits", {}, visits, {})
    test = {"visits": {"DimensionType": "GREATER_THAN", "Values": ["5"]}}
    shop.define("frequent", {"Groups": [{"Dimensions": [{"CalculatedAttributes": test}]}]})
    associate(shop)
    shop.subscribe("frequent")
    shop.follow()

    for visits_then in (5, 6, 7, 1):
        objects.put("Crm", {"id": "1", "mail": "ada@x.org", "visits": visits_then})
        shop.follow()

    ada = objects.only("_email", "ada@x.org").profile_id
    assert shop.events("frequent") == [(ada, "JOINED", "LIVE"), (ada, "LEFT", "LIVE")]


changes = st.lists(
    st.tuples(st.sampled_from(["create", "gold", "basic", "delete", "look", "look at all", "die"]), st.integers(0, 4)),
    max_size=25,
)


@budgets.LOOKS
@given(steps=changes)
def test_events_replayed_give_the_members_whatever_happens(store: Store, steps: Sequence[tuple[str, int]]) -> None:
    shop = follow_from_the_start(open_shop(store))
    profiles: list[str] = []
    members: set[str] = set()
    for what, index in steps:
        shop.clock.now += timedelta(minutes=1)
        if what == "create":
            profiles.append(shop.create(GOLD if index % 2 else {"tier": "basic"}))
        elif what == "look":
            shop.follow()
        elif what == "look at all":
            shop.clock.now += DAY
            shop.worker.act_next()
        elif what == "die":
            # A worker that has claimed the feed never comes back.
            with shop.store.write() as connection:
                claim_feed(connection, owner="dead", now=shop.clock.now)
            shop.clock.now += LEASE
        elif profiles:
            chosen = profiles[index % len(profiles)]
            if what == "delete":
                profiles.remove(chosen)
                shop.delete(chosen)
            else:
                shop.update(chosen, {"tier": what})
    for _ in range(2):
        # There may be a pause after the death of several workers.
        shop.clock.now += HOUR
        shop.follow()

    for profile_id, event, _ in shop.events():
        # Nobody joins or leaves twice in a row.
        assert (profile_id in members) == (event == "LEFT")
        members.symmetric_difference_update({profile_id})
    found = by_hand.get_profiles(shop.store, shop.domain.name, profiles, shop.clock.now).profiles
    assert members == {one.profile_id for one in found if one.attributes == GOLD}
