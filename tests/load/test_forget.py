"""Nothing of a deleted profile is left but its number: what loads have kept of it, and the bytes of the file."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

import by_hand
from load.loading import NOW, Place, Shop, assert_index_and_log_are_right
from load.oracle import Column
from openprofiles.bulk.images import unpack_images
from openprofiles.facts.records import Profile
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.store import tables
from openprofiles.store.forget_jobs import add_forget_jobs
from openprofiles.store.job_queue import Job, find_job
from openprofiles.store.upload_jobs import UploadJob

COLUMNS = [
    Column("Email", "EmailAddress"),
    Column("First", "FirstName"),
    Column("Phone", "PhoneNumber"),
    Column("Tier", "Attributes.tier"),
]
SECRETS = [b"secretmail", b"Secretname", b"2069990147", b"secrettier", b"secrethand", b"secretkey"]
OTHERS = 400


def load_twice(shop: Shop) -> tuple[Profile, UploadJob]:
    """Load a profile among others, and change it in every way; return it and the second load."""
    others = "".join(f"a{number}@example.com,Ann,+1206555{number:04},gold\n" for number in range(OTHERS))
    head, tail = "Email,First,Phone,Tier\n", others.replace("gold", "silver")
    shop.load(COLUMNS, "Email", f"{head}secretmail@example.com,Secretname,+12069990147,secrettier\n{others}".encode())
    (secret,) = [one for one in profiles_of(shop) if one.values.get("FirstName") == "Secretname"]
    store, name, profile_id = shop.store, shop.name, secret.profile_id
    change = ProfileChange(values={"LastName": "secrethand"}, attributes={"note": "secrethand"})
    by_hand.update_profile(store, name, profile_id, change, NOW)
    by_hand.update_profile(store, name, profile_id, ProfileChange(values={"LastName": "B"}), NOW)
    by_hand.add_profile_key(store, name, profile_id, "_account", ["secretkey"], NOW)
    by_hand.delete_profile_key(store, name, profile_id, "_phone", ["+12069990147"], NOW)
    changed = f"{head}secretmail@example.com,New,+12069990148,new\n{tail}".encode()
    return secret, shop.load(COLUMNS, "Email", changed, rows_per_chunk=50)


def profiles_of(shop: Shop) -> list[Profile]:
    of_domain = tables.profile.c.domain_id == shop.domain.domain_id
    with shop.store.read() as connection:
        ids = list(connection.execute(select(tables.profile.c.profile_id).where(of_domain)).scalars())
    return list(by_hand.get_profiles(shop.store, shop.name, ids, NOW).profiles)


def add_job(shop: Shop, minutes: int = 15) -> Job | None:
    """Add jobs as the worker does so long after the last deletion; return that of the domain, if there is one."""
    now = NOW + timedelta(minutes=minutes)
    job = tables.job
    waiting = select(job.c.job_number).where(
        job.c.domain_id == shop.domain.domain_id, job.c.kind == "forget", job.c.status == "IN_PROGRESS"
    )
    with shop.store.write() as connection:
        add_forget_jobs(connection, now - timedelta(minutes=15), now)
        number = connection.execute(waiting).scalar_one_or_none()
        return None if number is None else find_job(connection, shop.domain.domain_id, number)


def forget(shop: Shop, *, minutes: int = 15) -> Job | None:
    """Do what the worker does so long after the last deletion; return the job, if there is one."""
    found = add_job(shop, minutes)
    if found is not None:
        event = shop.place.loader.go_on_to_the_end(shop.place.loader.send(shop.claim(found)))
        assert event["event"] == "ended", event
    return found


def images_of(job: UploadJob, shop: Shop) -> list[dict[str, object]]:
    """Return all rows of the images of a job."""
    of_job = tables.undo_image.c.upload_job_id == job.job_number
    with shop.store.read() as connection:
        contents = list(
            connection.execute(select(tables.undo_image.c.content).where(of_job).order_by("undo_image_id")).scalars()
        )
    return [row for rows in unpack_images(iter(contents)) for row in rows.to_pylist()]


def test_the_values_of_a_deleted_profile_go_from_what_loads_have_kept_and_those_of_others_stay(shop: Shop) -> None:
    secret, second = load_twice(shop)
    before = images_of(second, shop)
    by_hand.delete_profile(shop.store, shop.name, secret.profile_id, NOW)
    assert forget(shop, minutes=14) is None

    assert forget(shop) is not None

    after = images_of(second, shop)
    assert [row for row in after if row["pid"] != secret.pid] == [row for row in before if row["pid"] != secret.pid]
    (kept,) = [row for row in after if row["pid"] == secret.pid]
    numbers = {"pid", "revision", "updated_at", "expires_at", "last_upload_job"}
    assert {name for name, value in kept.items() if value is not None} == numbers
    assert shop.count(tables.undo_absent_key, tables.undo_absent_key.c.pid == secret.pid) == 0
    assert_index_and_log_are_right(shop)
    # There is nothing more to do until the next profile is deleted.
    assert forget(shop, minutes=60) is None


def test_many_deleted_profiles_are_forgotten_in_parts(shop: Shop) -> None:
    _, second = load_twice(shop)
    loader, deleted = shop.place.loader, profiles_of(shop)[:2]
    for one in deleted:
        by_hand.delete_profile(shop.store, shop.name, one.profile_id, NOW)
    job = add_job(shop)
    assert job is not None

    def forgotten() -> set[int]:
        return {one.pid for one in deleted} & {
            row["pid"] for row in images_of(second, shop) if row["email_address"] is None
        }

    # Of the first part, the image and the note are written.
    event = loader.send(shop.claim(job, rows_per_chunk=1, pause_at=[3]))
    assert forgotten() == {deleted[0].pid}
    assert loader.go_on_to_the_end(event)["event"] == "ended"

    assert forgotten() == {one.pid for one in deleted}
    assert add_job(shop, minutes=60) is None


def test_an_undo_after_that_restores_the_others(shop: Shop) -> None:
    secret, second = load_twice(shop)
    by_hand.delete_profile(shop.store, shop.name, secret.profile_id, NOW)
    forget(shop)

    undo = shop.undo(second).job

    assert (undo.restored_count, undo.gone_count) == (OTHERS, 1)
    assert {one.attributes["tier"] for one in profiles_of(shop)} == {"gold"}
    assert_index_and_log_are_right(shop)


@pytest.mark.daily_on("sqlite")
def test_no_byte_of_a_deleted_profile_is_in_the_file_of_the_store(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = Place(tmp_path_factory.mktemp("forget") / "data")
    shop = place.open_shop()
    secret, _ = load_twice(shop)
    file = place.settings.data_folder / "openprofiles.db"
    log = file.with_name("openprofiles.db-wal")
    kept = file.read_bytes() + (log.read_bytes() if log.exists() else b"")
    assert all(name in kept for name in SECRETS)

    by_hand.delete_profile(shop.store, shop.name, secret.profile_id, NOW)
    forget(shop)
    # As a worker does, while a server has the store open.
    assert place.store.empty_log()
    found = file.read_bytes() + log.read_bytes()
    place.close()

    assert [name for name in SECRETS if name in found] == []
    assert b"a399@example.com" in found
