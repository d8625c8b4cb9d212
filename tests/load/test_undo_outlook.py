"""What is told of taking a job back is what becomes of its profiles when it is taken back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import budgets
import by_hand
from load.loading import NOW, Place, Shop
from load.oracle import Column
from load.test_oracle import Scenario, entangled_scenarios, make_profile, scenarios_with_policies
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.undo_outlook import UndoOutlook, read_undo_outlook

COLUMNS = (Column("Email", "EmailAddress"), Column("First", "FirstName"))


def outlook(shop: Shop, job: UploadJob, **more: int) -> UndoOutlook:
    return by_hand.read(shop.store, shop.domain, read_undo_outlook, job.job_id, **more)


def touch(shop: Shop, pid: int) -> None:
    profile_id = shop.contents().profiles[pid]["profile_id"]
    change = ProfileChange(values={"LastName": "Since"}, attributes={})
    by_hand.update_profile(shop.store, shop.name, profile_id, change, NOW)


def load_over_two(shop: Shop) -> UploadJob:
    """A job that changes two profiles and makes three."""
    for name in ("a", "b"):
        shop.make_profile({"EmailAddress": f"{name}@x", "FirstName": "Old"}, ingested=True)
    rows = "".join(f"{name}@x,New\n" for name in "abcde")
    return shop.load(COLUMNS, "Email", f"Email,First\n{rows}".encode())


def test_what_was_touched_and_deleted_since_is_counted(shop: Shop) -> None:
    job = load_over_two(shop)
    assert outlook(shop, job) == UndoOutlook(3, 2, 0, 0, True)

    changed, other, made, gone, _ = sorted(shop.contents().profiles)
    touch(shop, changed)
    touch(shop, made)
    for pid in (other, gone):
        by_hand.delete_profile(shop.store, shop.name, shop.contents().profiles[pid]["profile_id"], NOW)

    assert outlook(shop, job) == UndoOutlook(3, 2, 2, 2, True)


def test_of_many_profiles_only_the_first_are_looked_at(shop: Shop) -> None:
    job = load_over_two(shop)
    first, *_, last = sorted(shop.contents().profiles)
    touch(shop, first)
    touch(shop, last)

    assert outlook(shop, job, max_seen=2) == UndoOutlook(3, 2, 1, 0, False)
    assert outlook(shop, job, max_seen=3) == UndoOutlook(3, 2, 2, 0, True)


def test_a_job_that_cannot_be_taken_back_has_no_outlook(shop: Shop) -> None:
    job = shop.create_job(COLUMNS, "Email", b"Email,First\na@x,A\n")
    with pytest.raises(InvalidRequest, match="finished job can be undone"):
        outlook(shop, job)
    with pytest.raises(NotFound):
        by_hand.read(shop.store, shop.domain, read_undo_outlook, "0" * 32)
    job = shop.run(job)
    with pytest.raises(InvalidRequest, match="no longer"):
        by_hand.At(NOW + timedelta(days=400)).read(shop.store, shop.domain, read_undo_outlook, job.job_id)


def test_a_load_of_unchanged_rows_still_set_when_their_profiles_expire(shop: Shop) -> None:
    shop.load(COLUMNS, "Email", b"Email,First\na@x,A\n")
    job = shop.load(COLUMNS, "Email", b"Email,First\na@x,A\n")

    told = outlook(shop, job)
    undo = shop.undo(job)

    assert job.updated_count == job.unchanged_count == 1
    assert (told.changed_count, undo.job.restored_count) == (1, 1)


@budgets.LOADS
@given(scenario=st.one_of(scenarios_with_policies(), entangled_scenarios()), data=st.data())
def test_any_load_is_taken_back_as_it_was_told(place: Place, scenario: Scenario, data: st.DataObject) -> None:
    shop = place.open_shop(expiration_days=30)
    for profile in scenario.profiles:
        make_profile(shop, profile)
    jobs = [
        shop.run(
            shop.create_job(file.columns, file.unique_key.header, file.data, now=NOW, options=file.options),
            rows_per_chunk=scenario.rows_per_chunk,
        )
        for file in scenario.files
    ]
    pids = sorted(pid for pid, profile in shop.known().profiles.items() if profile.expires_at > NOW)
    if pids:
        for pid in data.draw(st.lists(st.sampled_from(pids), max_size=3, unique=True)):
            touch(shop, pid)

    for job in data.draw(st.permutations(jobs)):
        if job.created_count or job.updated_count:
            told = outlook(shop, job)
            undo = shop.undo(job)
            assert told.all_seen
            assert (told.touched_count, told.gone_count) == (undo.job.kept_count, undo.job.gone_count)
            settled = undo.job.removed_count + undo.job.restored_count + undo.job.kept_count + undo.job.gone_count
            assert told.created_count + told.changed_count == settled
