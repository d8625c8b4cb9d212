"""A new kind of feed is a module and an entry in ``FEEDS``; each row is read in order, at least once."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

import by_hand
from openprofiles.facts.records import Domain
from openprofiles.feed_kinds import FEEDS
from openprofiles.master_key import MasterKey
from openprofiles.profiles import domains
from openprofiles.settings import Settings
from openprofiles.store import tables
from openprofiles.store.connections import Store
from openprofiles.store.feeds import (
    LEASE,
    FeedHealth,
    HeldFeed,
    add_feed,
    claim_feed,
    has_due_feed,
    limit_impossible_waits,
    move_feed,
    read_feed_health,
    record_failure,
)
from openprofiles.store.postgresql import PostgresqlStore
from openprofiles.store.removal import remove_deleted_domain_step
from openprofiles.store.sqlite import SqliteStore
from openprofiles.worker.feeds import FeedFailed, Feeds, FeedWork
from store import toy_feed
from store.made_rows import NOW, make_domain
from store.toy_feed import TOY, toy_row

MINUTE = timedelta(minutes=1)


class Hands:
    """A clock that is set by hand."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(autouse=True)
def toys(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # The entry.
    monkeypatch.setitem(FEEDS, TOY.name, TOY)
    monkeypatch.setattr(toy_feed, "acted", {})
    with store.write() as connection:
        toy_row.metadata.create_all(connection)


@pytest.fixture
def domain(store: Store) -> Domain:
    return make_domain(store, "shop")


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def worker(store: Store, clock: Hands) -> Feeds:
    return worker_on(store, clock, "a")


def worker_on(store: Store, clock: Hands, owner: str) -> Feeds:
    return Feeds(FeedWork(Settings(data_folder=Path("not-used")), store, MasterKey(bytes(32)), clock), owner)


def add(store: Store, domain: Domain, *subjects: int) -> None:
    with store.write() as connection:
        for subject in subjects:
            add_feed(connection, TOY, subject, domain_id=domain.domain_id, now=NOW)


def write(store: Store, domain: Domain, count: int) -> None:
    for _ in range(count):
        with store.write() as connection:
            toy_feed.write_row(connection, domain.domain_id, NOW)


def claim(store: Store, now: datetime, owner: str = "a") -> HeldFeed | None:
    with store.write() as connection:
        return claim_feed(connection, owner=owner, now=now)


def health(store: Store) -> FeedHealth:
    with store.read() as connection:
        return read_feed_health(connection)["toy"]


def numbers(store: Store) -> dict[int, int]:
    with store.read() as connection:
        rows = connection.execute(select(tables.feed.c.subject, tables.feed.c.number)).all()
    return {row.subject: row.number for row in rows}


def test_a_new_kind_of_feed_reads_the_rows_of_its_domain_in_order_and_goes_on_from_there(
    store: Store, domain: Domain, worker: Feeds
) -> None:
    other = make_domain(store, "other")
    add(store, domain, 1)
    write(store, other, 1)
    before, idle = health(store), worker.act_next()
    write(store, domain, 3)
    waiting = health(store)

    done = [worker.act_next() for _ in range(3)]
    write(store, domain, 1)
    later = [worker.act_next(), worker.act_next()]

    assert (before, idle, waiting) == (FeedHealth(0, None), False, FeedHealth(0, NOW))
    assert (done, later) == ([True, True, False], [True, False])
    assert toy_feed.acted == {1: [1, 2, 3, 4]}
    assert numbers(store) == {1: 4}
    assert health(store) == FeedHealth(0, None)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FeedFailed("The receiver does not answer."), "The receiver does not answer."),
        (KeyError("Ann"), "An unexpected error occurred. The worker's log has the details."),
    ],
)
def test_a_feed_that_fails_waits_ever_longer_and_holds_up_no_other(
    store: Store,
    domain: Domain,
    worker: Feeds,
    clock: Hands,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    message: str,
) -> None:
    tried = []

    def fail(held: HeldFeed, numbers: list[int]) -> None:
        if held.subject == 1:
            tried.append(clock.now - NOW)
            raise error
        toy_feed.acted.setdefault(held.subject, []).extend(numbers)

    monkeypatch.setattr(toy_feed, "act", fail)
    add(store, domain, 1, 2)
    write(store, domain, 1)

    for minutes in range(40):
        clock.now = NOW + minutes * MINUTE
        while worker.act_next():
            pass
        if minutes == 30:
            write(store, domain, 1)

    assert tried == [minutes * MINUTE for minutes in (0, 1, 11, 21, 31)]
    assert toy_feed.acted == {2: [1, 2]}
    assert numbers(store) == {1: 0, 2: 2}
    assert health(store) == FeedHealth(1, NOW)
    with store.read() as connection:
        failing = connection.execute(select(tables.feed).where(tables.feed.c.subject == 1)).one()
    assert (failing.last_error, failing.lease_owner, failing.given_up_at) == (message, None, None)

    monkeypatch.undo()
    monkeypatch.setitem(FEEDS, TOY.name, TOY)
    clock.now += 10 * MINUTE
    assert worker.act_next()
    assert health(store) == FeedHealth(0, None)


