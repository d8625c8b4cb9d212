"""Segments of what an upload job has created or changed: while it runs, afterwards, and when it is taken back."""

from __future__ import annotations

from typing import Any

import pytest

import by_hand
from load.loading import NOW, Place, Shop
from load.oracle import Column
from openprofiles.errors import InvalidRequest
from openprofiles.segments.definitions import GROUPS, create_segment
from openprofiles.segments.membership import list_members
from openprofiles.store.upload_jobs import UploadJob

COLUMNS = (Column("Email", "EmailAddress"), Column("First", "FirstName"))


def define(shop: Shop, relation: str, job: UploadJob) -> str:
    """Create a segment of a job; return its name."""
    name = f"{relation}-{job.job_number}"
    test = {f"_openprofiles.{relation}_by_upload_job": {"DimensionType": "INCLUSIVE", "Values": [job.job_id]}}
    body: Any = {GROUPS: {"Groups": [{"Dimensions": [{"ProfileAttributes": {"Attributes": test}}]}]}}
    by_hand.write(shop.store, shop.domain, create_segment, name, {"DisplayName": name}, body, {})
    return name


def members(shop: Shop, name: str) -> str:
    """List the email addresses of the members."""
    ids = by_hand.read(shop.store, shop.domain, list_members, name, max_results=100).profile_ids
    found = by_hand.get_profiles(shop.store, shop.name, ids, NOW).profiles
    return " ".join(sorted(one.values["EmailAddress"] for one in found))


def test_a_job_has_created_its_new_profiles_and_none_once_it_is_taken_back(shop: Shop) -> None:
    shop.create_profile(ingested=True, EmailAddress="old@x")
    first = shop.load(COLUMNS, "Email", b"Email,First\nold@x,Ann\na@x,Bob\na@x,Rob\nb@x,Cleo\n,Eve\n")
    second = shop.load(COLUMNS, "Email", b"Email,First\na@x,Bo\nc@x,Dan\n")
    names = [define(shop, relation, job) for job in (first, second) for relation in ("made", "touched")]

    loaded = [members(shop, name) for name in names]
    shop.undo(second)
    second_undone = [members(shop, name) for name in names]
    shop.undo(first)
    both_undone = [members(shop, name) for name in names]

    assert (first.created_count, second.created_count) == (2, 1)
    # The second job has changed one of those that the first has created.
    assert loaded == ["a@x b@x", "a@x b@x old@x", "c@x", "a@x c@x"]
    assert second_undone[:3] == ["a@x b@x", "a@x b@x old@x", ""]
    assert (both_undone[0], both_undone[2]) == ("", "")


def test_a_segment_of_a_job_grows_while_the_job_runs(shop: Shop) -> None:
    rows = "".join(f"c{number}@x,Ann\n" for number in range(6))
    job = shop.create_job(COLUMNS, "Email", f"Email,First\n{rows}".encode())
    name = define(shop, "made", job)
    loader = shop.place.loader

    sizes = [len(members(shop, name).split())]
    event = loader.send(shop.claim(job, rows_per_chunk=2, pause_at=[0]))
    while event["event"] == "paused":
        sizes.append(len(members(shop, name).split()))
        event = loader.go_on()
    sizes.append(len(members(shop, name).split()))

    assert event["event"] == "ended"
    assert sizes == sorted(sizes)
    assert {0, 2, 4, 6} == set(sizes)


def test_a_job_of_another_domain_makes_no_segment(place: Place) -> None:
    job = place.open_shop().create_job(COLUMNS, "Email", b"Email,First\na@x,Ann\n", start=False)

    for relation in ("made", "touched"):
        with pytest.raises(InvalidRequest, match=f"there is no upload job {job.job_id} in domain"):
            define(place.open_shop(), relation, job)
