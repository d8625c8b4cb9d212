"""Backups of an embedded store, and what is restored from them."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from click.testing import CliRunner
from sqlalchemy import text

import by_hand
from openprofiles.backups.make import Backup, list_backups, make_backup
from openprofiles.backups.restore import restore_backup
from openprofiles.cli.main import openprofiles
from openprofiles.clock import utc_now
from openprofiles.credentials.administer import (
    LostSecrets,
    create_credential,
    ensure_admin_credential,
    is_own_key,
    read_admin_credential,
    read_credentials,
    revoke_credential,
)
from openprofiles.errors import InvalidRequest
from openprofiles.facts.records import Domain
from openprofiles.master_key import create_master_key, load_master_key, read_master_key
from openprofiles.profiles import domains
from openprofiles.settings import S3Location, Settings, SettingsError
from openprofiles.store import upload_jobs
from openprofiles.store.connections import Store
from openprofiles.store.migrations import NEWEST_REVISION
from openprofiles.store.open import alembic_config, open_store, revision_of
from openprofiles.store.sqlite import SqliteStore
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs, webhooks
from openprofiles.uploads.arrival.copy_files import copy_files
from openprofiles.uploads.arrival.files import open_own_files
from openprofiles.uploads.arrival.receive import receive_local
from openprofiles.uploads.jobs import JobRequest
from s3_server import S3Server

NOW = datetime(2026, 1, 31, 2, 0, tzinfo=UTC)
FIELDS = {"Email": {"Source": "_source.Email", "Target": "_profile.EmailAddress"}}


class Place:
    """A data folder with a domain, two jobs that have a file, one of them started, and a webhook."""

    def __init__(self, folder: Path, files: S3Location | None = None) -> None:
        self.settings = Settings(data_folder=folder / "data", files=files)
        self.backups = folder / "backups"
        store = open_store(self.settings)
        master_key = load_master_key(self.settings)
        ensure_admin_credential(self.settings, store, master_key, utc_now())
        domain = domains.create_domain(
            store, "demo", default_expiration_days=30, config={}, tags={}, phone_region="US", now=utc_now()
        )
        by_hand.At(utc_now()).write(store, domain, webhooks.put_webhook, master_key, url=None, secret=None)
        self.waiting, self.started = (self._create_job(store, domain, name) for name in ("waiting", "started"))
        by_hand.At(utc_now()).write(store, domain, jobs.start_job, self.started.job_id)
        store.close()

    def _create_job(self, store: Store, domain: Domain, name: str) -> UploadJob:
        master_key = load_master_key(self.settings)
        request = JobRequest(display_name=name, fields=FIELDS, unique_key="Email", data_expiry_days=30)
        job = by_hand.create_job(store, domain, master_key, request, utc_now())
        path = self.settings.data_folder / "sent.csv"
        path.write_bytes(b"Email\nada@example.com\n")
        with path.open("rb") as file:
            receive_local(store, master_key, open_own_files(self.settings, master_key), job, file, lambda _count: None)
        path.unlink()
        return job

    def back_up(self, *, keep: int | None = None, now: datetime = NOW) -> Backup:
        return make_backup(self.settings, self.backups, keep=keep, now=now)

    def restore(self, backup: Path, *, master_key: Path | None = None) -> tuple[Settings, LostSecrets | None]:
        """Into a new folder, with the key of the original unless another one is given."""
        folder = self.settings.data_folder.with_name("restored")
        settings = Settings(data_folder=folder, master_key=master_key or self.settings.master_key_path)
        lost = restore_backup(settings, backup, now=utc_now()).lost
        return Settings(data_folder=folder), lost


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def states_of_jobs(settings: Settings) -> dict[str, tuple[str, bool]]:
    """Of each job by name: its status, and whether it has a file."""
    store = open_store(settings)
    with store.read() as connection:
        query = "select display_name, status, file_name is not null from upload_job join job using (job_number)"
        rows = connection.execute(text(query)).all()
    store.close()
    return {name: (status, bool(has_file)) for name, status, has_file in rows}


# Making


def test_a_backup_is_for_its_owner_only_and_holds_the_waiting_files_but_not_the_master_key(place: Place) -> None:
    before = os.umask(0)
    try:
        made = place.back_up()
    finally:
        os.umask(before)

    everything = [made.path, *made.path.rglob("*")]
    secret = place.settings.master_key_path.read_bytes()
    administrator = read_admin_credential(place.settings).secret_access_key.encode()
    assert made.path == place.backups / "openprofiles-20260131T020000Z"
    assert {stat.S_IMODE(path.stat().st_mode) for path in [place.backups, *everything] if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in everything if path.is_file()} == {0o600}
    assert names_in(made.path) == {"openprofiles.db", "uploads", "backup.json"}
    assert names_in(made.path / "uploads") == names_in(place.settings.uploads_folder)
    assert (made.file_count, made.jobs_without_file, made.removed) == (2, [], [])
    for path in everything:
        assert path.is_dir() or not any(one in path.read_bytes() for one in (secret, administrator))


def test_the_last_backups_are_kept_and_those_of_another_store_are_not_counted(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "other")
    other.backups = place.backups
    place.backups.mkdir()
    other.back_up(now=NOW - timedelta(days=9))

    made = [place.back_up(keep=2, now=NOW + timedelta(days=day)) for day in range(4)]

    assert [path.name for path in list_backups(place.backups)] == [
        "openprofiles-20260122T020000Z",
        "openprofiles-20260202T020000Z",
        "openprofiles-20260203T020000Z",
    ]
    assert [backup.removed for backup in made] == [[], [], [made[0].path], [made[1].path]]


def test_an_older_backup_that_is_damaged_is_left_alone_with_a_warning(place: Place) -> None:
    damaged, older = (place.back_up(now=NOW + timedelta(days=day)).path for day in range(2))
    (damaged / "backup.json").write_bytes(b"{")

    answer = CliRunner().invoke(
        openprofiles,
        ["backup", str(place.backups), "--data", str(place.settings.data_folder), "--keep", "1"],
        catch_exceptions=False,
    )

    assert answer.exit_code == 0
    assert f"Removed {older}." in answer.stdout
    assert answer.stderr.startswith(f"Warning: {damaged} was neither counted nor removed")
    assert damaged in list_backups(place.backups)
    assert len(list_backups(place.backups)) == 2


_KILLED = """
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from openprofiles.backups import make, restore
from openprofiles.settings import Settings

