"""Taking a job back leaves every profile and every key as before, whatever died meanwhile, but for what was touched."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import budgets
import by_hand
from load.loader_server import AFTER, BEFORE, INSIDE
from load.loading import NOW, Contents, LoaderFault, Place, Shop, assert_index_and_log_are_right
from load.oracle import Column
from load.test_oracle import Scenario, entangled_scenarios, make_profile, scenarios_with_policies
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.keys import field_key_name
from openprofiles.profiles import domains
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.store import tables
from openprofiles.store.removal import remove_rows_of_ended_jobs_step
from openprofiles.store.undos import UndoJob
from openprofiles.store.upload_job_states import MAX_FAILED_ATTEMPTS, UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs, undos
from openprofiles.uploads.job_options import CLEAR, OVERWRITE, JobOptions
from openprofiles.uploads.mappings.known_attributes import list_known_attributes
from openprofiles.uploads.undos import Undo

EMAIL = Column("Email", "EmailAddress")
PERSONAL = Column("Personal", "PersonalEmailAddress")
FIRST = Column("First", "FirstName")
TIER = Column("Tier", "Attributes.tier")
COLUMNS = (EMAIL, FIRST, TIER)

Deaths = list[tuple[int, str, bool]]

deaths = st.lists(st.tuples(st.integers(1, 16), st.sampled_from([BEFORE, INSIDE, AFTER]), st.booleans()), max_size=4)


def undo_with_deaths(shop: Shop, job: UploadJob, deaths: Deaths, **more: int | None) -> Undo:
    """Take the job back; the loaders that do it die one after the other, and their scratch databases with some."""
    started = shop.start_undo(job)
    loader = shop.place.loader
    for chunk, point, loses_scratch in deaths:
        event = loader.send(shop.claim(started, die_at=(chunk, point), **more))
        if event["event"] == "fault":
            raise LoaderFault(event["trace"])
        if event["event"] == "ended" or shop.job(started).status != "IN_PROGRESS":
            break
        shop.release(started)
        if loses_scratch:
            shutil.rmtree(shop.place.settings.scratch_folder / started.job_id, ignore_errors=True)
    return shop.undo(job, **more) if shop.job(started).status == "IN_PROGRESS" else shop.read_undo(job)


def without_new_indexes(contents: Contents, paths: set[str]) -> Contents:
    """Without the keys of fields that the domain was not indexed by: such an index stays when its job is taken back."""
    names = {field_key_name(path) for path in paths}
    return replace(contents, keys={key for key in contents.keys if key[1] not in names})


def counts(undo: Undo) -> tuple[int, int, int, int]:
    return undo.job.removed_count, undo.job.restored_count, undo.job.kept_count, undo.job.gone_count


@budgets.DYING_LOADS
@given(scenario=st.one_of(scenarios_with_policies(), entangled_scenarios()), deaths=deaths)
def test_any_loads_that_are_taken_back_the_last_first_leave_everything_as_it_was_before_each_of_them(
    place: Place, scenario: Scenario, deaths: Deaths
) -> None:
    shop = place.open_shop(expiration_days=30)
    for profile in scenario.profiles:
        make_profile(shop, profile)
    before = []
    for file in scenario.files:
        contents, paths = shop.contents(), shop.known().indexed_paths
        job = shop.create_job(
            file.columns,
            file.unique_key.header,
            file.data,
            expiry_days=file.expiry_days,
            now=NOW + file.day * timedelta(days=1),
            options=file.options,
        )
        job = shop.run(job, rows_per_chunk=scenario.rows_per_chunk, block_bytes=scenario.block_bytes)
        before.append((job, contents, paths))
    indexed = shop.known().indexed_paths
    for job, contents, paths in reversed(before):
        if not job.created_count and not job.updated_count:
            with pytest.raises(InvalidRequest, match="nothing to undo"):
                shop.start_undo(job)
        else:
            undo = undo_with_deaths(shop, job, deaths, rows_per_chunk=scenario.rows_per_chunk)
            assert undo.job.status == "SUCCEEDED"
            assert (undo.job.removed_count, undo.job.kept_count, undo.job.gone_count) == (job.created_count, 0, 0)
        assert without_new_indexes(shop.contents(), indexed - paths) == contents
        assert shop.count(tables.undo_image, tables.undo_image.c.upload_job_id == job.job_number) == 0
        assert shop.count(tables.undo_absent_key, tables.undo_absent_key.c.upload_job_id == job.job_number) == 0


def test_a_key_that_was_deleted_by_hand_does_not_come_back(shop: Shop) -> None:
    columns = (EMAIL, PERSONAL, FIRST)
    profile = shop.make_profile({"EmailAddress": "a@x", "PersonalEmailAddress": "home@x"}, ingested=True)
    by_hand.delete_profile_key(shop.store, shop.name, profile.profile_id, "_email", ["a@x"], NOW)
    before = shop.contents()
    job = shop.load(columns, "Personal", b"Email,Personal,First\nb@x,home@x,Ann\n")
    assert shop.contents().keys != before.keys

    undo = shop.undo(job)

    assert counts(undo) == (0, 1, 0, 0)
    assert shop.contents() == before


def test_a_key_that_was_deleted_by_hand_and_came_back_row_by_row_goes_again(shop: Shop) -> None:
    columns = (EMAIL, PERSONAL, FIRST)
    profile = shop.make_profile({"EmailAddress": "a@x", "PersonalEmailAddress": "home@x"}, ingested=True)
    by_hand.delete_profile_key(shop.store, shop.name, profile.profile_id, "_email", ["a@x"], NOW)
    before = shop.contents()
    data = b"Email,Personal,First\nb@x,home@x,Ann\na@x,home@x,\nc@x,b@x,\n"
    job = shop.load(columns, "Personal", data, rows_per_chunk=1, strict=True)
    assert (profile.pid, "_email", "a@x") in shop.contents().keys

    undo = shop.undo(job)

    assert counts(undo) == (1, 1, 0, 0)
    assert shop.contents() == before


def test_the_attributes_of_a_job_that_has_loaded_rows_are_known_until_it_is_undone(shop: Shop) -> None:
    job = shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,Ann,gold\n")
    not_started = [EMAIL, Column("Tier", "Attributes.other")]
    shop.create_job(not_started, "Email", b"Email,Tier\na@x,gold\n", start=False)
    known = list_known_attributes(shop.reading)

    shop.undo(job)

    assert (known, list_known_attributes(shop.reading)) == (["tier"], [])


def test_keys_that_were_added_by_hand_stay(shop: Shop) -> None:
    profile = shop.make_profile({"EmailAddress": "a@x"}, ingested=True)
    by_hand.add_profile_key(shop.store, shop.name, profile.profile_id, "_email", ["a@x", "b@x"], NOW)
    before = shop.contents()
    job = shop.load((EMAIL, PERSONAL), "Email", b"Email,Personal\na@x,b@x\n")

    shop.undo(job)

    assert shop.contents() == before


def test_what_was_cleared_and_overwritten_comes_back_with_the_note_of_who_had_set_it(shop: Shop) -> None:
    shop.make_profile({"EmailAddress": "a@x", "FirstName": "Ann"}, {"tier": "gold", "other": "stays"})
    before = shop.contents()
    options = JobOptions(blank_cells=CLEAR, hand_set_fields=OVERWRITE)
    job = shop.run(shop.create_job(COLUMNS, "Email", b"Email,First,Tier\na@x,,\n", options=options))
    assert shop.contents() != before

    shop.undo(job)

    assert shop.contents() == before


def test_what_was_touched_since_stays_and_is_listed(shop: Shop) -> None:
    old, other = (
        shop.make_profile({"EmailAddress": f"{name}@x", "FirstName": "Old"}, ingested=True) for name in ("old", "other")
    )
    before = shop.contents()
    job = shop.load(COLUMNS, "Email", b"Email,First,Tier\nold@x,New,\nother@x,New,\nnew@x,New,\nnewer@x,New,\n")
    made = sorted(set(shop.contents().profiles) - set(before.profiles))
    new = shop.contents().profiles[made[0]]
    for profile_id in (str(old.profile_id), new["profile_id"]):
        by_hand.update_profile(
            shop.store, shop.name, profile_id, ProfileChange(values={"LastName": "Since"}, attributes={}), NOW
        )
    touched = shop.contents()

    undo = shop.undo(job)

    assert counts(undo) == (1, 1, 2, 0)
    kept = by_hand.read(shop.store, shop.domain, undos.list_kept_profiles, job.job_id, max_results=1)
    rest = by_hand.read(
        shop.store, shop.domain, undos.list_kept_profiles, job.job_id, max_results=9, next_token=kept.next_token
    )
    assert [(one.profile_id, one.was_created) for one in (*kept.items, *rest.items)] == [
        (str(old.profile_id), False),
        (new["profile_id"], True),
    ]
    assert rest.next_token is None
    after = shop.contents()
    assert after.profiles == {
        old.pid: touched.profiles[old.pid],
        other.pid: before.profiles[other.pid],
        made[0]: touched.profiles[made[0]],
    }
    assert_index_and_log_are_right(shop)


def test_what_was_deleted_since_is_only_counted(shop: Shop) -> None:
    old = shop.make_profile({"EmailAddress": "old@x"}, ingested=True)
    job = shop.load(COLUMNS, "Email", b"Email,First,Tier\nold@x,New,\nnew@x,New,\nnewer@x,New,\n")
    new = next(row for row in shop.contents().profiles.values() if row["email_address"] == "new@x")
    for profile_id in (str(old.profile_id), new["profile_id"]):
        by_hand.delete_profile(shop.store, shop.name, profile_id, NOW)

    undo = shop.undo(job)

    assert counts(undo) == (1, 0, 0, 2)
    assert shop.contents() == Contents({}, set(), set(), 0)


@pytest.mark.parametrize("was_there", [False, True], ids=["new", "old"])
def test_a_profile_that_something_else_changed_while_it_was_loaded_stays(shop: Shop, was_there: bool) -> None:
    if was_there:
        shop.make_profile({"EmailAddress": "a@x", "PersonalEmailAddress": "c@x"}, ingested=True)
    before = shop.contents().profiles
    data = b"Email,Personal,First\na@x,b@x,Ann\nb@x,,Bo\nb@x,,Bob\n"
    job = shop.create_job((EMAIL, PERSONAL, FIRST), "Email", data)
    loader = shop.place.loader
    # The rows meet in one profile only where a key may stand in any field of its group.
    event = loader.send(shop.claim(job, rows_per_chunk=1, pause_at=[0], strict=True))
    while event["event"] == "paused" and shop.contents().profiles == before:
        event = loader.go_on()
    ((pid, row),) = shop.contents().profiles.items()
    change = ProfileChange(values={"LastName": "Between"}, attributes={})
    by_hand.update_profile(shop.store, shop.name, row["profile_id"], change, NOW)
    assert loader.go_on_to_the_end(event)["event"] == "ended"
    job = shop.job(job)
    loaded = shop.contents().profiles
    assert loaded[pid]["last_upload_job"] == job.job_number

    undo = shop.undo(job)

    assert (undo.job.kept_count, undo.job.gone_count) == (1, 0)
    assert shop.contents().profiles == {pid: loaded[pid]}


def test_what_a_later_load_went_over_stays_until_that_is_taken_back(shop: Shop) -> None:
    before = shop.contents()
    first = shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,Ann,\nb@x,Bo,\n")
    between = shop.contents()
    second = shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,Anna,\n")
    third = shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,Annabel,\n")

    assert counts(shop.undo(third)) == (0, 1, 0, 0)
    assert counts(shop.undo(second)) == (0, 1, 0, 0)
    assert shop.contents() == between
    assert counts(shop.undo(first)) == (2, 0, 0, 0)
    assert shop.contents() == before


def test_an_earlier_load_is_taken_back_but_for_what_a_later_one_went_over(shop: Shop) -> None:
    first = shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,Ann,\nb@x,Bo,\n")
    shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,Ann,\n")

    undo = shop.undo(first)

    assert counts(undo) == (1, 0, 1, 0)
    assert [row["email_address"] for row in shop.contents().profiles.values()] == ["a@x"]
    assert_index_and_log_are_right(shop)


@pytest.mark.parametrize("point", ["read ahead", "half way"])
def test_what_is_touched_while_a_job_is_taken_back_stays(shop: Shop, point: str) -> None:
    for number in range(6):
        shop.make_profile({"EmailAddress": f"n{number}@x", "FirstName": "Old"}, ingested=True)
    job = shop.load(COLUMNS, "Email", b"Email,First,Tier\n" + b"".join(b"n%d@x,New,\n" % n for n in range(12)))
    loaded = shop.contents().profiles
    started = shop.start_undo(job)
    loader = shop.place.loader
    event = loader.send(shop.claim(started, rows_per_chunk=2, pause_at=[0]))
    wanted = "remove" if point == "read ahead" else "restore"
    while shop.job(started).phase != wanted:
        event = loader.go_on()
    # The last one of each kind: it was read, but not written yet.
    last = [max(loaded)] if point == "read ahead" else [max(pid for pid, row in loaded.items() if row["revision"] == 2)]
    for pid in last:
        profile_id = loaded[pid]["profile_id"]
        by_hand.update_profile(
            shop.store, shop.name, profile_id, ProfileChange(values={"LastName": "Now"}, attributes={}), NOW
        )

    assert loader.go_on_to_the_end(event)["event"] == "ended"

    undo = shop.read_undo(job)
    assert (undo.job.kept_count, undo.job.gone_count) == (1, 0)
    after = shop.contents().profiles
    assert {pid for pid, row in after.items() if row["first_name"] == "New"} == set(last)
    assert_index_and_log_are_right(shop)


def test_a_stopped_job_is_taken_back_as_far_as_it_came(shop: Shop) -> None:
    shop.make_profile({"EmailAddress": "n0@x", "FirstName": "Old"}, ingested=True)
    before = shop.contents()
    data = b"Email,First,Tier\n" + b"".join(b"n%d@x,New,\n" % number for number in range(9))
    job = shop.create_job(COLUMNS, "Email", data)
    loader = shop.place.loader
    event = loader.send(shop.claim(job, rows_per_chunk=2, pause_at=[0]))
    while shop.job(job).created_count < 4:
        event = loader.go_on()
    by_hand.write(shop.store, shop.domain, jobs.stop_job, job.job_id)
    assert loader.go_on_to_the_end(event)["event"] == "ended"
    job = shop.job(job)
    assert (job.status, job.created_count) == ("STOPPED", 4)

    undo = shop.undo(job)

    assert counts(undo) == (4, 0, 0, 0)
    assert shop.contents() == before


def test_a_job_is_taken_back_once(shop: Shop) -> None:
    job = shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,Ann,\n")
    first = shop.undo(job)
    shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,Ann,\n")
    loaded = shop.contents()

    again = by_hand.write(shop.store, shop.domain, undos.start_undo, job.job_id)

    assert again == first
    assert shop.contents() == loaded


def test_an_undo_whose_loaders_die_again_and_again_fails_and_goes_on_when_it_is_asked_for_again(shop: Shop) -> None:
    for number in range(4):
        shop.make_profile({"EmailAddress": f"n{number}@x", "FirstName": "Old"}, ingested=True)
    before = shop.contents()
    job = shop.load(COLUMNS, "Email", b"Email,First,Tier\n" + b"".join(b"n%d@x,New,\n" % n for n in range(8)))
    started = shop.start_undo(job)
    loader = shop.place.loader
    loader.send(shop.claim(started, rows_per_chunk=1, die_at=(5, AFTER)))
    shop.release(started, failed_attempts=MAX_FAILED_ATTEMPTS)
    half_way = shop.contents().profiles

    failed = shop.run(started)

    assert (failed.status, failed.status_reason) == ("FAILED", "INTERNAL_FAILURE")
    assert "Start the undo again" in (failed.failure_message or "")
    assert shop.contents().profiles == half_way
    assert_index_and_log_are_right(shop)
    undo = shop.undo(job, rows_per_chunk=1)
    assert counts(undo) == (4, 4, 0, 0)
    assert shop.contents() == before


def test_how_far_the_undos_of_many_jobs_are_is_read_at_once(shop: Shop) -> None:
    done, running, asked_by_nobody = (
        shop.load(COLUMNS, "Email", f"Email,First,Tier\n{name}@x,Ann,\n".encode()) for name in "abc"
    )
    shop.undo(done)
    shop.start_undo(running)
    waiting = shop.create_job(COLUMNS, "Email", b"Email,First,Tier\nd@x,Ann,\n")
    all_jobs = by_hand.read(shop.store, shop.domain, jobs.list_jobs).items
    assert {job.job_id for job in all_jobs} == {job.job_id for job in (done, running, asked_by_nobody, waiting)}

    statuses = by_hand.read(shop.store, shop.domain, undos.find_undo_statuses, all_jobs)

    assert statuses == {
        done.job_number: UploadJobStatus.SUCCEEDED,
        running.job_number: UploadJobStatus.IN_PROGRESS,
    }


def test_an_undo_is_no_upload_job_of_the_api(shop: Shop) -> None:
    job = shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,Ann,\n")
    undo = shop.undo(job)

    page = by_hand.read(shop.store, shop.domain, jobs.list_jobs)

    assert [one.job_id for one in page.items] == [job.job_id]
    with pytest.raises(NotFound):
        by_hand.read(shop.store, shop.domain, jobs.get_job, undo.job.job_id)
    with pytest.raises(NotFound):
        by_hand.read(shop.store, shop.domain, jobs.list_failed_rows, shop.place.master_key, undo.job.job_id)


def test_a_job_that_runs_or_was_never_started_cannot_be_taken_back(shop: Shop) -> None:
    job = shop.create_job(COLUMNS, "Email", b"Email,First,Tier\na@x,Ann,\n", start=False)
    with pytest.raises(InvalidRequest, match="CREATED status"):
        shop.start_undo(job)
    by_hand.write(shop.store, shop.domain, jobs.start_job, job.job_id)
    with pytest.raises(InvalidRequest, match="IN_PROGRESS status"):
        shop.start_undo(job)
    shop.run(job)


def test_a_job_is_taken_back_for_so_many_days_alone(shop: Shop) -> None:
    job = shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,Ann,\n")
    with pytest.raises(InvalidRequest, match="2026-06-04"):
        shop.start_undo(job, now=NOW + timedelta(days=7))
    undo = shop.start_undo(job, now=NOW + timedelta(days=6, hours=23))
    assert shop.run(undo).status == "SUCCEEDED"


def test_nothing_is_kept_where_that_is_not_wanted(shop: Shop) -> None:
    shop.make_profile({"EmailAddress": "a@x"}, ingested=True)
    job = shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,Ann,\n", undo_days=0)

    assert shop.count(tables.undo_image, tables.undo_image.c.upload_job_id == job.job_number) == 0
    with pytest.raises(InvalidRequest, match="--undo-days 0"):
        shop.start_undo(job)


def test_a_first_load_keeps_no_images_and_neither_does_a_preview(shop: Shop) -> None:
    job = shop.create_job(COLUMNS, "Email", b"Email,First,Tier\na@x,Ann,\n", start=False)
    shop.preview(job)
    by_hand.write(shop.store, shop.domain, jobs.start_job, job.job_id)
    shop.run(job)
    second = shop.create_job(COLUMNS, "Email", b"Email,First,Tier\na@x,Anna,\n", start=False)
    shop.preview(second)

    assert shop.count(tables.undo_image, tables.undo_image.c.upload_job_id >= job.job_number) == 0


def test_the_domain_is_deleted_while_a_job_is_taken_back(shop: Shop) -> None:
    job = shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,Ann,\nb@x,Bo,\n")
    started = shop.start_undo(job)
    loader = shop.place.loader
    event = loader.send(shop.claim(started, rows_per_chunk=1, pause_at=[0]))
    by_hand.write(shop.store, shop.name, domains.delete_domain)

    assert loader.go_on_to_the_end(event)["event"] == "ended"

    assert shop.job(started).status == "STOPPED"


def test_only_the_keys_that_were_missing_before_stay_away_whichever_profiles_the_load_changed(shop: Shop) -> None:
    profile = shop.make_profile({"EmailAddress": "a@x", "PersonalEmailAddress": "home@x"}, ingested=True)
    shop.make_profile({"EmailAddress": "q@x", "PersonalEmailAddress": "qhome@x", "FirstName": "Q"}, ingested=True)
    by_hand.delete_profile_key(shop.store, shop.name, profile.profile_id, "_email", ["a@x"], NOW)
    before = shop.contents()
    data = b"Email,Personal,First\nb@x,home@x,\na@x,home@x,\nc@x,b@x,\n,qhome@x,Quin\n"
    job = shop.load((EMAIL, PERSONAL, FIRST), "Personal", data, rows_per_chunk=1, strict=True)
    assert (profile.pid, "_email", "a@x") in shop.contents().keys

    shop.undo(job)

    assert shop.contents() == before


@pytest.mark.parametrize(("first", "second"), [(0, 7), (7, 0)])
def test_for_how_long_a_job_can_be_taken_back_is_what_its_first_loader_said(
    shop: Shop, first: int, second: int
) -> None:
    for number in range(4):
        shop.make_profile({"EmailAddress": f"n{number}@x", "FirstName": "Old"}, ingested=True)
    before = shop.contents()
    job = shop.create_job(COLUMNS, "Email", b"Email,First,Tier\n" + b"".join(b"n%d@x,New,\n" % n for n in range(4)))
    loader = shop.place.loader
    loader.send(shop.claim(job, rows_per_chunk=1, pause_at=[0], undo_days=first))
    while shop.job(job).updated_count < 2:
        loader.go_on()
    loader.die()
    shop.release(job)
    job = shop.run(job, rows_per_chunk=1, undo_days=second)

    images = shop.count(tables.undo_image, tables.undo_image.c.upload_job_id == job.job_number)
    if first:
        assert (images, job.undo_until) == (4, NOW + timedelta(days=first))
        assert counts(shop.undo(job)) == (0, 4, 0, 0)
        assert shop.contents() == before
    else:
        assert (images, job.undo_until) == (0, None)
        with pytest.raises(InvalidRequest, match="its worker ran with --undo-days 0"):
            shop.start_undo(job)


_ONE_KEY_DAILY = pytest.mark.long(daily="test_a_load_between_an_undo_that_failed_and_its_going_on_finds_every_profile")
FAILING_UNDO = (EMAIL, PERSONAL, FIRST)


def fail_half_way(shop: Shop, job: UploadJob, ending: str) -> UndoJob:
    """Have an undo give up when it has restored a profile, whose keys are not in the index yet."""
    started = shop.start_undo(job)
    loader = shop.place.loader
    loader.send(shop.claim(started, rows_per_chunk=1, pause_at=[0]))
    while not shop.job(started).restored_count:
        loader.go_on()
    loader.die()
    shop.release(started, failed_attempts=MAX_FAILED_ATTEMPTS)
    if ending == "by itself":
        return shop.run(started)
    # The loader that gives up dies when it has ended the job: its scratch database is left.
    chunk, left = 1, True
    while shop.job(started).status == "IN_PROGRESS":
        event = loader.send(shop.claim(started, die_at=(chunk, AFTER)))
        assert event["event"] == "died"
        if shop.job(started).status == "IN_PROGRESS":
            shop.release(started, failed_attempts=MAX_FAILED_ATTEMPTS)
        was_left = left
        left = bool(shop.count(tables.pending_keys, tables.pending_keys.c.upload_job_id == started.job_number))
        # Once the notes are gone, the next loader has only few chunks to write.
        chunk = 1 if was_left and not left else chunk + 1
    return shop.job(started)


@pytest.mark.parametrize("ending", ["by itself", "with its scratch database left"])
@pytest.mark.parametrize(
    ("unique_key", "row"),
    [
        pytest.param("Email", b"old@x,,Loaded", marks=_ONE_KEY_DAILY),
        ("Personal", b"third@x,p@x,Loaded"),
        pytest.param("First", b",,Other", marks=_ONE_KEY_DAILY),
    ],
)
def test_a_load_between_an_undo_that_failed_and_its_going_on_finds_every_profile(
    shop: Shop, unique_key: str, row: bytes, ending: str
) -> None:
    for name in ("old", "other"):
        values = {"EmailAddress": f"{name}@x", "PersonalEmailAddress": f"{name[:1]}p@x", "FirstName": name}
        shop.make_profile(values | ({"PersonalEmailAddress": "p@x"} if name == "old" else {}), ingested=True)
    before = shop.contents()
    data = b"Email,Personal,First\nnew@x,p@x,New\nnewer@x,op@x,Newer\n"
    job = shop.load(FAILING_UNDO, "Personal", data)
    failed = fail_half_way(shop, job, ending)
    assert failed.status == "FAILED"
    assert_index_and_log_are_right(shop)

    second = shop.load(FAILING_UNDO, unique_key, b"Email,Personal,First\n" + row + b"\n")
    if unique_key != "First":
        assert (second.created_count, second.updated_count) == (0, 1)
    undo = shop.undo(job)

    assert (undo.job.status, undo.job.kept_count, undo.job.gone_count) == ("SUCCEEDED", 0, 0)
    assert_index_and_log_are_right(shop)
    shop.undo(second)
    assert without_new_indexes(shop.contents(), shop.known().indexed_paths) == before


def test_what_an_undo_that_failed_needs_goes_when_the_job_can_no_longer_be_taken_back(shop: Shop) -> None:
    shop.make_profile({"EmailAddress": "a@x", "PersonalEmailAddress": "p@x", "FirstName": "Old"}, ingested=True)
    job = shop.load(FAILING_UNDO, "Personal", b"Email,Personal,First\nb@x,p@x,New\n")
    fail_half_way(shop, job, "by itself")
    later = NOW + timedelta(days=8, seconds=1)
    with pytest.raises(InvalidRequest, match="can no longer be undone"):
        shop.start_undo(job, now=later)

    with shop.store.write() as connection:
        while remove_rows_of_ended_jobs_step(connection, later, 100, failed_rows_days=None, replaced_values_days=0):
            pass

    assert shop.count(tables.undo_image, tables.undo_image.c.upload_job_id == job.job_number) == 0


def test_a_key_that_was_missing_since_its_index_was_not_whole_comes_back(shop: Shop) -> None:
    shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,Ann,T1\nb@x,Bo,T2\nc@x,Cy,T3\n")
    by_tier = (FIRST, TIER)
    doomed = shop.create_job(by_tier, "Tier", b"First,Tier\nZed,T9\n")
    loader = shop.place.loader
    loader.send(shop.claim(doomed, rows_per_chunk=1, pause_at=[0]))
    while not shop.known().indexed_paths:
        loader.go_on()
    loader.die()
    shop.release(doomed, failed_attempts=MAX_FAILED_ATTEMPTS)
    assert shop.run(doomed).status == "FAILED"
    second = shop.load(COLUMNS, "Email", b"Email,First,Tier\na@x,,N1\n")
    # Builds the index to its end.
    shop.load(by_tier, "Tier", b"First,Tier\nBob,T2\n")

    shop.undo(second)

    assert_index_and_log_are_right(shop)
    found = shop.load(by_tier, "Tier", b"First,Tier\nAnnabel,T1\n")
    assert (found.created_count, found.updated_count) == (0, 1)
