"""Uploaded files in a folder of this machine."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path

from openprofiles.uploads.arrival.files import ABANDONED_PART_SECONDS, UNPUBLISHED_FILE_SECONDS, NewFile, ReadableFile

_PART = ".part"
_CLEANING_SECONDS = 5.0


class LocalFiles:
    """See ``Files``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def place(self) -> str:
        """See ``Files``."""
        return str(self._folder)

    @property
    def cleaning_seconds(self) -> float:
        """See ``Files``."""
        return _CLEANING_SECONDS

    def check_owner(self, *marks: str) -> None:
        """See ``Files``. A data folder has one master key, so it needs no marks."""

    def set_owner(self, mark: str) -> None:
        """See ``check_owner``."""

    def create(self, name: str) -> NewFile:
        """See ``Files``."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _NewLocalFile(self._folder / name)

    def open(self, name: str) -> AbstractContextManager[ReadableFile]:
        """See ``Files``."""
        return (self._folder / name).open("rb")

    def remove(self, name: str) -> None:
        """See ``Files``."""
        (self._folder / name).unlink(missing_ok=True)

    def remove_orphans(self, needed: set[str], now: datetime) -> int:
        """See ``Files``."""
        removed = 0
        if not self._folder.is_dir():
            return 0
        for path in self._folder.iterdir():
            age_limit = ABANDONED_PART_SECONDS if path.suffix == _PART else UNPUBLISHED_FILE_SECONDS
            try:
                is_old = path.stat().st_mtime < now.timestamp() - age_limit
            except FileNotFoundError:
                continue  # another process removed it first
            if is_old and path.name not in needed:
                path.unlink(missing_ok=True)
                removed += 1
        return removed


class _NewLocalFile:
    """See ``NewFile``. Written under another name, synced, and renamed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part_path = path.with_name(path.name + _PART)
        self._file = os.fdopen(os.open(self._part_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")

    def write(self, data: bytes, /) -> int:
        return self._file.write(data)

    def publish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part_path.rename(self._path)
        _sync_folder(self._path.parent)

    def discard(self) -> None:
        # To close is to write what is still in memory, which fails on a full disk; the file is closed all the same.
        with suppress(OSError):
            self._file.close()
        self._part_path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
