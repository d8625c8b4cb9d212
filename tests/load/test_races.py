"""The API writes to a domain while a load runs: whatever happens in between, the index is right and no key is doubled.

In most tests the loader waits before each of its chunks, so that what happens when is the test's choice.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select, update

import budgets
import by_hand
from load.loading import DEADLINE_SECONDS, NOW, LoaderFault, LoaderProcess, Place, Shop, assert_index_and_log_are_right
from load.oracle import Column, KnownDomain
from openprofiles.errors import NotFound
from openprofiles.facts.keys import Key, SearchKey
from openprofiles.facts.normal_forms import normal_key
from openprofiles.facts.records import Profile
from openprofiles.profiles import domains
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.profiles.search import search_profiles
from openprofiles.store import tables
from openprofiles.store.removal import remove_deleted_domain_step
from openprofiles.store.upload_jobs import RowFault, UploadJob
from openprofiles.uploads import previews
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.jobs import FailedRow, stop_job
from openprofiles.uploads.notices import OTHER_NAME_ROWS, SHARED_KEY_ROWS, Notice

EMAIL = Column("Email", "EmailAddress")
FIRST = Column("First", "FirstName")
COLUMNS = (EMAIL, FIRST)


def run_with(shop: Shop, job: UploadJob, act: Callable[[UploadJob], None], *, rows_per_chunk: int = 1) -> UploadJob:
    """Run the job, and act before each chunk, with the job as it stands then."""
    loader = shop.place.loader
    event = loader.send(shop.claim(job, rows_per_chunk=rows_per_chunk, pause_at=[0]))
    while event["event"] == "paused":
        act(shop.job(job))
        event = loader.go_on()
    if event["event"] != "ended":
        raise LoaderFault(event.get("trace", str(event)))
    return shop.job(job)


def once_at(phase: str, act: Callable[[], object]) -> Callable[[UploadJob], None]:
    """Act once, before the first chunk that follows one of this phase."""
    done: list[bool] = []

    def act_there(job: UploadJob) -> None:
        if (job.phase or "").startswith(phase) and not done:
            done.append(True)
            act()

    return act_there


def find(shop: Shop, email: str) -> list[Profile]:
    page = by_hand.read(shop.store, shop.name, search_profiles, [SearchKey("_email", (email,))], max_results=100)
    return [one.profile for one in page.found]


def change(shop: Shop, profile: Profile, **values: str) -> None:
    by_hand.update_profile(shop.store, shop.name, profile.profile_id, ProfileChange(values=values), NOW)


def counts(job: UploadJob) -> tuple[int, int, int]:
    return job.created_count, job.updated_count, job.failed_count


def assert_all_is_right(shop: Shop, job: UploadJob) -> None:
    assert_index_and_log_are_right(shop)
    assert sum(counts(job)) == job.record_count
    assert len(shop.failed_rows(job)) == job.failed_count


def test_a_profile_that_appears_after_the_plan_is_updated_and_not_made_twice(shop: Shop) -> None:
    job = shop.create_job(COLUMNS, "Email", b"Email,First\na@x,Ann\nb@x,Bo\n")

    job = run_with(shop, job, once_at("report", lambda: shop.create_profile(EmailAddress="B@x")))

    assert counts(job) == (1, 1, 0)
    assert [one.values["FirstName"] for one in find(shop, "b@x")] == ["Bo"]
    assert_all_is_right(shop, job)


def test_a_profile_that_is_deleted_after_the_plan_is_made_anew(shop: Shop) -> None:
    old = shop.create_profile(EmailAddress="b@x")
    job = shop.create_job(COLUMNS, "Email", b"Email,First\na@x,Ann\nb@x,Bo\n")

    job = run_with(
        shop,
        job,
        once_at("report", lambda: by_hand.delete_profile(shop.store, shop.name, old.profile_id, NOW)),
    )

    assert counts(job) == (2, 0, 0)
    assert [one.values["FirstName"] for one in find(shop, "b@x")] == ["Bo"]
    assert_all_is_right(shop, job)


def test_a_row_whose_profile_is_deleted_after_the_plan_is_noticed_if_another_field_has_its_key(shop: Shop) -> None:
    old = shop.create_profile(EmailAddress="b@x")
    shop.create_profile(EmailAddress="z@x", BusinessEmailAddress="b@x")
    job = shop.create_job(COLUMNS, "Email", b"Email,First\na@x,Ann\nb@x,Bo\nb@x,Bob\n")

    job = run_with(
        shop,
        job,
        once_at("report", lambda: by_hand.delete_profile(shop.store, shop.name, old.profile_id, NOW)),
    )

    assert counts(job) == (2, 1, 0)
    assert by_hand.read(shop.store, shop.domain, read_report, job.job_id).notices == [
        Notice(SHARED_KEY_ROWS, "BusinessEmailAddress", 1, (3,))
    ]


def test_a_row_whose_profile_appears_after_the_plan_is_counted_if_it_has_another_name(shop: Shop) -> None:
    columns = (*COLUMNS, Column("Last", "LastName"))
    job = shop.create_job(columns, "Email", b"Email,First,Last\na@x,Ann,Lee\na@x,Al,Ek\nb@x,Bo,Berg\nb@x,Cy,Cruz\n")
    made = []

    def appear() -> None:
        made.append(shop.create_profile(EmailAddress="b@x", FirstName="Di", LastName="Dahl", ingested=True))

    job = run_with(shop, job, once_at("report", appear))

    assert counts(job) == (1, 3, 0)
    others = ("line 2", f"profile {made[0].profile_id}", "line 4")
    assert by_hand.read(shop.store, shop.domain, read_report, job.job_id).notices == [
        Notice(OTHER_NAME_ROWS, None, 3, (3, 4, 5), others=others)
    ]


def test_a_key_that_several_profiles_come_to_hold_after_the_plan_fails_its_rows(shop: Shop) -> None:
    shop.create_profile(EmailAddress="b@x")
    job = shop.create_job(COLUMNS, "Email", b"Email,First\na@x,Ann\nb@x,Bo\nb@x,Bob\n")

    job = run_with(shop, job, once_at("report", lambda: shop.create_profile(EmailAddress="b@x")))

    assert counts(job) == (1, 0, 2)
    ambiguous = RowFault("AMBIGUOUS_UNIQUE_KEY", "Email", 2)
    assert shop.failed_rows(job) == [
        FailedRow(2, 3, (ambiguous,), b"b@x,Bo"),
        FailedRow(3, 4, (ambiguous,), b"b@x,Bob"),
    ]
    assert_all_is_right(shop, job)


def test_a_job_whose_rows_all_fail_through_the_api_has_failed(shop: Shop) -> None:
    shop.create_profile(EmailAddress="b@x")
    job = shop.create_job(COLUMNS, "Email", b"Email,First\nb@x,Bo\n")

    job = run_with(shop, job, once_at("report", lambda: shop.create_profile(EmailAddress="b@x")))

    assert counts(job) == (0, 0, 1)
    assert job.status == "FAILED"


def test_a_second_value_of_a_profile_that_moves_to_another_after_the_plan_goes_there(shop: Shop) -> None:
    old = shop.create_profile(EmailAddress="a@x", PersonalEmailAddress="b@x", ingested=True)
    job = shop.create_job(COLUMNS, "Email", b"Email,First\na@x,Ann\nb@x,Bo\n")

    def move() -> None:
        change(shop, old, PersonalEmailAddress="z@x")
        shop.create_profile(EmailAddress="b@x")

    job = run_with(shop, job, once_at("report", move))

    assert counts(job) == (0, 2, 0)
    assert [one.values["FirstName"] for one in find(shop, "a@x")] == ["Ann"]
    assert [one.values["FirstName"] for one in find(shop, "b@x")] == ["Bo"]
    assert_all_is_right(shop, job)


def test_a_profile_changed_through_the_api_between_its_update_and_its_keys_keeps_the_right_keys(shop: Shop) -> None:
    old = shop.create_profile(EmailAddress="a@x", PersonalEmailAddress="p@x", ingested=True)
    personal = Column("Personal", "PersonalEmailAddress")
    job = shop.create_job((EMAIL, personal), "Email", b"Email,Personal\na@x,q@x\nb@x,\n")

    job = run_with(shop, job, once_at("update", lambda: change(shop, old, PersonalEmailAddress="r@x")))

    assert [len(find(shop, email)) for email in ("a@x", "p@x", "q@x", "r@x")] == [1, 0, 0, 1]
    assert_all_is_right(shop, job)


def test_a_profile_deleted_between_its_update_and_its_keys_leaves_no_key(shop: Shop) -> None:
    old = shop.create_profile(EmailAddress="a@x", PersonalEmailAddress="p@x", ingested=True)
    personal = Column("Personal", "PersonalEmailAddress")
    job = shop.create_job((EMAIL, personal), "Email", b"Email,Personal\na@x,q@x\nb@x,\n")

    job = run_with(
        shop,
        job,
        once_at("update", lambda: by_hand.delete_profile(shop.store, shop.name, old.profile_id, NOW)),
    )

    assert counts(job) == (1, 1, 0)
    assert find(shop, "q@x") == []
    assert_all_is_right(shop, job)


# Any writes at any chunk


@dataclass(frozen=True)
class Write:
    """One write of the API; ``which`` chooses the profile among those that can be found."""

    kind: str
    which: int
    path: str
    email: str


FIELDS = ("EmailAddress", "PersonalEmailAddress")
VALUES = ("a@x", "b@x", "c@x", "d@x", "e@x")

writes = st.builds(
    Write,
    st.sampled_from(["create", "update", "update", "move", "move", "remove", "delete", "add key", "delete key"]),
    st.integers(0, 9),
    st.sampled_from(FIELDS),
    st.sampled_from(VALUES),
)


# Where a write need not wait for the chunk of a load.
@pytest.mark.daily_on("postgresql")
@budgets.LOADS
@given(
    starts=st.lists(st.tuples(st.sampled_from(VALUES), st.sampled_from([None, *VALUES])), max_size=4),
    records=st.lists(st.tuples(st.sampled_from(VALUES), st.sampled_from(["", "Ann", "Bo"])), min_size=1, max_size=6),
    at_chunk=st.lists(st.one_of(st.none(), writes), max_size=16),
    rows_per_chunk=st.sampled_from([1, 1, 2, 5]),
)
# Deletes a profile after its email was changed, before the key of the former email is removed.
@example(
    starts=[("b@x", "a@x")],
    records=[("a@x", "")],
    at_chunk=[None, None, None, None, None, Write("delete", 0, "EmailAddress", "a@x")],
    rows_per_chunk=1,
)
def test_writes_of_the_api_during_a_load_double_no_key_and_leave_the_index_right(
    place: Place,
    starts: list[tuple[str, str | None]],
    records: list[tuple[str, str]],
    at_chunk: list[Write | None],
    rows_per_chunk: int,
) -> None:
    shop = place.open_shop()
    for email, personal in starts:
        values = {"EmailAddress": email, "PersonalEmailAddress": personal or ""}
        shop.make_profile(values, ingested=True)
    doubled = _doubled(shop.known())
    deleted_keys: set[tuple[int, Key]] = set()
    left = iter(at_chunk)

    def act(_: UploadJob) -> None:
        write = next(left, None)
        if write is not None:
            before = shop.known(is_loading=True)
            _write(shop, before, write, deleted_keys)
            # What the API doubled itself: a value that a profile holds, or is about to when its keys are written.
            doubled.update(_doubled(shop.known(is_loading=True)))

    data = b"Email,First\n" + b"".join(f"{email},{first}\n".encode() for email, first in records)
    job = run_with(shop, shop.create_job(COLUMNS, "Email", data), act, rows_per_chunk=rows_per_chunk)

    assert sum(counts(job)) == len(records)
    assert len(shop.failed_rows(job)) == job.failed_count
    assert_index_and_log_are_right(shop, deleted_keys)
    assert _doubled(shop.known(), by_index=True) <= doubled


def _doubled(known: KnownDomain, *, by_index: bool = False) -> set[str]:
    """List the unique keys of several profiles: by their fields or the index, or by the index alone.

    An address in another field than EmailAddress is no unique key.
    """
    holders: dict[str, set[int]] = {}
    for pid, profile in known.profiles.items():
        keys = profile.keys if by_index else profile.keys | profile.derived("US", set())
        own = normal_key("_email", profile.values.get("EmailAddress", ""), "US")
        for key in keys:
            if key.name == "_email" and key.value == own:
                holders.setdefault(key.value, set()).add(pid)
    return {value for value, pids in holders.items() if len(pids) > 1}


def _write(shop: Shop, before: KnownDomain, write: Write, deleted_keys: set[tuple[int, Key]]) -> None:
    if write.kind == "create":
        shop.make_profile({write.path: write.email})
        return
    if write.kind == "move":
        for one in find(shop, write.email):
            held_in = [path for path in FIELDS if one.values.get(path) == write.email]
            change(shop, one, **dict.fromkeys(held_in, ""))
        shop.make_profile({write.path: write.email})
        return
    # Only what is in the index can be found, and so be written to.
    pids = [pid for pid, profile in sorted(before.profiles.items()) if profile.keys]
    if not pids:
        return
    pid = pids[write.which % len(pids)]
    with shop.store.read() as connection:
        profile_id = connection.execute(
            select(tables.profile.c.profile_id).where(tables.profile.c.pid == pid)
        ).scalar_one()
    if write.kind in ("update", "remove"):
        value = write.email if write.kind == "update" else ""
        by_hand.update_profile(shop.store, shop.name, profile_id, ProfileChange(values={write.path: value}), NOW)
    elif write.kind == "delete":
        by_hand.delete_profile(shop.store, shop.name, profile_id, NOW)
    elif write.kind == "add key":
        by_hand.add_profile_key(shop.store, shop.name, profile_id, "_email", [write.email], NOW)
    else:
        by_hand.delete_profile_key(shop.store, shop.name, profile_id, "_email", [write.email], NOW)
        deleted_keys.add((pid, Key("_email", write.email)))


@pytest.mark.long(daily="test_writes_of_the_api_during_a_load_double_no_key_and_leave_the_index_right[postgresql]")
def test_many_small_writes_beside_a_large_load_leave_the_index_right(shop: Shop) -> None:
    """Not at chosen moments but all the time: many rows, and writes from another thread until the load ends."""
    row_count = 20_000
    dice = random.Random(20_000)
    emails = [f"{number}@x" for number in range(row_count)]
    known_before = dice.sample(emails, row_count // 4)
    shop.load(COLUMNS, "Email", b"Email,First\n" + b"".join(b"%s,Old\n" % one.encode() for one in known_before))
    data = b"Email,First\n" + b"".join(b"%s,New\n" % one.encode() for one in emails)
    job = shop.create_job(COLUMNS, "Email", data)
    ended = threading.Event()
    doubled: set[str] = set()
    faults: list[BaseException] = []
    write_count = 0

    def write_until_the_end() -> None:
        nonlocal write_count
        try:
            while not ended.is_set():
                _write_at_random(shop, dice, emails, doubled)
                write_count += 1
        except BaseException as error:  # noqa: BLE001 (raised again by the test)
            faults.append(error)

    thread = threading.Thread(target=write_until_the_end)
    thread.start()
    try:
        job = shop.run(job, rows_per_chunk=500)
    finally:
        ended.set()
        thread.join(DEADLINE_SECONDS)

    assert faults == []
    assert write_count > 20
    assert job.record_count == row_count
    assert_all_is_right(shop, job)
    assert _doubled(shop.known(), by_index=True) <= doubled


def _write_at_random(shop: Shop, dice: random.Random, emails: list[str], doubled: set[str]) -> None:
    email, other = dice.sample(emails, 2)
    found = find(shop, email)
    kind = dice.choice(["create", "update", "delete", "add key"])
    if not found or kind == "create":
        made = shop.create_profile(EmailAddress=email, FirstName="By hand")
        # The load may have made its own shortly before, and not yet put it into the index.
        _note_if_doubled(shop, made.pid, email, doubled)
    elif kind == "update":
        try:
            change(shop, found[0], EmailAddress=other)
        except NotFound:
            return
        _note_if_doubled(shop, found[0].pid, other, doubled)
    elif kind == "delete":
        by_hand.delete_profile(shop.store, shop.name, found[0].profile_id, NOW)
    else:
        by_hand.add_profile_key(shop.store, shop.name, found[0].profile_id, "_email", [other], NOW)
        _note_if_doubled(shop, found[0].pid, other, doubled)


def _note_if_doubled(shop: Shop, pid: int, email: str, doubled: set[str]) -> None:
    profile, key = tables.profile, tables.profile_key
    is_other = (profile.c.domain_id == shop.domain.domain_id) & (profile.c.pid != pid)
    in_index = select(key.c.pid).where(
        key.c.domain_id == shop.domain.domain_id,
        key.c.name == "_email",
        key.c.value == normal_key("_email", email, "US"),
    )
    if shop.count(profile, is_other & ((profile.c.email_address == email) | profile.c.pid.in_(in_index))):
        doubled.add(email)


# Stop and deletion


@pytest.mark.parametrize("phase", ["report", "create", "update"])
def test_what_a_stopped_load_has_written_is_counted_and_found_and_nothing_follows(shop: Shop, phase: str) -> None:
    known_before = b"".join(b"%d@x,Old\n" % number for number in range(4))
    shop.load(COLUMNS, "Email", b"Email,First\n" + known_before)
    data = b"Email,First\n,lost\n" + b"".join(b"%d@x,New\n" % number for number in range(8))
    job = shop.create_job(COLUMNS, "Email", data)
    at_stop: list[tuple[tuple[int, int, int], list[str]]] = []

    def stop() -> None:
        by_hand.write(shop.store, shop.domain, stop_job, job.job_id)
        now = shop.job(job)
        written = [
            one.values["EmailAddress"]
            for one in shop.known().profiles.values()
            if one.last_upload_job == job.job_number
        ]
        at_stop.append((counts(now), written))

    ended = run_with(shop, job, once_at(phase, stop))

    ((counted, written),) = at_stop
    assert (ended.status, ended.status_reason) == ("STOPPED", None)
    assert ended.completed_at is not None
    assert counts(ended) == counted
    assert len(written) == counted[0] + counted[1] < 8
    assert all([one.values["FirstName"] for one in find(shop, email)] == ["New"] for email in written)
    assert_index_and_log_are_right(shop)
    assert shop.place.left_files(job) == []


def test_a_stop_asked_for_when_all_is_written_still_completes_the_keys(shop: Shop) -> None:
    job = shop.create_job(COLUMNS, "Email", b"Email,First\na@x,Ann\nb@x,Bo\n")

    job = run_with(shop, job, once_at("index", lambda: by_hand.write(shop.store, shop.domain, stop_job, job.job_id)))

    assert job.status == "STOPPED"
    assert counts(job) == (2, 0, 0)
    assert [len(find(shop, email)) for email in ("a@x", "b@x")] == [1, 1]
    assert_index_and_log_are_right(shop)


def test_a_preview_runs_beside_a_load_of_its_domain_whatever_the_load_does(shop: Shop) -> None:
    shop.load(COLUMNS, "Email", b"Email,First\na@x,Ann\nb@x,Bo\n")
    previewed = shop.create_job(COLUMNS, "Email", b"Email,First\na@x,Ann\nb@x,Bob\nz@x,Zoe\n,lost\n", start=False)
    loaded = shop.create_job(COLUMNS, "Email", b"Email,First\nb@x,Bob\nc@x,Cy\n,lost\n")
    found: dict[str | None, tuple[str, int, int, int]] = {}

    def preview_once(job: UploadJob) -> None:
        if job.phase in found:
            return
        started = by_hand.write(
            shop.store, shop.domain, previews.start_preview, shop.place.master_key, previewed.job_id
        )
        event = beside.go_on_to_the_end(beside.send(shop.claim(started)))
        assert event["event"] == "ended", event
        ended = shop.job(started)
        found[job.phase] = (ended.status, ended.created_count, ended.updated_count, ended.failed_count)

    beside = LoaderProcess()
    try:
        job = run_with(shop, loaded, preview_once)
    finally:
        beside.close()

    assert {*found} >= {None, "stage", "report", "create", "update", "index"}
    assert {*found.values()} == {("PARTIALLY_SUCCEEDED", 1, 2, 1)}
    assert (job.created_count, job.updated_count, job.failed_count) == (1, 1, 1)
    assert_index_and_log_are_right(shop)


@pytest.mark.parametrize("phase", ["stage", "report", "create", "update", "index"])
def test_of_a_domain_that_is_deleted_during_a_load_nothing_is_left(shop: Shop, phase: str) -> None:
    shop.load(COLUMNS, "Email", b"Email,First\na@x,Ann\nb@x,Bo\n")
    job = shop.create_job(COLUMNS, "Email", b"Email,First\na@x,An\nb@x,Bob\nc@x,Cy\n,lost\nd@x,Di\n")
    loader = shop.place.loader
    removed = False

    event = loader.send(shop.claim(job, rows_per_chunk=1, pause_at=[0]))
    while event["event"] == "paused":
        if not removed and (shop.job(job).phase or "").startswith(phase):
            by_hand.write(shop.store, shop.name, domains.delete_domain)
            removed = True
        if removed:
            _clean(shop)
        event = loader.go_on()
    _clean(shop)

    assert event["event"] == "ended"
    assert removed
    domain_id = shop.domain.domain_id
    for table in (tables.domain, tables.profile, tables.profile_key, tables.job, tables.indexed_field):
        assert shop.count(table, table.c.domain_id == domain_id) == 0, table.name
    for table in (tables.failed_row, tables.pending_keys):
        assert shop.count(table, table.c.upload_job_id == job.job_number) == 0, table.name
    assert shop.place.left_files(job) == []


def test_a_loader_whose_job_is_removed_with_its_domain_writes_nothing_more(shop: Shop) -> None:
    """Its lease has run out, so the domain's data goes while it still lives."""
    job = shop.create_job(COLUMNS, "Email", b"Email,First\na@x,Ann\nb@x,Bo\nc@x,Cy\n")
    loader = shop.place.loader
    orders = shop.claim(job, rows_per_chunk=1, pause_at=[6])

    event = loader.send(orders)
    by_hand.write(shop.store, shop.name, domains.delete_domain)
    with shop.store.write() as connection:
        connection.execute(update(tables.job).where(tables.job.c.job_id == job.job_id).values(lease_until=NOW))
    _clean(shop)
    last = loader.go_on()

    assert event["event"] == "paused"
    assert last["event"] == "lease_lost"
    for table in (tables.profile, tables.profile_key):
        assert shop.count(table, table.c.domain_id == shop.domain.domain_id) == 0


def _clean(shop: Shop) -> None:
    """The steps of the worker that remove a deleted domain's data, until none finds any more."""
    while True:
        with shop.store.write() as connection:
            if not remove_deleted_domain_step(connection, NOW, 500):
                return
