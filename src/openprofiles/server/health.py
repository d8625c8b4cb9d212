"""Liveness, readiness and metrics of the server, for orchestrators and monitoring."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openprofiles.disk_faults import disk_is_full
from openprofiles.errors import Busy, StorageFull, StoreNotWritable, StoreUnreachable
from openprofiles.logs import EventLogger
from openprofiles.server.metrics import CONTENT_TYPE
from openprofiles.server.services import Services
from openprofiles.store.open import revision_of
from openprofiles.store.write_check import check_writable

logger = EventLogger("openprofiles.server.health")

_WRITING_SECONDS = 2.0

# Monitoring requests these every few seconds, so successful requests are not logged.
PROBE_PATHS = frozenset(("/healthz", "/readyz", "/metrics"))


class _Writing:
    """Checks whether the store and the disk can be written, at most once every two seconds."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._trying = threading.Lock()
        self._fault: str | None = None
        self._next_try_at = 0.0

    def find_fault(self) -> str | None:
        """Return the error as text; None if the store works."""
        # While one request tries, which may take long, the others are answered by what is known.
        if time.monotonic() >= self._next_try_at and self._trying.acquire(blocking=False):
            try:
                self._set(self._try())
                self._next_try_at = time.monotonic() + _WRITING_SECONDS
            finally:
                self._trying.release()
        return self._fault

    def _try(self) -> str | None:
        folder = self._services.settings.data_folder
        try:
            if folder.exists() and disk_is_full(folder):
                return "the disk is full"
            check_writable(self._services.store)
        except StorageFull:
            return "the disk is full"
        except StoreNotWritable:
            return "the store cannot be written to"
        except Busy:
            # Somebody else writes.
            return None
        except StoreUnreachable:
            return "the store cannot be reached"
        except Exception:
            logger.exception("store_not_checked")
            return "the store cannot be written to"
        return None

    def _set(self, fault: str | None) -> None:
        if fault != self._fault:
            write = logger.info if fault is None else logger.error
            write("writing_checked", fault=fault)
        self._fault = fault


def routes(services: Services, workers_alive: Callable[[], bool]) -> list[Route]:
    """Serve ``/healthz``, ``/readyz`` and ``/metrics``: without credentials, without customers' data.

    Args:
        workers_alive: whether the workers that this server is to run do run.
    """

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    writing = _Writing(services)

    def readyz(_request: Request) -> Response:
        faults = []
        try:
            with services.store.read() as connection:
                is_made = revision_of(connection) is not None
        except Exception:
            logger.exception("store_unreadable")
            faults.append("the store cannot be read")
        else:
            if is_made and (fault := writing.find_fault()):
                faults.append(fault)
        if not workers_alive():
            faults.append("the worker is not running")
        return JSONResponse({"ready": not faults, "faults": faults}, 503 if faults else 200)

    def metrics(_request: Request) -> Response:
        return Response(services.metrics.write(), headers={"content-type": CONTENT_TYPE})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
