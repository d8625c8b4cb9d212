"""Webhooks of domains in the store, and when each delivery is tried, on every engine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select

import by_hand
from openprofiles.clock import from_milliseconds
from openprofiles.credentials.administer import change_master_key
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.records import Domain
from openprofiles.feed_kinds import WEBHOOK
from openprofiles.master_key import MasterKey
from openprofiles.profiles import domains
from openprofiles.settings import Settings
from openprofiles.store import job_queue, tables
from openprofiles.store.connections import Store
from openprofiles.store.feeds import claim_feed
from openprofiles.store.removal import remove_deleted_domain_step
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.store.webhooks import Delivery, find_delivery
from openprofiles.uploads import jobs, webhooks
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.jobs import JobRequest
from openprofiles.uploads.webhook_url import WebhookRefused, check_webhook_url
from openprofiles.worker.feeds import Feeds, FeedWork
from webhook_receiver import Receiver, webhook_receiver

NOW = from_milliseconds(1_780_000_000_123)
KEY = MasterKey(bytes(32))
FIELDS = {"Email": {"Source": "_source.Email", "Target": "_profile.EmailAddress"}}
SECRET = "0123456789abcdef"
PAUSES = WEBHOOK.pauses


class Hands:
    """A clock that is set by hand."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def domain(store: Store) -> Domain:
    return domains.create_domain(
        store, "shop", default_expiration_days=30, config={}, tags={}, phone_region="US", now=NOW
    )


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as running:
        yield running


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def deliveries(store: Store, clock: Hands) -> Feeds:
    return make_deliveries(store, clock)


def make_deliveries(store: Store, clock: Hands, key: MasterKey = KEY, *, private_addresses: bool = True) -> Feeds:
    settings = Settings(data_folder=Path("not-used"), webhook_private_addresses=private_addresses)
    return Feeds(FeedWork(settings, store, key, clock), "w")


def put(store: Store, domain: Domain, url: str | None, secret: str | None = SECRET, now: datetime = NOW) -> str:
    checked = None if url is None else check_webhook_url(url, private_addresses=True)
    return by_hand.At(now).write(store, domain, webhooks.put_webhook, KEY, url=checked, secret=secret)[1]


def make_job(store: Store, domain: Domain, url: str | None = None) -> UploadJob:
    options = JobOptions(webhook_url=url)
    request = JobRequest(display_name="Customers of Zoë", fields=FIELDS, unique_key="Email", options=options)
    return by_hand.create_job(store, domain, KEY, request, NOW)


def end_job(store: Store, domain: Domain, url: str | None = None) -> UploadJob:
    """A job that was stopped before it was started."""
    job = make_job(store, domain, url)
    by_hand.write(store, domain, jobs.stop_job, job.job_id)
    return job


def delivery_of(store: Store, job: UploadJob) -> Delivery | None:
    with store.read() as connection:
        return find_delivery(connection, job.job_number)


def test_a_webhook_is_read_without_its_secret_and_replaced_and_deleted(store: Store, domain: Domain) -> None:
    made = put(store, domain, "http://127.0.0.1:1/a", None)
    again = put(store, domain, "http://127.0.0.1:1/a", None)
    first = by_hand.read(store, domain, webhooks.get_webhook)
    put(store, domain, None, now=NOW + timedelta(days=1))
    second = by_hand.read(store, domain, webhooks.get_webhook)
    by_hand.write(store, domain, webhooks.delete_webhook)

    assert (len(made), len(again), made == again) == (64, 64, False)
    assert first == webhooks.Webhook("http://127.0.0.1:1/a", NOW)
    assert second == webhooks.Webhook(None, NOW + timedelta(days=1))
    with pytest.raises(NotFound, match=r"^The domain shop has no webhook\.$"):
        by_hand.read(store, domain, webhooks.get_webhook)
    with pytest.raises(NotFound):
        by_hand.write(store, domain, webhooks.delete_webhook)


def test_a_private_address_is_refused_when_it_is_given() -> None:
    url = "http://127.0.0.1:1/"
    options = JobOptions(webhook_url=url)
    request = JobRequest(display_name="customers.csv", fields=FIELDS, unique_key="Email", options=options)

    with pytest.raises(WebhookRefused, match="does not have a public IP address"):
        check_webhook_url(url, private_addresses=False)
    with pytest.raises(WebhookRefused, match="does not have a public IP address"):
        jobs.check_options(options, strict=False, private_addresses=False)
    with pytest.raises(WebhookRefused, match="does not have a public IP address"):
        jobs.check_request(request, strict=False, private_addresses=False)


def test_a_job_can_have_a_url_only_where_the_domain_has_a_secret(store: Store, domain: Domain) -> None:
    options = JobOptions(webhook_url="http://127.0.0.1:1/")
    job = make_job(store, domain)
    with pytest.raises(InvalidRequest, match="no webhook secret"):
        by_hand.write(store, domain, jobs.set_options, job.job_id, options)
    with pytest.raises(InvalidRequest, match="no webhook secret"):
        make_job(store, domain, "http://127.0.0.1:1/")

    put(store, domain, None)
    by_hand.write(store, domain, jobs.set_options, job.job_id, options)

    assert by_hand.read(store, domain, jobs.get_options, job.job_id) == options


