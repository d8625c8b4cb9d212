"""Restore a backup into an empty data folder, migrating the store to the present version.

Everything is prepared in a working folder next to the store's place; the store itself is moved into place last. A
restore that was interrupted leaves no store, and the next one starts again.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from openprofiles.backups.make import ABOUT_NAME, STORE_NAME, UPLOADS_NAME, list_backups, read_about
from openprofiles.credentials.administer import LostSecrets, give_up_secrets, is_own_key, write_admin_credential
from openprofiles.data_folder import check_data_folder, write_private_file
from openprofiles.errors import InvalidRequest
from openprofiles.master_key import create_master_key, read_master_key, replace_master_key
from openprofiles.running_server import LOCK_NAME, only_server
from openprofiles.settings import Settings
from openprofiles.store.open import open_existing_store
from openprofiles.store.sqlite_backup import one_state, sync
from openprofiles.store.upload_jobs import list_job_files
from openprofiles.store.use import using_alone
from openprofiles.uploads.arrival.copy_files import copy_files
from openprofiles.uploads.arrival.files import open_own_files
from openprofiles.uploads.arrival.local_files import LocalFiles

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Restored:
    """A store that was restored.

    Attributes:
        file_count: uploaded files of jobs that have not ended.
        jobs_without_file: ids of jobs that have not ended and whose file is not in the backup.
        lost: what cannot be used any more, without the master key; None with it.
    """

    file_count: int
    jobs_without_file: list[str]
    lost: LostSecrets | None


def restore_backup(settings: Settings, backup: Path, *, now: datetime) -> Restored:
    """Restore a backup into the data folder, which must be empty or not exist.

    Args:
        settings: its ``master_key`` is the file that was saved apart, which is copied into the data folder; None
            restores without.

    Raises:
        InvalidRequest: the folder is not empty, there is no whole backup, or another command uses the store.
        SettingsError: the folder or the key cannot be used, or a newer openprofiles made the backup.
    """
    _refuse_what_is_no_backup(backup)
    if settings.master_key is not None:
        read_master_key(settings.master_key)
    _refuse_used_folder(settings)
    own = replace(settings, master_key=None)
    try:
        settings.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_data_folder(own)
        if stat.S_IMODE(settings.data_folder.stat().st_mode) & 0o077:
            settings.data_folder.chmod(0o700)
        with using_alone(own), only_server(own), _work_folder(own) as work:
            _copy_store(backup / STORE_NAME, work.store_path)
            lost = _make_usable(work, backup, settings.master_key, now)
            file_count, jobs_without_file = _copy_files(work, backup)
            _put_in_place(work, own)
    except OSError as error:
        raise InvalidRequest(
            f"The backup was not restored into {settings.data_folder}: {error.strerror or error}. Check the disk, then "
            "run the command again."
        ) from error
    return Restored(file_count, jobs_without_file, lost)


def _refuse_what_is_no_backup(backup: Path) -> None:
    if (backup / ABOUT_NAME).exists() and (backup / STORE_NAME).exists():
        size_bytes = (backup / STORE_NAME).stat().st_size
        if read_about(backup).get("store_size_bytes") != size_bytes:
            raise InvalidRequest(
                f"The backup {backup} is incomplete: its store has the wrong size. Use another backup."
            )
        return
    several = list_backups(backup) if backup.is_dir() else []
    if several:
        raise InvalidRequest(f"{backup} contains {len(several)} backups. Name one of them; the newest is {several[-1]}")
    raise InvalidRequest(f"There is no backup {backup}. Specify a folder that openprofiles backup created.")


def _refuse_used_folder(settings: Settings) -> None:
    folder = settings.data_folder
    # What an interrupted restore has left is not in the way: before it, the folder was empty.
    was_interrupted = _mark(settings).exists()
    locks = (LOCK_NAME, settings.store_lock_path.name)
    if folder.is_dir() and not was_interrupted and any(path.name not in locks for path in folder.iterdir()):
        raise InvalidRequest(f"The folder {folder} is not empty. Name an empty or new folder with --data.")
    _refuse_store(settings)
    if not was_interrupted and settings.uploads_folder.exists():
        raise _is_in_the_way(settings.uploads_folder)


def _refuse_store(settings: Settings) -> None:
    path = settings.store_path
    if path.exists():
        raise InvalidRequest(f"The store {path} already exists. Name another one with --store.")
    # SQLite would write what is in them into the store that is restored.
    for rest in (path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-journal")):
        if rest.exists():
            raise _is_in_the_way(rest)


def _is_in_the_way(path: Path) -> InvalidRequest:
    return InvalidRequest(
        f"{path} is left over from a store that no longer exists. Move it away, or name another store with --store."
    )


def _work_path(settings: Settings) -> Path:
    return settings.store_path.with_name(f".{settings.store_path.name}.restoring")


def _mark(settings: Settings) -> Path:
    """Name the folder that marks a data folder as being restored: the work folder, if the store is in it."""
    return settings.data_folder / _work_path(settings).name


@contextmanager
def _work_folder(settings: Settings) -> Iterator[Settings]:
    """Create a temporary data folder on the store's disk, and remove it afterwards."""
    folder, mark = _work_path(settings), _mark(settings)
    # Looked at again: another restore may have ended since.
    _refuse_used_folder(settings)
    if mark.exists():
        # As far as an interrupted restore came.
        shutil.rmtree(settings.uploads_folder, ignore_errors=True)
    for path in {folder, mark}:
        if path.exists():
            shutil.rmtree(path)
    for path in {folder, mark}:
        path.mkdir(mode=0o700)
    try:
        yield Settings(data_folder=folder, files=settings.files)
    finally:
        for path in {folder, mark}:
            shutil.rmtree(path, ignore_errors=True)


