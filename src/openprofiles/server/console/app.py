"""The console as one ASGI application, for all paths below /console/."""

from __future__ import annotations

import mimetypes
from contextlib import suppress
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from openprofiles.errors import (
    Busy,
    DomainError,
    InvalidRequest,
    NotFound,
    StorageFull,
    StoreNotWritable,
    StoreUnreachable,
)
from openprofiles.facts.records import Domain
from openprofiles.server.console import (
    connect,
    domains,
    jobs,
    object_types,
    objects,
    profiles,
    segment_queries,
    segments,
    sign_in,
    upload,
)
from openprofiles.server.console.render import SECURITY_HEADERS, STATIC_PATH, render, static_digest, static_files
from openprofiles.server.console.visitors import (
    HOME_PATH,
    BodyTooLarge,
    Forbidden,
    Visitor,
    find_visitor,
    json_answer,
    sent_form,
    wants_json,
)
from openprofiles.server.services import Services
from openprofiles.wire.errors import WireError

PREFIX = "/console/"
STATIC_ROUTE = STATIC_PATH + "{digest}/{name}"

_FOR_EVER = "public, max-age=31536000, immutable"
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (NotFound, 404),
    (InvalidRequest, 400),
    (Forbidden, 403),
    (BodyTooLarge, 413),
    (Busy, 503),
    (StoreUnreachable, 503),
    (StorageFull, 507),
    (StoreNotWritable, 503),
)
# For these errors the page looks up its reader and the domain. Not for requests above the rate, nor if the store may be
# the cause.
_STATUSES_WITH_LOOK_UP = frozenset((400, 403, 404, 413))
_TITLES = {400: "This could not be done", 403: "Not allowed", 404: "Not found", 413: "Too large", 507: "Disk full"}


def build_console(services: Services) -> Starlette:
    """Make the application with all pages, and with errors as pages."""
    console = Starlette(
        routes=[
            Route("/", _redirect_home, methods=["GET"]),
            Route("/console", _redirect_home, methods=["GET"]),
            Route(STATIC_ROUTE, _send_static, methods=["GET"]),
            *sign_in.routes(services),
            *domains.routes(services),
            *profiles.routes(services),
            *object_types.routes(services),
            *objects.routes(services),
            # Before the segments, whose names would match too.
            *segment_queries.routes(services),
            *segments.routes(services),
            *connect.routes(services),
            *upload.routes(services),
            *jobs.routes(services),
        ],
        exception_handlers={
            DomainError: _answer_error,
            Forbidden: _answer_error,
            BodyTooLarge: _answer_error,
            WireError: _answer_throttled,
            404: _answer_not_found,
            405: _answer_not_found,
            Exception: _answer_unexpected,
        },
    )
    console.state.services = services
    console.router.redirect_slashes = False
    return console


async def _redirect_home(_request: Request) -> Response:
    return RedirectResponse(HOME_PATH, 303)


async def _send_static(request: Request) -> Response:
    name: str = request.path_params["name"]
    if (content := static_files().get(name)) is None:
        return await _answer_not_found(request, NotFound(""))
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    # An address of an earlier version of this program gets the present file, which browsers must not keep.
    is_present = request.path_params["digest"] == static_digest()
    kept = {"Cache-Control": _FOR_EVER if is_present else "no-store"}
    return Response(content, media_type=kind, headers=SECURITY_HEADERS | kept)


async def _answer(request: Request, status: int, title: str, message: str) -> Response:
    if wants_json(request):
        return json_answer({"message": message}, status)
    form = sent_form(request)
    typed = form.typed() if form is not None else []
    context = {"title": title, "message": message, "form": form, "typed": typed, "may_repeat": status != 404}
    return await run_in_threadpool(_error_page, request, status, context)


def _error_page(request: Request, status: int, context: dict[str, Any]) -> Response:
    """Render an error with as much navigation as its reader would have elsewhere."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    domain = None
    if status in _STATUSES_WITH_LOOK_UP:
        # A store that does not answer must not make the error page fail too.
        with suppress(DomainError):
            visitor = visitor or find_visitor(request.app.state.services, request)
            domain = None if visitor is None else _domain_of(visitor)
    if visitor is None:
        return render("error.html", context | {"layout": "base.html"}, status)
    layout = "signed_in.html" if domain is None else "of_domain.html"
    return visitor.page("error.html", status, **context, layout=layout, domain=domain)


def _domain_of(visitor: Visitor) -> Domain | None:
    name = visitor.request.path_params.get("domain_name")
    if name is None or "\0" in name or not visitor.principal.may_see_domain(name):
        return None
    return visitor.domain()


async def _answer_error(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    if status == 500:
        return await _answer_unexpected(request, error)
    request.state.error_code = type(error).__name__
    message = str(error) or "The form is too large. Shorten it and try again."
    return await _answer(request, status, _TITLES.get(status, "Temporarily unavailable"), message)


async def _answer_throttled(request: Request, error: Exception) -> Response:
    # Handlers turn all other wire errors into InvalidRequest.
    if not isinstance(error, WireError) or error.code != "ThrottlingException":
        return await _answer_unexpected(request, error)
    request.state.error_code = error.code
    return await _answer(request, 429, "Too many requests", error.message)


async def _answer_not_found(request: Request, _error: Exception) -> Response:
    return await _answer(request, 404, "Page not found", "The console has no page at this address.")


async def _answer_unexpected(request: Request, _error: Exception) -> Response:
    # Starlette raises the error again after this answer, and the server logs it.
    request.state.error_code = "InternalServerException"
    message = "This is an error in openprofiles. No stored data is lost; the server's log has the details."
    return await _answer(request, 500, "Something went wrong", message)