def test_a_job_that_ends_is_told_once_and_signed(
    store: Store, domain: Domain, receiver: Receiver, deliveries: Feeds
) -> None:
    put(store, domain, f"{receiver.url}/hook?token=t")
    job = end_job(store, domain)
    noted = delivery_of(store, job)

    done = [deliveries.act_next() for _ in range(3)]

    assert noted == Delivery(f"{receiver.url}/hook?token=t", 0, NOW, None, None, None)
    assert done == [True, False, False]
    (received,) = receiver.received
    assert received.path == "/hook?token=t"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["x-openprofiles-timestamp"] == "1780000000"
    assert received.is_signed_with(SECRET)
    assert received.document == {
        "Event": "UploadJobEnded",
        "DeliveryId": job.job_id,
        "DomainName": "shop",
        "JobId": job.job_id,
        "Status": "STOPPED",
        "CreatedRecords": 0,
        "UpdatedRecords": 0,
        "UnchangedRecords": 0,
        "FailedRecords": 0,
        "CompletedAt": 1_780_000_000.123,
    }
    assert delivery_of(store, job) == Delivery(f"{receiver.url}/hook?token=t", 1, None, None, NOW, None)


def test_a_domain_without_a_webhook_or_url_tells_nobody(
    store: Store, domain: Domain, receiver: Receiver, deliveries: Feeds
) -> None:
    other = domains.create_domain(
        store, "other", default_expiration_days=30, config={}, tags={}, phone_region="US", now=NOW
    )
    put(store, other, receiver.url)
    first = end_job(store, domain)
    put(store, domain, None)
    second = end_job(store, domain)

    assert [delivery_of(store, job) for job in (first, second)] == [None, None]
    assert not deliveries.act_next()


def test_the_url_of_the_job_wins(store: Store, domain: Domain, receiver: Receiver, deliveries: Feeds) -> None:
    put(store, domain, f"{receiver.url}/domain")
    end_job(store, domain, f"{receiver.url}/job")

    assert deliveries.act_next()

    assert [(one.path, one.is_signed_with(SECRET)) for one in receiver.received] == [("/job", True)]


def test_a_worker_that_gives_a_job_up_notes_it_and_one_that_lost_it_does_not(store: Store, domain: Domain) -> None:
    put(store, domain, "http://127.0.0.1:1/")
    job = make_job(store, domain)
    with store.write() as connection:
        job_queue.update_job(
            connection, job, only_in=UploadJobStatus.CREATED, status=UploadJobStatus.IN_PROGRESS, started_at=NOW
        )
        lost = job_queue.claim_next_job(connection, owner="a", now=NOW, lease_until=NOW + timedelta(seconds=15))
        held = job_queue.claim_next_job(
            connection, owner="b", now=NOW + timedelta(minutes=1), lease_until=NOW + timedelta(minutes=2)
        )
    assert lost is not None
    assert held is not None

    with store.write() as connection:
        by_lost = job_queue.end_leased_job(connection, lost, status=UploadJobStatus.FAILED, completed_at=NOW)
    before = delivery_of(store, job)
    with store.write() as connection:
        by_held = job_queue.end_leased_job(connection, held, status=UploadJobStatus.FAILED, completed_at=NOW)

    assert (by_lost, before, by_held) == (False, None, True)
    assert delivery_of(store, job) == Delivery("http://127.0.0.1:1/", 0, NOW, None, None, None)


def test_a_failure_is_followed_by_attempts_with_growing_pauses_until_it_is_given_up(
    store: Store, domain: Domain, receiver: Receiver, deliveries: Feeds, clock: Hands
) -> None:
    receiver.answers = [500] * 8
    put(store, domain, receiver.url)
    job = end_job(store, domain)

    tried: list[timedelta] = []
    while (noted := delivery_of(store, job)) and noted.next_attempt_at is not None:
        clock.now = noted.next_attempt_at - timedelta(milliseconds=1)
        assert not deliveries.act_next()
        clock.now = noted.next_attempt_at
        assert deliveries.act_next()
        tried.append(clock.now - NOW)

    steps = [after - before for before, after in itertools.pairwise(tried)]
    assert tried[0] == timedelta(0)
    assert steps == [timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 7200, 21600)] == list(PAUSES)
    assert noted == Delivery(receiver.url, 7, None, "The response was 500.", None, clock.now)
    assert len({one.document["DeliveryId"] for one in receiver.received}) == 1
    assert len({one.headers["x-openprofiles-timestamp"] for one in receiver.received}) == 7


