"""Sign in with an access key, and out."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from openprofiles.server.console.render import PAGE_HEADERS, render
from openprofiles.server.console.sessions import COOKIE, LIFETIME, make_cookie
from openprofiles.server.console.visitors import (
    BODY_LIMIT_BYTES,
    HOME_PATH,
    SIGN_IN_PATH,
    Forbidden,
    Visitor,
    is_from_here,
    json_answer,
    signed_in,
)
from openprofiles.server.services import Services

# Whatever is not like one need not be looked for. Nobody guesses a secret of 40 characters: attempts are not counted.
_ACCESS_KEY_ID = re.compile(r"[A-Za-z0-9]{1,128}")
_BODY_LIMIT_BYTES = 64 * 1024


def routes(services: Services) -> list[Route]:
    """``GET`` and ``POST /console/sign-in``, ``GET /console/session``, ``POST /console/sign-out``."""

    def show(request: Request) -> Response:
        reason = (
            "Your session has ended, and the form was not sent. Sign in, open the page again and fill it in once more."
        )
        return _page(request.query_params.get("next", ""), "", reason if "expired" in request.query_params else None)

    async def sign_in(request: Request) -> Response:
        if not is_from_here(services, request):
            raise Forbidden("This request did not come from a page of this console. Load the page again.")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _BODY_LIMIT_BYTES:
                return _page("", "", "That is no access key.", 413)
        fields = dict(parse_qsl(body.decode("utf-8", "replace")))
        access_key_id = fields.get("access_key_id", "").strip()
        place = fields.get("next", "")
        secret = fields.get("secret_access_key", "").strip()
        principal = None
        if _ACCESS_KEY_ID.fullmatch(access_key_id):
            principal = await run_in_threadpool(services.authenticator.check_secret, access_key_id, secret)
        if principal is None:
            return _page(
                place,
                access_key_id,
                "There is no such access key with this secret. An administrator makes keys with: openprofiles "
                "credentials create",
                403,
            )
        request.state.access_key_id = access_key_id
        answer = RedirectResponse(_own_place(place), 303, headers=PAGE_HEADERS)
        answer.set_cookie(
            COOKIE,
            make_cookie(services.master_key, access_key_id, services.clock()),
            max_age=int(LIFETIME.total_seconds()),
            path="/console",
            httponly=True,
            samesite="strict",
            secure=_is_https(services, request),
        )
        return answer

    def sign_out(visitor: Visitor) -> Response:  # noqa: ARG001  (whoever it is)
        answer = RedirectResponse(SIGN_IN_PATH, 303, headers=PAGE_HEADERS)
        answer.delete_cookie(COOKIE, path="/console")
        return answer

    return [
        Route(SIGN_IN_PATH, show, methods=["GET"]),
        Route(SIGN_IN_PATH, sign_in, methods=["POST"]),
        # Whoever asks sends a form next, and that is what counts.
        Route("/console/session", signed_in(services, _tell_session, is_counted=False), methods=["GET"]),
        Route("/console/sign-out", signed_in(services, sign_out), methods=["POST"]),
    ]


def _tell_session(visitor: Visitor) -> Response:
    """What a script needs to know before it sends a form."""
    return json_answer({"CsrfToken": visitor.session.csrf_token, "MaxFormBytes": BODY_LIMIT_BYTES})


def _page(place: str, access_key_id: str, reason: str | None, status: int = 200) -> Response:
    context = {"next": _own_place(place), "access_key_id": access_key_id, "reason": reason}
    return render("sign_in.html", context, status)


def _own_place(place: str) -> str:
    """A place of the console to go to; the start page for any other."""
    is_own = place.startswith(HOME_PATH) and "\\" not in place and not any(ord(letter) < 32 for letter in place)
    return place if is_own else HOME_PATH


def _is_https(services: Services, request: Request) -> bool:
    address = services.settings.public_url or str(request.url)
    return address.startswith("https:")
