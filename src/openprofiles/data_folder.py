"""The data folder: private to its owner, on a local disk, changed by one process at a time.

Several processes (servers, workers, commands) start on one data folder at the same moment. Things that exist once (the
master key, the administrator's credential) are created under ``locked_data_folder`` and written atomically.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from openprofiles.disk_faults import disk_fault
from openprofiles.errors import StorageFull
from openprofiles.settings import PostgresqlUrl, Settings, SettingsError

_MOUNTS = Path("/proc/self/mounts")
_NETWORK_FILE_SYSTEMS = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse")
)
_LOCK_NAME = ".lock"
# Files of which any one shows that a folder is a data folder of ours.
_OWN_NAMES = frozenset((_LOCK_NAME, "master.key", "openprofiles.db", "admin-credential.json"))


def check_data_folder(settings: Settings) -> None:
    """Refuse a data folder that cannot be used; make nothing.

    Raises:
        SettingsError: the folder is on a network file system, holds foreign files that others can read, or cannot be
            made or written; or the folder of a store elsewhere does not exist.
    """
    folder = settings.data_folder
    if not isinstance(settings.store, PostgresqlUrl):
        refuse_network_file_system(folder)
        refuse_network_file_system(settings.store_path.parent)
        # A mistyped path is not made: nobody would find the store there again.
        if settings.store_path.parent != folder and not settings.store_path.parent.is_dir():
            raise SettingsError(
                f"There is no folder {settings.store_path.parent} for the store {settings.store_path}. Create it "
                "first, or name another store with --store."
            )
    try:
        nearest = folder
        while not nearest.exists():
            nearest = nearest.parent
        if not nearest.is_dir():
            raise _unusable(folder, f"{nearest} is not a folder")
        # A store that cannot be written can perhaps be read; opening it says what is wrong.
        has_store = not isinstance(settings.store, PostgresqlUrl) and settings.store_path.exists()
        if not has_store and not os.access(nearest, os.W_OK | os.X_OK):
            raise _unusable(folder, f"{nearest} cannot be written")
        if nearest == folder and stat.S_IMODE(folder.stat().st_mode) & 0o077:
            _refuse_foreign_files(folder)
    except OSError as error:
        raise _unusable(folder, str(error.strerror)) from error


def prepare_data_folder(settings: Settings) -> None:
    """Make the data folder and its parts, readable by their owner only.

    Raises:
        SettingsError: as ``check_data_folder``.
    """
    check_data_folder(settings)
    folder = settings.data_folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            folder.chmod(0o700)
        for part in (settings.uploads_folder, settings.scratch_folder):
            part.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        if isinstance(fault := disk_fault(error), StorageFull):
            raise fault from error
        raise _unusable(folder, str(error.strerror)) from error


def refuse_network_file_system(path: Path, mounts: Path = _MOUNTS) -> None:
    """Refuse a path on a network file system: SQLite's locks do not work there.

    Where the kernel does not list its mounts (not Linux), nothing is refused.

    Raises:
        SettingsError: the path lies on one.
    """
    if not mounts.exists():
        return
    path = path.resolve()
    nearest, kind = Path("/"), ""
    for line in mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        _device, escaped, file_system, *_ = line.split(" ")
        mount_point = Path(_unescape(escaped))
        # Of two mounts on one point the later one is seen.
        if path.is_relative_to(mount_point) and len(mount_point.parts) >= len(nearest.parts):
            nearest, kind = mount_point, file_system
    if kind in _NETWORK_FILE_SYSTEMS:
        raise SettingsError(
            f"{path} is on a network file system ({kind} at {nearest}), where a SQLite store is not safe. "
            "Name a folder on a local disk with --data."
        )


@contextmanager
def locked_data_folder(settings: Settings) -> Iterator[None]:
    """Wait for the data folder's lock, then hold it for the block.

    It is held only briefly, at starts. The kernel releases it when the process ends, even by a crash.
    """
    descriptor = os.open(settings.data_folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_private_file(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 atomically, replacing an older one; also safe in a power cut."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _refuse_foreign_files(folder: Path) -> None:
    # A folder that others can read may be somebody's home or a shared one: only an empty one, or one of ours, is
    # taken over.
    names = {entry.name for entry in folder.iterdir()}
    if names and not names & _OWN_NAMES:
        raise SettingsError(
            f"The folder {folder} contains other files, and other users can read it. "
            f"Use --data to name a folder that only openprofiles uses, for example {folder / 'openprofiles-data'}."
        )


def _unusable(folder: Path, reason: str) -> SettingsError:
    return SettingsError(f"The data folder {folder} cannot be used: {reason}. Name another with --data.")


def _unescape(mount_point: str) -> str:
    # The kernel writes blank, tab, newline and backslash as three octal digits.
    for octal, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        mount_point = mount_point.replace(octal, character)
    return mount_point
