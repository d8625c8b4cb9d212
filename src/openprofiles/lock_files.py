"""Files that are locked with ``flock``."""

from __future__ import annotations

import os
from pathlib import Path

from openprofiles.disk_faults import disk_fault


def open_lock_file(path: Path) -> int | None:
    """Open a lock file, made if it is missing; None if it is missing on a disk that takes no writes.

    Such a disk may hold a store that can still be read. A lock needs no write, so an existing file is opened as it is.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if disk_fault(error) is None:
            raise
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
