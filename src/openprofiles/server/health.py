"""What an orchestrator and a monitor ask: is the process up, can it work, what has it counted."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openprofiles.server.metrics import CONTENT_TYPE
from openprofiles.server.services import Services
from openprofiles.store.connections import StoreError
from openprofiles.store.open import revision_of

logger = structlog.get_logger("openprofiles.server.health")

# Asked every few seconds by machines, so that a good answer is no line in the log.
PROBE_PATHS = frozenset(("/healthz", "/readyz", "/metrics"))


def routes(services: Services, workers_alive: Callable[[], bool]) -> list[Route]:
    """``/healthz``, ``/readyz`` and ``/metrics``: open to anyone who reaches the server, without customers' data.

    Args:
        workers_alive: whether the workers that this server is to run do run.
    """

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    def readyz(_request: Request) -> Response:
        faults = []
        try:
            with services.store.read() as connection:
                revision_of(connection)
        except StoreError:
            logger.exception("store_unreadable")
            faults.append("the store cannot be read")
        if not workers_alive():
            faults.append("the worker is not running")
        return JSONResponse({"ready": not faults, "faults": faults}, 503 if faults else 200)

    def metrics(_request: Request) -> Response:
        return Response(services.metrics.write(), headers={"content-type": CONTENT_TYPE})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