def test_a_receiver_that_fails_first_and_then_takes_it_is_told_no_more(
    store: Store, domain: Domain, receiver: Receiver, deliveries: Feeds, clock: Hands
) -> None:
    receiver.answers = [503, 302]
    put(store, domain, receiver.url)
    job = end_job(store, domain)

    for pause in (timedelta(0), *PAUSES[:2]):
        clock.now += pause
        assert deliveries.act_next()
    clock.now += timedelta(days=1)

    assert not deliveries.act_next()
    noted = delivery_of(store, job)
    assert noted is not None
    assert (noted.attempts, noted.last_error, noted.given_up_at) == (3, None, None)
    assert noted.delivered_at == NOW + PAUSES[0] + PAUSES[1]


def test_an_attempt_is_made_by_one_worker_alone_and_again_when_that_one_died(store: Store, domain: Domain) -> None:
    put(store, domain, "http://127.0.0.1:1/")
    for _ in range(6):
        end_job(store, domain)

    def claim(now: datetime) -> int | None:
        with store.write() as connection:
            claimed = claim_feed(connection, owner="w", now=now)
        return None if claimed is None else claimed.subject

    with ThreadPoolExecutor(4) as threads:
        first = list(threads.map(claim, [NOW] * 12))
        early = list(threads.map(claim, [NOW + timedelta(seconds=29)] * 4))
        again = list(threads.map(claim, [NOW + timedelta(seconds=30)] * 12))

    for claimed in (first, again):
        found = [number for number in claimed if number is not None]
        assert len(found) == len(set(found)) == 6
    assert early == [None] * 4


def test_what_waits_goes_to_the_url_that_is_set_anew(
    store: Store, domain: Domain, receiver: Receiver, deliveries: Feeds
) -> None:
    put(store, domain, f"{receiver.url}/old")
    own = end_job(store, domain, f"{receiver.url}/own")
    end_job(store, domain)
    put(store, domain, f"{receiver.url}/new", "another secret of 24 bytes")

    while deliveries.act_next():
        pass

    assert sorted(one.path for one in receiver.received) == ["/new", "/own"]
    assert all(one.is_signed_with("another secret of 24 bytes") for one in receiver.received)
    assert own.job_id in receiver.jobs()


@pytest.mark.parametrize("how", ["deleted", "without a URL"])
def test_what_waits_is_given_up_when_its_webhook_goes(
    store: Store, domain: Domain, receiver: Receiver, deliveries: Feeds, how: str
) -> None:
    put(store, domain, receiver.url)
    job = end_job(store, domain)

    if how == "deleted":
        by_hand.write(store, domain, webhooks.delete_webhook)
    else:
        put(store, domain, None)

    assert not deliveries.act_next()
    assert delivery_of(store, job) == Delivery(receiver.url, 0, None, None, None, NOW)
    assert receiver.connections == 0


def test_a_delivery_of_a_job_that_ended_while_its_webhook_was_deleted_is_given_up(
    store: Store, domain: Domain, receiver: Receiver, deliveries: Feeds
) -> None:
    put(store, domain, receiver.url)
    job = end_job(store, domain)
    with store.write() as connection:
        connection.execute(delete(tables.webhook))

    assert [deliveries.act_next(), deliveries.act_next()] == [True, False]
    assert delivery_of(store, job) == Delivery(receiver.url, 1, None, "The webhook was deleted.", None, NOW)
    assert receiver.connections == 0


def test_a_private_address_is_refused_at_the_attempt_too(
    store: Store, domain: Domain, receiver: Receiver, clock: Hands
) -> None:
    put(store, domain, receiver.url)
    job = end_job(store, domain)

    assert make_deliveries(store, clock, private_addresses=False).act_next()

    noted = delivery_of(store, job)
    assert noted is not None
    assert "does not have a public IP address" in str(noted.last_error)
    assert (noted.attempts, noted.next_attempt_at) == (1, NOW + PAUSES[0])
    assert receiver.connections == 0


def test_with_another_master_key_it_is_signed_as_before(
    store: Store, domain: Domain, receiver: Receiver, clock: Hands
) -> None:
    new = MasterKey(bytes(range(32)))
    put(store, domain, receiver.url)
    end_job(store, domain)

    change_master_key(store, KEY, new, NOW)

    assert make_deliveries(store, clock, new).act_next()
    assert [one.is_signed_with(SECRET) for one in receiver.received] == [True]


def test_a_webhook_and_its_deliveries_go_with_their_domain(
    store: Store, domain: Domain, receiver: Receiver, deliveries: Feeds
) -> None:
    put(store, domain, receiver.url)
    end_job(store, domain)
    end_job(store, domain)
    by_hand.write(store, "shop", domains.delete_domain)
    assert not deliveries.act_next()

    for _ in range(20):
        with store.write() as connection:
            remove_deleted_domain_step(connection, NOW, 100)

    with store.read() as connection:
        for table in (tables.webhook, tables.feed, tables.job, tables.upload_job, tables.domain):
            assert connection.execute(select(table)).all() == []
    assert not deliveries.act_next()
    assert receiver.connections == 0
