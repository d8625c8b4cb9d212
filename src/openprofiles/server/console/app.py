"""The console as one ASGI application, for every path below /console/."""

from __future__ import annotations

import mimetypes
from importlib import resources

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from openprofiles.errors import Busy, DomainError, InvalidRequest, NotFound, StorageFull, StoreUnreachable
from openprofiles.server.console import connect, domains, jobs, profiles, sign_in, upload
from openprofiles.server.console.render import SECURITY_HEADERS, STATIC_PATH, render, static_digest, static_names
from openprofiles.server.console.visitors import HOME_PATH, BodyTooLarge, Forbidden, json_answer, sent_form, wants_json
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
)


def build_console(services: Services) -> Starlette:
    """All pages, and errors as pages."""
    console = Starlette(
        routes=[
            Route("/", _lead_home, methods=["GET"]),
            Route("/console", _lead_home, methods=["GET"]),
            Route(STATIC_ROUTE, _send_static, methods=["GET"]),
            *sign_in.routes(services),
            *domains.routes(services),
            *profiles.routes(services),
            *connect.routes(services),
            *upload.routes(services),
            *jobs.routes(services),
        ],
        exception_handlers={
            DomainError: _tell,
            Forbidden: _tell,
            BodyTooLarge: _tell,
            WireError: _tell_throttled,
            404: _tell_not_found,
            405: _tell_not_found,
            Exception: _tell_unexpected,
        },
    )
    console.router.redirect_slashes = False
    return console


async def _lead_home(_request: Request) -> Response:
    return RedirectResponse(HOME_PATH, 303)


async def _send_static(request: Request) -> Response:
    name: str = request.path_params["name"]
    file = resources.files("openprofiles.server.console").joinpath("static", name)
    if name not in static_names():
        return await _tell_not_found(request, NotFound(""))
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    # An address of an earlier version of this program gives what there is now, and is not kept.
    is_present = request.path_params["digest"] == static_digest()
    kept = {"Cache-Control": _FOR_EVER if is_present else "no-store"}
    return Response(file.read_bytes(), media_type=kind, headers=SECURITY_HEADERS | kept)


def _answer(request: Request, status: int, title: str, message: str) -> Response:
    if wants_json(request):
        return json_answer({"message": message}, status)
    form = sent_form(request)
    typed = form.typed() if form is not None else []
    context = {"title": title, "message": message, "form": form, "typed": typed, "may_repeat": status != 404}
    return render("error.html", context, status)


async def _tell(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    if status == 500:
        return await _tell_unexpected(request, error)
    request.state.error_code = type(error).__name__
    titles = {403: "This is not allowed", 404: "There is nothing here", 400: "This is not possible"}
    message = str(error) or "What was sent is too large for a form."
    return _answer(request, status, titles.get(status, "This does not work at the moment"), message)


async def _tell_throttled(request: Request, error: Exception) -> Response:
    # The only one that is left to get here.
    if not isinstance(error, WireError) or error.code != "ThrottlingException":
        return await _tell_unexpected(request, error)
    request.state.error_code = error.code
    return _answer(request, 429, "Too many requests", error.message)


async def _tell_not_found(request: Request, _error: Exception) -> Response:
    return _answer(request, 404, "There is nothing here", "The address leads to no page of this console.")


async def _tell_unexpected(request: Request, _error: Exception) -> Response:
    # Starlette raises the error again after this answer, and the server logs it.
    request.state.error_code = "InternalServerException"
    message = "openprofiles has a fault here. Nothing that was stored is lost; the server's log says what happened."
    return _answer(request, 500, "Something went wrong", message)