def test_a_reader_that_acts_on_nothing_has_failed(
    store: Store, domain: Domain, worker: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy_feed, "read", lambda _work, held: held.number)
    add(store, domain, 1)
    write(store, domain, 1)

    assert [worker.act_next(), worker.act_next()] == [True, False]
    assert health(store) == FeedHealth(1, NOW)


def test_of_two_workers_one_acts_and_one_that_lost_its_lease_moves_nothing(
    store: Store, domain: Domain, worker: Feeds, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = worker_on(store, clock, "b")
    add(store, domain, 1)
    write(store, domain, 3)
    held = claim(store, NOW)
    assert held is not None
    while_held = [other.act_next()]
    clock.now += LEASE - timedelta(milliseconds=1)
    while_held.append(other.act_next())
    clock.now += timedelta(milliseconds=1)
    taken_over = other.act_next()

    with store.write() as connection:
        lost = move_feed(connection, held, 3, now=clock.now)
    with store.write() as connection:
        failed = record_failure(connection, held, "late", next_attempt_at=None, now=clock.now)

    assert (while_held, taken_over, lost, failed) == ([False, False], True, False, False)
    assert (toy_feed.acted, numbers(store)) == ({1: [1, 2]}, {1: 2})

    # In the loop: the other worker acts while the first one sleeps beyond its lease.
    def sleep(held: HeldFeed, numbers: list[int]) -> None:
        monkeypatch.setattr(toy_feed, "act", act)
        clock.now += LEASE
        assert other.act_next()
        act(held, numbers)

    act = toy_feed.act
    monkeypatch.setattr(toy_feed, "act", sleep)
    write(store, domain, 1)
    assert worker.act_next()
    assert (toy_feed.acted, numbers(store)) == ({1: [1, 2, 3, 4, 3, 4]}, {1: 4})
    assert not worker.act_next()


def test_many_workers_act_on_each_row_once_and_skip_none_that_writers_add_meanwhile(
    store: Store, domain: Domain, clock: Hands
) -> None:
    add(store, domain, 1)
    with ThreadPoolExecutor(6) as threads:
        writing = [threads.submit(write, store, domain, 10) for _ in range(3)]

        def work(owner: str) -> None:
            worker = worker_on(store, clock, owner)
            is_over = False
            while worker.act_next() or not is_over:
                is_over = all(writer.done() for writer in writing)

        list(threads.map(work, "abc"))

    assert [writer.result() for writer in writing] == [None] * 3
    assert toy_feed.acted == {1: list(range(1, 31))}


def act_and_die(kind: type[SqliteStore], place: Path, path: Path) -> None:
    def die(held: HeldFeed, numbers: list[int]) -> None:
        path.write_text(f"{held.number} {numbers}")
        os.kill(os.getpid(), signal.SIGKILL)

    FEEDS[TOY.name] = TOY
    toy_feed.act = die
    worker_on(kind(place), Hands(), "killed").act_next()


def test_rows_come_again_when_a_worker_is_killed_before_it_has_noted_them(
    store: Store, domain: Domain, worker: Feeds, clock: Hands, tmp_path: Path
) -> None:
    add(store, domain, 1)
    write(store, domain, 3)
    assert isinstance(store, SqliteStore | PostgresqlStore)
    place = store.path if isinstance(store, SqliteStore) else store.url

    killed = multiprocessing.get_context("spawn").Process(
        target=act_and_die, args=(type(store), place, tmp_path / "acted")
    )
    killed.start()
    killed.join()
    at_once = worker.act_next()
    clock.now += LEASE
    done = [worker.act_next() for _ in range(3)]

    assert (killed.exitcode, (tmp_path / "acted").read_text()) == (-signal.SIGKILL, "0 [1, 2]")
    assert (at_once, done) == (False, [True, True, False])
    assert toy_feed.acted == {1: [1, 2, 3]}


def test_a_feed_whose_rows_end_each_worker_waits_ever_longer(
    store: Store, domain: Domain, worker: Feeds, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def end_the_worker(held: HeldFeed, numbers: list[int]) -> None:
        tried.append(clock.now - NOW)
        # Passes the loop, as the end of the process does.
        raise SystemExit

    monkeypatch.setattr(toy_feed, "act", end_the_worker)
    add(store, domain, 1)
    write(store, domain, 1)

    for half_minutes in range(70):
        clock.now = NOW + half_minutes * MINUTE / 2
        with suppress(SystemExit):
            worker.act_next()

    # The second attempt follows at once, in place of a worker that was ended by hand.
    assert tried == [minutes * MINUTE for minutes in (0, 0.5, 11, 21.5, 32)]
    assert health(store) == FeedHealth(1, NOW)


@pytest.mark.parametrize("is_leased", [True, False])
def test_a_wait_that_a_wrong_clock_has_set_ends_a_lease_later(
    store: Store, domain: Domain, worker: Feeds, clock: Hands, is_leased: bool
) -> None:
    add(store, domain, 1)
    write(store, domain, 1)
    ahead = NOW + timedelta(days=365)
    held = claim(store, ahead, "ahead")
    if not is_leased:
        assert held is not None
        with store.write() as connection:
            record_failure(connection, held, "failed", next_attempt_at=ahead + MINUTE, now=ahead)

    done = []
    for seconds in (0, 5, 29, 30):
        clock.now = NOW + timedelta(seconds=seconds)
        with store.write() as connection:
            limit_impossible_waits(connection, clock.now)
        done.append(worker.act_next())

    assert done == [False, False, False, True]
    assert numbers(store) == {1: 1}


def test_a_clock_that_is_set_back_ends_no_lease_early_and_leaves_pauses_as_they_are(
    store: Store, domain: Domain, worker: Feeds, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, domain, 1, 2)
    write(store, domain, 1)
    failing = claim(store, NOW)
    assert failing is not None
    with store.write() as connection:
        record_failure(connection, failing, "failed", next_attempt_at=NOW + 10 * MINUTE, now=NOW)
    held = claim(store, NOW)
    assert held is not None

    clock.now = NOW - timedelta(days=1)
    with store.write() as connection:
        # A pause that is possible, as of then.
        later = update(tables.feed).where(tables.feed.c.subject == failing.subject)
        connection.execute(later.values(next_attempt_at=clock.now + 10 * MINUTE))
        limit_impossible_waits(connection, clock.now)
    at_once = worker.act_next()
    with store.write() as connection:
        has_moved = move_feed(connection, held, 1, now=clock.now)
    clock.now += 10 * MINUTE - timedelta(milliseconds=1)
    with store.write() as connection:
        limit_impossible_waits(connection, clock.now)
    early = worker.act_next()
    clock.now += timedelta(milliseconds=1)

    assert (at_once, has_moved, early, worker.act_next()) == (False, True, False, True)


def test_the_rows_of_a_deleted_domain_are_not_read_and_its_feeds_go_with_it(
    store: Store, domain: Domain, worker: Feeds
) -> None:
    add(store, domain, 1, 2)
    write(store, domain, 1)
    held = claim(store, NOW)
    assert held is not None

    by_hand.write(store, "shop", domains.delete_domain)

    assert (worker.act_next(), health(store)) == (False, FeedHealth(0, None))
    for _ in range(20):
        with store.write() as connection:
            remove_deleted_domain_step(connection, NOW, 100)
    assert numbers(store) == {}
    with store.write() as connection:
        assert not move_feed(connection, held, 1, now=NOW)


def test_a_feed_of_a_kind_that_this_version_does_not_know_is_left_alone(
    store: Store, domain: Domain, worker: Feeds, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, domain, 1)
    write(store, domain, 1)
    later = NOW + timedelta(days=7)
    with store.write() as connection:
        add_feed(connection, TOY, 2, domain_id=domain.domain_id, now=later)
    monkeypatch.delitem(FEEDS, TOY.name)

    with store.write() as connection:
        limit_impossible_waits(connection, NOW)
    done = [worker.act_next()]
    clock.now = later
    done.append(worker.act_next())

    with store.read() as connection:
        assert "toy" not in read_feed_health(connection)
        rows = connection.execute(select(tables.feed.c.epoch, tables.feed.c.next_attempt_at)).all()
    assert done == [False, False]
    assert sorted(tuple(row) for row in rows) == [(0, NOW), (0, later)]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_feeds_that_are_over_cost_nothing_when_others_are_looked_for(store: Store, domain: Domain) -> None:
    over = {"domain_id": domain.domain_id, "name": "toy", "number": 1, "created_at": NOW}
    with store.write() as connection:
        connection.execute(insert(tables.feed), [{"subject": subject, **over} for subject in range(2000)])
    hundreds = []
    with store.read() as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: hundreds.append(1), 100)
        is_due = has_due_feed(connection, NOW)
        driver.set_progress_handler(None, 0)

    assert (is_due, len(hundreds) < 10) == (False, True)


def test_a_feed_that_rests_acts_on_more_rows_at_once(
    store: Store, domain: Domain, worker: Feeds, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FEEDS, TOY.name, replace(TOY, rest=MINUTE))
    add(store, domain, 1)
    write(store, domain, 1)
    assert worker.act_next()
    write(store, domain, 2)
    early = worker.act_next()
    clock.now += MINUTE

    assert (early, worker.act_next()) == (False, True)
    assert toy_feed.acted == {1: [1, 2, 3]}


def test_a_reader_that_fails_after_some_rows_waits_and_goes_on_behind_them(
    store: Store, domain: Domain, worker: Feeds, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, domain, 1)
    write(store, domain, 2)

    def fail(_work: FeedWork, held: HeldFeed) -> int:
        toy_feed.act(held, [1])
        raise FeedFailed("The second one was not taken.", moved_to=1)

    with monkeypatch.context() as failing:
        failing.setattr(toy_feed, "read", fail)
        assert worker.act_next()
    early = worker.act_next()
    assert (early, numbers(store), health(store).failing) == (False, {1: 1}, 1)
    clock.now += MINUTE

    assert worker.act_next()
    assert (toy_feed.acted, health(store).failing) == ({1: [1, 2]}, 0)
