"""Write a backup: the store at one moment, and the uploaded files that its jobs still need.

A backup is a folder named by its date and time. It is written under another name and renamed when it is complete. The
master key is not in it: anyone with both can read the secrets.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import openprofiles
from openprofiles.data_folder import write_private_file
from openprofiles.errors import InvalidRequest
from openprofiles.settings import Settings, SettingsError
from openprofiles.store.connections import StoreError
from openprofiles.store.open import require_store_file, revision_of
from openprofiles.store.sqlite_backup import copy_state, one_state, sync
from openprofiles.store.upload_jobs import list_job_files
from openprofiles.uploads.arrival.copy_files import copy_files
from openprofiles.uploads.arrival.files import open_files
from openprofiles.uploads.arrival.local_files import LocalFiles

# What a backup consists of.
STORE_NAME = "openprofiles.db"
UPLOADS_NAME = "uploads"
ABOUT_NAME = "backup.json"

_NAME = re.compile(r"openprofiles-\d{8}T\d{6}Z\Z")
_PARTIAL = ".partial"
_LOCK_NAME = ".lock"
# A file that its job needed a moment ago may be gone with the job; then both are looked at again.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made.

    Attributes:
        file_count: uploaded files of jobs that have not ended.
        files_place: the folder or bucket of the store's uploaded files.
        jobs_without_file: ids of jobs whose uploaded file is missing there.
        removed: older backups that were removed.
        unreadable: older backups whose description is damaged, which are neither counted nor removed.
    """

    path: Path
    size_bytes: int
    file_count: int
    files_place: str
    jobs_without_file: list[str]
    removed: list[Path]
    unreadable: list[Path]


def make_backup(settings: Settings, folder: Path, *, keep: int | None, now: datetime) -> Backup:
    """Make a backup in a folder of backups. Servers and workers may run.

    Args:
        keep: how many backups of this store to keep, this one included; None keeps all.

    Raises:
        InvalidRequest: the folder cannot be written or has no room, or another backup into it is running.
        SettingsError: there is no store.
    """
    require_store_file(settings)
    path = folder / f"openprofiles-{now:%Y%m%dT%H%M%SZ}"
    partial = folder / f".{path.name}{_PARTIAL}"
    try:
        _prepare(folder)
        with _locked(folder):
            _remove_partial_backups(folder)
            if path.exists():
                raise InvalidRequest(f"The backup {path} already exists. Try again in a second.")
            try:
                size_bytes, file_count, jobs_without_file = _fill(settings, partial, now)
                partial.rename(path)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
            sync(folder)
            removed, unreadable = ([], []) if keep is None else _remove_old_backups(settings, folder, keep)
    except StoreError as error:
        raise SettingsError(f"The store {settings.store_path} cannot be read, so no backup was written.") from error
    except OSError as error:
        raise InvalidRequest(
            f"No backup was written to {folder}: {error.strerror or error}. Check the disk, or specify another folder."
        ) from error
    files_place = open_files(settings).place
    return Backup(path, size_bytes, file_count, files_place, jobs_without_file, removed, unreadable)


def list_backups(folder: Path) -> list[Path]:
    """List the backups in a folder, oldest first."""
    return sorted(path for path in folder.iterdir() if _NAME.match(path.name) and (path / ABOUT_NAME).exists())


def _prepare(folder: Path) -> None:
    # Not its parents: a disk that is not mounted would go unnoticed.
    if not folder.parent.is_dir():
        raise InvalidRequest(f"There is no folder {folder.parent}. Create it first, or specify another folder.")
    folder.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InvalidRequest(f"Another backup into {folder} is running. Wait until it has finished.") from error
    else:
        yield
    finally:
        os.close(descriptor)


def _fill(settings: Settings, partial: Path, now: datetime) -> tuple[int, int, list[str]]:
    partial.mkdir(mode=0o700)
    (partial / UPLOADS_NAME).mkdir(mode=0o700)
    source, target = open_files(settings), LocalFiles(partial / UPLOADS_NAME)
    for attempt in range(1, _ATTEMPTS + 1):
        # Most files come before the store, whose write-ahead log grows for as long as its state is held.
        with one_state(settings.store_path) as connection:
            _refuse_what_is_no_store(settings, revision_of(connection))
            early = list_job_files(connection)
        copy_files(early, source, target)
        with one_state(settings.store_path) as connection:
            needed = list_job_files(connection)
            missing = copy_files(needed, source, target)
            if missing and attempt < _ATTEMPTS:
                continue
            copy_state(connection, partial / STORE_NAME)
        break
    for _, name in set(early) - set(needed):
        target.remove(name)
    size_bytes = (partial / STORE_NAME).stat().st_size
    about = {
        "openprofiles_version": openprofiles.__version__,
        "made_at": now.isoformat(),
        "store": settings.store_name,
        "store_size_bytes": size_bytes,
        "files": source.place,
        "file_count": len(needed) - len(missing),
    }
    write_private_file(partial / ABOUT_NAME, (json.dumps(about, indent=2) + "\n").encode())
    return size_bytes, len(needed) - len(missing), missing


def _refuse_what_is_no_store(settings: Settings, revision: str | None) -> None:
    if revision is None:
        raise SettingsError(f"The file {settings.store_path} is empty, so it is not a store.")


def _remove_partial_backups(folder: Path) -> None:
    for path in folder.glob(f".openprofiles-*{_PARTIAL}"):
        shutil.rmtree(path)


def _remove_old_backups(settings: Settings, folder: Path, keep: int) -> tuple[list[Path], list[Path]]:
    """Remove old backups; returns those, and the ones that cannot be assigned to a store."""
    # Those of another store that share the folder are not counted and not touched.
    own, unreadable = [], []
    for path in list_backups(folder):
        try:
            if read_about(path).get("store") == settings.store_name:
                own.append(path)
        except InvalidRequest:
            unreadable.append(path)
    for path in own[:-keep]:
        # Under this name first, so that one of which a part is gone does not look whole.
        partial = path.with_name(f".{path.name}{_PARTIAL}")
        path.rename(partial)
        shutil.rmtree(partial)
    return own[:-keep], unreadable


def read_about(backup: Path) -> dict[str, object]:
    """Read what a backup says of itself.

    Raises:
        InvalidRequest: it is damaged.
    """
    try:
        about: dict[str, object] = dict(json.loads((backup / ABOUT_NAME).read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise InvalidRequest(f"{backup / ABOUT_NAME} is damaged. Use another backup.") from error
    return about
