"""Mark in a file the time of a worker's last look for jobs.

A worker that hangs is still a running process.
"""

from __future__ import annotations

import time
from pathlib import Path

from openprofiles.logs import EventLogger

_BEAT_SECONDS = 5.0

_logger = EventLogger("openprofiles.worker")


class Heartbeat:
    """Mark the time in a file shared by all workers of one data folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next_beat = 0.0

    def beat(self) -> None:
        """Mark the time, unless this worker did so within the last 5 seconds."""
        if time.monotonic() < self._next_beat:
            return
        self._next_beat = time.monotonic() + _BEAT_SECONDS
        try:
            self._path.touch(mode=0o600)
        except OSError as error:
            # On a full disk, for example; jobs are worth more than the mark.
            _logger.warning("heartbeat_not_written", fault=error.strerror)


def last_beat(path: Path) -> float | None:
    """Read the time of the last mark, in seconds since 1970; None if there is no mark."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None
