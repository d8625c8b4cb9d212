"""The server as one ASGI application: the API at the root, and our own paths.

The API gets every path that is not ours exactly as it was sent. It does not stand behind a router of the web framework,
which decodes paths first: a tag ARN would fall apart, and a path with a line break would match nothing.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import openprofiles
from openprofiles.credentials.authorise import authorise
from openprofiles.credentials.principal import Principal
from openprofiles.logs import RequestLog
from openprofiles.operations.call import Call
from openprofiles.operations.errors import to_wire_error
from openprofiles.operations.registry import Handler, handlers, own_handlers
from openprofiles.server import health, upload_route
from openprofiles.server.access import Access
from openprofiles.server.console.app import PREFIX as CONSOLE_PREFIX
from openprofiles.server.console.app import STATIC_ROUTE, build_console
from openprofiles.server.services import Services
from openprofiles.wire.app import Context, Finished, WireApp
from openprofiles.wire.errors import WireError, write_error
from openprofiles.wire.model import OWN_PREFIX, Model, load_model, load_own_model

_requests = RequestLog("openprofiles.server.requests")

_OWN_PREFIX = "/openprofiles/"

# Asked for by machines every few seconds, or with every page: good answers are not logged.
_QUIET_ROUTES = health.PROBE_PATHS | {STATIC_ROUTE}


def build_app(services: Services, *, workers_alive: Callable[[], bool]) -> ASGIApp:
    """Build the application that one server process serves.

    Args:
        workers_alive: as ``health.routes``.
    """
    serve = partial(_serve, services, Access(services))
    api = serve(load_model(), handlers())
    own_api = serve(load_own_model(), own_handlers(), label_prefix=OWN_PREFIX + ":", is_exact=True)
    own = Starlette(
        routes=[*health.routes(services, workers_alive), *upload_route.routes(services)],
        exception_handlers={
            404: _answer_not_found,
            405: _answer_not_found,
            Exception: _answer_unexpected,
        },
    )
    # A redirect would lead a signed request to a path that it was not signed for.
    own.router.redirect_slashes = False
    return _Dispatch(api, own_api, own, build_console(services), services)


def _serve(
    services: Services,
    access: Access,
    model: Model,
    functions: Mapping[str, Handler],
    *,
    label_prefix: str = "",
    is_exact: bool = False,
) -> WireApp[Principal]:
    """Serve the operations of a model.

    Args:
        label_prefix: what logs and metrics put before the name of an operation.
        is_exact: as ``WireApp``.
    """
    return WireApp(
        model,
        {name: _bind(handler, services) for name, handler in functions.items()},
        access.authenticate,
        authorise,
        version=openprofiles.__version__,
        region_of=access.region_of,
        is_exact=is_exact,
        check_head=access.check_head,
        to_wire_error=to_wire_error,
        on_finished=lambda finished: _record_operation(services, label_prefix, finished),
        clock=services.clock,
    )


def _bind(handler: Handler, services: Services) -> Callable[[Context[Principal], Any], Mapping[str, Any]]:
    settings = services.settings

    def handle(context: Context[Principal], request: Any) -> Mapping[str, Any]:
        call = Call(
            settings=settings,
            store=services.store,
            read_master_key=lambda: services.master_key,
            principal=context.principal,
            request_id=context.request_id,
            region=context.region,
            now=context.now,
            base_url=settings.public_url or context.base_url,
        )
        answer: Mapping[str, Any] = handler(call, request)
        return answer

    return handle


@dataclass(frozen=True, slots=True)
class _Dispatch:
    """Our own paths to our own operations and routes, pages to the console, every other one to the API."""

    _api: ASGIApp
    _own_api: WireApp[Principal]
    _own: Starlette
    _console: Starlette
    _services: Services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._own(scope, receive, send)
        elif self._own_api.has_path(scope["method"], scope["raw_path"]):
            await self._own_api(scope, receive, send)
        elif scope["path"] in health.PROBE_PATHS or scope["path"].startswith(_OWN_PREFIX):
            await self._answer_own(self._own, scope, receive, send)
        elif _is_for_console(scope):
            await self._answer_own(self._console, scope, receive, send)
        else:
            await self._api(scope, receive, send)

    async def _answer_own(self, application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request_id = str(uuid.uuid4())
        # Routes store here what the request's log line has in addition to its status: error_code, access_key_id.
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).setdefault("x-amzn-requestid", request_id)
            await send(message)

        try:
            await application(scope, receive, send_with_id)
        except ClientDisconnect:
            # Nobody reads the answer that Starlette has made of it.
            status = 0
            state.pop("error_code", None)
        finally:
            # Status 0: the client left before there was an answer.
            route = scope.get("route")
            template = route.path if isinstance(route, Route) else "unknown"
            duration_seconds = time.perf_counter() - started
            self._services.metrics.count_request(template, status, duration_seconds)
            if template not in _QUIET_ROUTES or status >= 400:
                _log_request(
                    scope["method"],
                    template,
                    status,
                    duration_seconds,
                    request_id,
                    error_code=state.get("error_code"),
                    access_key_id=state.get("access_key_id"),
                )


def _is_for_console(scope: Scope) -> bool:
    """Check whether a request is for the console. At the root only a browser's is; others are for the API."""
    if scope["path"] == "/":
        return bool(scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", ""))
    return bool(scope["path"] == "/console" or scope["path"].startswith(CONSOLE_PREFIX))


def _record_operation(services: Services, label_prefix: str, finished: Finished[Principal]) -> None:
    operation = "unknown" if finished.operation is None else label_prefix + finished.operation
    services.metrics.count_request(operation, finished.status, finished.duration_seconds)
    _log_request(
        None,
        operation,
        finished.status,
        finished.duration_seconds,
        finished.request_id,
        error_code=finished.error_code,
        access_key_id=finished.principal.access_key_id if finished.principal else None,
    )


def _log_request(
    method: str | None, operation: str, status: int, duration_seconds: float, request_id: str, **more: str | None
) -> None:
    fields: dict[str, Any] = {"method": method, "operation": operation, "status": status}
    fields |= {"duration_ms": round(duration_seconds * 1000, 1), "request_id": request_id} | more
    _requests.write({name: value for name, value in fields.items() if value is not None})


def _respond(request: Request, error: WireError) -> Response:
    request.state.error_code = error.code
    status, headers, body = write_error(error)
    response = Response(body, status)
    response.raw_headers += headers
    return response


async def _answer_not_found(request: Request, _error: Exception) -> Response:
    message = "There is nothing at this path for this method."
    return _respond(request, WireError("UnknownOperationException", message))


async def _answer_unexpected(request: Request, _error: Exception) -> Response:
    # Starlette raises the error again after this answer, and uvicorn logs it.
    return _respond(request, WireError("InternalServerException", "An internal service error occurred."))
