"""Recognise a load that failed because a disk is full: it is tried again when there is space."""

from __future__ import annotations

import errno

_ERRNOS = frozenset((errno.ENOSPC, errno.EDQUOT))
# As SQLite and DuckDB say it; neither gives it an error class of its own through its driver.
_SAYINGS = ("database or disk is full", "No space left on device", "Disk quota exceeded", "max_temp_directory_size")


def is_full_disk(error: BaseException) -> bool:
    """Check whether this error, or a cause of it, is a full disk."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno in _ERRNOS:
            return True
        if any(saying in str(cause) for saying in _SAYINGS):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
