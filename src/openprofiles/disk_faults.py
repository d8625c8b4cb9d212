"""Turn operating system errors about full disks and unwritable files into clear errors."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from openprofiles.errors import StorageFull, StoreNotWritable

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))
_NOT_WRITABLE = frozenset((errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO))
# With less, neither a write-ahead log nor an upload can grow.
_LEAST_ROOM_BYTES = 256 * 1024


def disk_fault(error: OSError) -> StoreNotWritable | None:
    """Find the fault of a disk or of a file's permissions in an error; None if it is something else."""
    if error.errno in _NO_ROOM:
        return StorageFull("The disk is full. Free some space, then try again.")
    if error.errno in _NOT_WRITABLE:
        name = error.filename2 or error.filename or "A file in the data folder"
        return StoreNotWritable(
            f"{name} cannot be used: {error.strerror}. Check the disk, and make the file and its folder writable "
            "for the user that runs openprofiles."
        )
    return None


def disk_is_full(folder: Path) -> bool:
    """Report whether the disk of a folder has no room left for this user."""
    room = os.statvfs(folder)
    # What is reserved for root counts for root.
    blocks = room.f_bfree if os.geteuid() == 0 else room.f_bavail
    return blocks * room.f_frsize < _LEAST_ROOM_BYTES
