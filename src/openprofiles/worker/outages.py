"""Make a worker wait while the disk, the store or the uploaded files are not available."""

from __future__ import annotations

import threading

from openprofiles.disk_faults import disk_fault
from openprofiles.errors import Busy, FilesUnreachable, StorageFull, StoreNotWritable, StoreUnreachable
from openprofiles.logs import EventLogger

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0

_EVENTS: tuple[tuple[type[Exception], str], ...] = (
    (StorageFull, "disk_full"),
    (StoreNotWritable, "store_not_writable"),
    (StoreUnreachable, "store_unreachable"),
    (FilesUnreachable, "files_unreachable"),
    (Busy, "store_busy"),
)

_logger = EventLogger("openprofiles.worker")


class Outages:
    """Pauses that grow from 0.5 s to 5 s while an outage lasts, which the log has once."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._logged: str | None = None
        self._pause_seconds = _FIRST_PAUSE_SECONDS

    def wait(self, error: Exception) -> bool:
        """Pause until it is time to try again; False, at once, if the error is not an outage."""
        fault = disk_fault(error) if isinstance(error, OSError) else error
        event = next((event for kind, event in _EVENTS if isinstance(fault, kind)), None)
        if event is None:
            return False
        if event != self._logged:
            _logger.error(event, fault=str(fault))
            self._logged = event
        self._stop.wait(self._pause_seconds)
        self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
        return True

    def end(self) -> None:
        """Note that all went well: the next outage is a new one."""
        if self._logged is not None:
            _logger.info("work_resumed", after=self._logged)
        self._logged = None
        self._pause_seconds = _FIRST_PAUSE_SECONDS