def _make_usable(work: Settings, backup: Path, saved_key: Path | None, now: datetime) -> LostSecrets | None:
    """Migrate the copied store, and give it a master key and an administrator."""
    if saved_key is None:
        create_master_key(work.master_key_path)
    else:
        replace_master_key(work, saved_key)
    with closing(open_existing_store(work)) as store:
        master_key, lost = read_master_key(work.master_key_path), None
        if saved_key is None:
            lost = give_up_secrets(store, master_key, now)
        elif not is_own_key(store, master_key):
            raise InvalidRequest(
                f"The master key {saved_key} does not belong to the backup {backup}. Name the key that was saved with "
                "this store, or restore without one."
            )
        write_admin_credential(work, store, master_key, now)
    return lost


def _copy_files(work: Settings, backup: Path) -> tuple[int, list[str]]:
    """Copy the uploaded files of jobs that have not ended; returns their number, and the jobs without one."""
    with one_state(work.store_path) as connection:
        needed = list_job_files(connection)
    target = open_own_files(work, read_master_key(work.master_key_path))
    missing = copy_files(needed, LocalFiles(backup / UPLOADS_NAME), target)
    return len(needed) - len(missing), missing


def _put_in_place(work: Settings, own: Settings) -> None:
    """Move everything to where it belongs, the store last."""
    # An import may have made one in the time that the restore took.
    _refuse_store(own)
    write_private_file(own.master_key_path, work.master_key_path.read_bytes())
    write_private_file(own.admin_credential_path, work.admin_credential_path.read_bytes())
    if work.uploads_folder.exists():
        work.uploads_folder.rename(own.uploads_folder)
    work.store_path.rename(own.store_path)
    sync(own.store_path.parent)


def _copy_store(source: Path, target: Path) -> None:
    with source.open("rb") as file, os.fdopen(os.open(target, _NEW_FILE, 0o600), "wb") as copy:
        shutil.copyfileobj(file, copy, _PIECE_BYTES)
    sync(target)
