"""The storage of uploaded files, encrypted, until their job ends.

There are two kinds: a folder on this machine (``local_files``), and a bucket that servers and workers on other hosts
can reach too (``s3_files``).
"""

from __future__ import annotations

import re
import secrets
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from openprofiles.master_key import MasterKey
from openprofiles.settings import Settings, SettingsError

# A PUT that has written nothing for so long is dead; its server was killed.
ABANDONED_PART_SECONDS = 3600
# A whole file is named by its job within the moment that a transaction takes; one that is not, this long after, will
# never be, or its job has ended.
UNPUBLISHED_FILE_SECONDS = 120

# What a file of ours is called; whatever is called otherwise is not ours to remove.
FILE_NAME = re.compile(r"[0-9a-f]{32}\.[0-9a-f]{16}")

_OWNER_PURPOSE = "owner of uploaded files"


class NewFile(Protocol):
    """A file that is being written. ``discard`` may follow ``publish`` and then does nothing."""

    def write(self, data: bytes, /) -> int:
        """Append; how many bytes were taken, which is all of them."""

    def publish(self) -> None:
        """Make the file readable under its name, whole and kept, and write no more."""

    def discard(self) -> None:
        """Leave nothing behind of a file that was not published."""


class ReadableFile(Protocol):
    """A published file, read from its beginning."""

    def read(self, size_bytes: int, /) -> bytes:
        """Read exactly this many bytes, fewer only at the end of the file."""


class Files(Protocol):
    """All uploaded files of one store, by name. May be used from any thread.

    Every method raises ``OSError`` where a disk fails or is full, and ``FilesUnreachable`` where another host does.
    """

    @property
    def place(self) -> str:
        """Where they are, for people."""

    @property
    def cleaning_seconds(self) -> float:
        """How long to wait between two calls of ``remove_orphans``, which looks at every file."""

    def check_owner(self, *marks: str) -> None:
        """Check that the files here belong to one store: it would remove those of another.

        Args:
            marks: those that the store may have; the first store to come leaves the first one here.

        Raises:
            SettingsError: another store was here first, something else is here, or nothing can be kept here.
        """

    def set_owner(self, mark: str) -> None:
        """Write the mark of a store, replacing the present one."""

    def create(self, name: str) -> NewFile:
        """Begin a file of a name that was never published before."""

    def open(self, name: str) -> AbstractContextManager[ReadableFile]:
        """Read a published file.

        Raises:
            FileNotFoundError: there is none of this name.
        """

    def remove(self, name: str) -> None:
        """Remove a published file, if it is there."""

    def remove_orphans(self, needed: set[str], now: datetime) -> int:
        """Remove files that no job needs, and incomplete uploads left by a crash.

        Args:
            needed: names that must stay.

        Returns:
            how many were removed.
        """


def new_file_name(job_id: str) -> str:
    """Choose a name for a file of this job that no file had before."""
    return f"{job_id}.{secrets.token_hex(8)}"


def open_files(settings: Settings) -> Files:
    """Open the uploaded files of the store, without checking anything yet.

    Raises:
        SettingsError: a package is missing.
    """
    if settings.files is None:
        from openprofiles.uploads.arrival.local_files import LocalFiles

        return LocalFiles(settings.uploads_folder)
    try:
        from openprofiles.uploads.arrival.s3_files import S3Files
    except ImportError as error:
        raise SettingsError(
            "Files in a bucket need more packages. Install them with: pip install 'openprofiles[s3]'"
        ) from error
    return S3Files(settings.files)


def open_own_files(settings: Settings, master_key: MasterKey) -> Files:
    """Open the uploaded files and check that they belong to this store.

    Servers that share them share the master key.

    Raises:
        SettingsError: the bucket cannot be used, or holds the files of another store.
    """
    files = open_files(settings)
    files.check_owner(_owner_mark(master_key))
    return files


def change_owner(settings: Settings, old: MasterKey, new: MasterKey) -> None:
    """Have the files of a store go with another master key.

    Raises:
        SettingsError: the bucket cannot be used, or holds the files of another store.
    """
    files = open_files(settings)
    files.check_owner(_owner_mark(old), _owner_mark(new))
    files.set_owner(_owner_mark(new))


def _owner_mark(master_key: MasterKey) -> str:
    return master_key.sign(_OWNER_PURPOSE, b"").hex()