data, work, key = map(Path, sys.argv[2:])
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "make":
    make.write_private_file = die
    make.make_backup(Settings(data_folder=data), work, keep=None, now=datetime.now(UTC))
else:
    restore.write_private_file = die
    restore.restore_backup(Settings(data_folder=data, master_key=key), work, now=datetime.now(UTC))
"""


def run_until_killed(what: str, data: Path, work: Path, key: Path) -> None:
    died = subprocess.run([sys.executable, "-c", _KILLED, what, data, work, key], capture_output=True, timeout=60)
    assert died.returncode == -9, died.stderr.decode()


def test_a_backup_that_was_killed_does_not_look_whole_and_the_next_one_clears_it_away(place: Place) -> None:
    run_until_killed("make", place.settings.data_folder, place.backups, place.settings.master_key_path)
    left = names_in(place.backups)

    made = place.back_up()

    assert len(left) == 2
    assert all(name.startswith(".") for name in left)
    assert names_in(place.backups) == {".lock", made.path.name}


def test_two_backups_into_one_folder_at_once_are_refused(place: Place) -> None:
    place.back_up()
    with (place.backups / ".lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(InvalidRequest, match=r"Another backup into .* is running"):
            place.back_up(now=NOW + timedelta(days=1))

    assert len(list_backups(place.backups)) == 1


def test_a_backup_for_which_there_is_no_room_leaves_nothing_and_says_so(place: Place) -> None:
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)){_KILLED}".replace(
        "= die", "= 0"
    )

    refused = subprocess.run(
        [sys.executable, "-c", code, "make", place.settings.data_folder, place.backups, "-"], capture_output=True
    )

    assert f"No backup was written to {place.backups}: " in refused.stderr.decode()
    assert names_in(place.backups) == {".lock"}


def test_a_backup_is_not_made_on_a_disk_that_is_not_mounted(place: Place, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=f"There is no folder {tmp_path / 'mnt'}"):
        make_backup(place.settings, tmp_path / "mnt" / "backups", keep=None, now=NOW)


def test_a_lost_uploaded_file_does_not_keep_the_rest_from_being_saved(place: Place) -> None:
    store = open_store(place.settings)
    with store.read() as connection:
        names = dict(upload_jobs.list_job_files(connection))
    store.close()
    (place.settings.uploads_folder / names[place.waiting.job_id]).unlink()

    made = place.back_up()
    settings, lost = place.restore(made.path)

    assert (made.file_count, made.jobs_without_file) == (1, [place.waiting.job_id])
    assert lost is None
    assert names_in(settings.uploads_folder) == {names[place.started.job_id]}


# Restoring


def test_what_is_restored_has_its_jobs_with_their_files_and_the_same_administrator(place: Place) -> None:
    made = place.back_up()

    settings, lost = place.restore(made.path)

    assert lost is None
    assert states_of_jobs(settings) == {"waiting": ("CREATED", True), "started": ("IN_PROGRESS", True)}
    assert names_in(settings.uploads_folder) == names_in(made.path / "uploads")
    assert read_admin_credential(settings) == read_admin_credential(place.settings)
    assert settings.master_key_path.read_bytes() == place.settings.master_key_path.read_bytes()
    modes = {
        path: stat.S_IMODE(path.stat().st_mode) for path in [settings.data_folder, *settings.data_folder.rglob("*")]
    }
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert ".openprofiles.db.restoring" not in names_in(settings.data_folder)
    with closing(sqlite3.connect(settings.store_path)) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]


def test_an_administrator_is_made_where_the_first_one_was_revoked(place: Place) -> None:
    store = open_store(place.settings)
    first = read_admin_credential(place.settings)
    revoke_credential(store, first.access_key_id, utc_now())
    create_credential(
        store,
        load_master_key(place.settings),
        name="reports",
        actions=("profile:Get*",),
        domains=("*",),
        requests_per_second=None,
        now=utc_now(),
    )
    store.close()

    settings, _ = place.restore(place.back_up().path)

    restored = open_store(settings)
    usable = {one.access_key_id: one.name for one in read_credentials(restored) if one.revoked_at is None}
    restored.close()
    assert usable[read_admin_credential(settings).access_key_id] == "administrator"
    assert sorted(usable.values()) == ["administrator", "reports"]


def test_without_the_master_key_the_rest_is_restored_and_it_is_said_what_is_lost(place: Place) -> None:
    made = place.back_up()
    settings = Settings(data_folder=place.settings.data_folder.with_name("restored"))

    restored = restore_backup(settings, made.path, now=utc_now())

    assert restored.lost == LostSecrets(credentials=1, webhooks=1, jobs_ended=1, jobs_without_file=1)
    assert states_of_jobs(settings) == {"waiting": ("CREATED", False), "started": ("FAILED", False)}
    assert names_in(settings.uploads_folder) == set()
    store = open_store(settings)
    master_key = read_master_key(settings.master_key_path)
    assert is_own_key(store, master_key)
    revoked, administrator = read_credentials(store)
    assert revoked.revoked_at is not None
    assert administrator.access_key_id == read_admin_credential(settings).access_key_id != revoked.access_key_id
    domain = by_hand.get_domain(store, "demo")
    # Its key is a new one, so its file can be sent again.
    assert len(jobs.client_token(master_key, by_hand.read(store, domain, jobs.get_job, place.waiting.job_id))) == 32
    store.close()


def test_a_backup_of_an_older_version_is_made_as_it_is_and_migrated_when_it_is_restored(
    tmp_path: Path,
) -> None:
    data = Settings(data_folder=tmp_path / "data")
    data.data_folder.mkdir(mode=0o700)
    create_master_key(data.master_key_path)
    old = SqliteStore(data.store_path)
    with old.write() as connection:
        command.upgrade(alembic_config(connection), "0001")

    made = make_backup(data, tmp_path / "backups", keep=None, now=NOW)
    restored = Settings(data_folder=tmp_path / "restored", master_key=data.master_key_path)
    restore_backup(restored, made.path, now=utc_now())

    with old.read() as connection:
        assert revision_of(connection) == "0001"
    old.close()
    with closing(SqliteStore(restored.store_path)) as store, store.read() as connection:
        assert revision_of(connection) == NEWEST_REVISION


def test_a_backup_of_a_newer_version_is_refused(place: Place) -> None:
    made = place.back_up()
    with closing(sqlite3.connect(made.path / "openprofiles.db")) as connection, connection:
        connection.execute("update alembic_version set version_num = '9999'")

    with pytest.raises(SettingsError, match="a newer version wrote it"):
        place.restore(made.path)

    assert names_in(place.settings.data_folder.with_name("restored")) == {".server.lock", "openprofiles.db.lock"}


def test_a_restore_that_was_killed_leaves_no_store_and_can_be_run_again(place: Place) -> None:
    made = place.back_up()
    folder = place.settings.data_folder.with_name("restored")
    run_until_killed("restore", folder, made.path, place.settings.master_key_path)
    had_store = (folder / "openprofiles.db").exists()

    settings, _ = place.restore(made.path)

    assert not had_store
    assert states_of_jobs(settings)["started"] == ("IN_PROGRESS", True)


def test_a_restore_into_a_folder_that_others_can_read_can_be_run_again_with_the_right_key(
    place: Place, tmp_path: Path
) -> None:
    made, target, other_key = place.back_up(), tmp_path / "restored", tmp_path / "other.key"
    target.mkdir()
    target.chmod(0o755)
    create_master_key(other_key)
    with pytest.raises(InvalidRequest, match="does not belong to the backup"):
        place.restore(made.path, master_key=other_key)

    settings, _ = place.restore(made.path)

    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert states_of_jobs(settings)["started"] == ("IN_PROGRESS", True)


@pytest.mark.parametrize("name", ["new.db", "new.db-wal", "new.db-uploads"])
def test_what_a_former_store_has_left_next_to_the_new_one_is_refused(place: Place, tmp_path: Path, name: str) -> None:
    made = place.back_up()
    (tmp_path / "stores").mkdir()
    (tmp_path / "stores" / name).write_bytes(b"former")
    settings = Settings(
        data_folder=tmp_path / "restored",
        store=tmp_path / "stores" / "new.db",
        master_key=place.settings.master_key_path,
    )

    with pytest.raises(InvalidRequest, match=f"{name} (already|is left over)"):
        restore_backup(settings, made.path, now=utc_now())

    assert names_in(tmp_path / "stores") == {name}


def test_a_used_data_folder_is_refused_although_a_restore_next_to_the_store_was_interrupted(
    place: Place, tmp_path: Path
) -> None:
    made, key = place.back_up(), place.settings.master_key_path.read_bytes()
    saved_key, stores = tmp_path / "saved.key", tmp_path / "stores"
    create_master_key(saved_key)
    stores.mkdir()
    for name in (".restoring", ".new.db.restoring"):
        (stores / name).mkdir()
    settings = replace(place.settings, store=stores / "new.db", master_key=saved_key)

    with pytest.raises(InvalidRequest, match="is not empty"):
        restore_backup(settings, made.path, now=utc_now())

    assert place.settings.master_key_path.read_bytes() == key


def test_a_store_that_was_made_during_a_restore_is_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    made = place.back_up()
    store = place.settings.data_folder.with_name("restored") / "openprofiles.db"

    def copy_and_make_store(*arguments: Any) -> list[str]:
        store.write_bytes(b"of an import")
        return copy_files(*arguments)

    monkeypatch.setattr("openprofiles.backups.restore.copy_files", copy_and_make_store)

    with pytest.raises(InvalidRequest, match="already"):
        place.restore(made.path)

    assert store.read_bytes() == b"of an import"


def test_a_second_restore_to_one_store_is_refused_and_the_first_one_ends_well(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = place.back_up()
    (tmp_path / "stores").mkdir()
    first, second = (
        Settings(
            data_folder=tmp_path / name,
            store=tmp_path / "stores" / "shop.db",
            master_key=place.settings.master_key_path,
        )
        for name in ("first", "second")
    )
    refusals = []

    def copy_and_restore_again(*arguments: Any) -> list[str]:
        with pytest.raises(InvalidRequest, match="is running on the store") as refused:
            restore_backup(second, made.path, now=utc_now())
        refusals.append(refused.value)
        return copy_files(*arguments)

    monkeypatch.setattr("openprofiles.backups.restore.copy_files", copy_and_restore_again)
    restore_backup(first, made.path, now=utc_now())

    assert len(refusals) == 1
    assert names_in(second.data_folder) == set()
    restored = replace(first, master_key=None)
    assert states_of_jobs(restored)["started"] == ("IN_PROGRESS", True)
    assert names_in(tmp_path / "stores") >= {"shop.db", "shop.db-uploads"}


def test_files_in_a_bucket_are_in_the_backup_and_are_restored_to_where_files_names(
    tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    bucket = s3_server.create_bucket("backups")
    place = Place(tmp_path, S3Location(bucket, "here"))
    there = Settings(
        data_folder=tmp_path / "there",
        files=S3Location(bucket, "there"),
        master_key=place.settings.master_key_path,
    )

    made = place.back_up()
    without_files = make_backup(
        replace(place.settings, files=None), place.backups, keep=None, now=NOW + timedelta(days=1)
    )
    in_bucket = restore_backup(there, made.path, now=utc_now())
    local, _ = place.restore(made.path)
    incomplete = restore_backup(
        replace(there, data_folder=tmp_path / "incomplete", files=None), without_files.path, now=utc_now()
    )

    about = json.loads((made.path / "backup.json").read_bytes())
    keys = [one["Key"] for one in s3_server.client().list_objects_v2(Bucket=bucket, Prefix="there/")["Contents"]]
    assert (about["files"], about["file_count"]) == (f"s3://{bucket}/here", 2)
    assert len(names_in(made.path / "uploads")) == 2
    assert {f"there/{name}" for name in names_in(made.path / "uploads")} < set(keys)
    assert (in_bucket.file_count, in_bucket.jobs_without_file) == (2, [])
    assert names_in(local.uploads_folder) == names_in(made.path / "uploads")
    assert set(without_files.jobs_without_file) == {place.waiting.job_id, place.started.job_id}
    assert set(incomplete.jobs_without_file) == {place.waiting.job_id, place.started.job_id}


@pytest.mark.parametrize("what", ["folder in use", "folder of backups", "no backup", "cut off", "another key"])
def test_a_restore_that_cannot_end_well_is_refused_and_changes_nothing(place: Place, tmp_path: Path, what: str) -> None:
    made = place.back_up()
    backup, key, target = made.path, place.settings.master_key_path, tmp_path / "restored"
    if what == "folder in use":
        target.mkdir(mode=0o700)
        (target / "letter.txt").write_text("hello")
        message = f"The folder {target} is not empty"
    elif what == "folder of backups":
        backup = place.backups
        message = f"contains 1 backups. Name one of them; the newest is {made.path}"
    elif what == "no backup":
        backup = place.settings.data_folder
        message = f"There is no backup {backup}"
    elif what == "cut off":
        with (backup / "openprofiles.db").open("r+b") as file:
            file.truncate(50_000)
        message = "is incomplete"
    else:
        key = tmp_path / "other.key"
        create_master_key(key)
        message = f"The master key {key} does not belong to the backup"

    with pytest.raises(InvalidRequest, match=message):
        place.restore(backup, master_key=key)

    left = names_in(target) if target.exists() else set()
    assert left <= {"letter.txt", ".server.lock", "openprofiles.db.lock"}
    assert json.loads((made.path / "backup.json").read_bytes())["store"] == str(place.settings.store_path)
