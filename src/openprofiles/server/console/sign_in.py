"""Sign in with an access key, and sign out."""

from __future__ import annotations

import math
import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from openprofiles.credentials.wrong_secrets import WrongSecrets
from openprofiles.server.console.render import PAGE_HEADERS, render
from openprofiles.server.console.sessions import COOKIE, LIFETIME, is_from_here, make_cookie
from openprofiles.server.console.visitors import (
    BODY_LIMIT_BYTES,
    MAX_FORM_FIELDS,
    SIGN_IN_PATH,
    Forbidden,
    Visitor,
    find_visitor,
    json_answer,
    own_path,
    signed_in,
)
from openprofiles.server.services import Services

# Anything else is not looked up.
_ACCESS_KEY_ID = re.compile(r"[A-Za-z0-9]{1,128}")
_BODY_LIMIT_BYTES = 64 * 1024

# Wrong attempts that are allowed at once, and the seconds after which one more is. An access key has more of them than
# an address, so that attempts from one address cannot keep the owner of the key out.
_ATTEMPTS_OF_ADDRESS, _SECONDS_OF_ADDRESS = 10, 2.0
_ATTEMPTS_OF_KEY, _SECONDS_OF_KEY = 40, 0.5


def routes(services: Services) -> list[Route]:
    """Serve ``GET`` and ``POST /console/sign-in``, ``GET /console/session``, ``POST /console/sign-out``."""

    wrong_by_address = WrongSecrets(_ATTEMPTS_OF_ADDRESS, _SECONDS_OF_ADDRESS)
    wrong_by_key = WrongSecrets(_ATTEMPTS_OF_KEY, _SECONDS_OF_KEY)

    def show(request: Request) -> Response:
        query = request.query_params
        if "expired" in query:
            return _page(
                query.get("next", ""), "", "Your session expired, and nothing was saved. Sign in, then try again."
            )
        if "next" in query and _is_signed_in(services, request):
            return RedirectResponse(own_path(query["next"]), 303, headers=PAGE_HEADERS)
        return _page(query.get("next", ""), "", None)

    async def sign_in(request: Request) -> Response:
        if not is_from_here(services.settings, request.headers):
            raise Forbidden("This request did not come from a page of this console. Reload the page.")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _BODY_LIMIT_BYTES:
                return _page("", "", "This is not an access key.", 413, is_wrong=True)
        fields = dict(parse_qsl(body.decode("utf-8", "replace")))
        access_key_id = fields.get("access_key_id", "").strip()
        place = fields.get("next", "")
        secret = fields.get("secret_access_key", "").strip()
        principal = None
        address = _address_of(request)
        if _ACCESS_KEY_ID.fullmatch(access_key_id):
            wait_seconds = max(wrong_by_address.seconds_to_wait(address), wrong_by_key.seconds_to_wait(access_key_id))
            if wait_seconds > 0:
                return _too_many_attempts(place, access_key_id, math.ceil(wait_seconds))
            # Counted first, as others may come while this one is looked at.
            wrong_by_address.count(address)
            wrong_by_key.count(access_key_id)
            principal = await run_in_threadpool(services.authenticator.check_secret, access_key_id, secret)
        if principal is None:
            return _page(
                place,
                access_key_id,
                "Wrong access key or secret. If you have lost them, ask your administrator for a new key.",
                403,
                is_wrong=True,
            )
        wrong_by_address.forgive(address)
        wrong_by_key.forgive(access_key_id)
        request.state.access_key_id = access_key_id
        answer = RedirectResponse(own_path(place), 303, headers=PAGE_HEADERS)
        answer.set_cookie(
            COOKIE,
            make_cookie(services.master_key, access_key_id, services.clock()),
            max_age=int(LIFETIME.total_seconds()),
            # Scripts of the console also call operations.
            path="/",
            httponly=True,
            samesite="strict",
            secure=_is_https(services, request),
        )
        return answer

    def sign_out(visitor: Visitor) -> Response:
        answer = _redirect_to_sign_in(services, visitor.request)
        # An earlier version has set it for these paths alone.
        for path in ("/", "/console"):
            answer.delete_cookie(COOKIE, path=path)
        return answer

    return [
        Route(SIGN_IN_PATH, show, methods=["GET"]),
        Route(SIGN_IN_PATH, sign_in, methods=["POST"]),
        # Not counted: the form that is sent next is. Without a session there is nothing to sign out of, and another
        # site that sends a visitor here can't remove their cookie.
        Route("/console/session", signed_in(services, _send_session, is_counted=False), methods=["GET"]),
        Route(
            "/console/sign-out",
            signed_in(services, sign_out, is_counted=False, without_session=_redirect_to_sign_in),
            methods=["POST"],
        ),
    ]


def _send_session(visitor: Visitor) -> Response:
    """Send what a script needs to know before it submits a form."""
    return json_answer(
        {
            "CsrfToken": visitor.session.csrf_token,
            "AccessKeyId": visitor.principal.access_key_id,
            "Name": visitor.principal.name,
            "MaxFormBytes": BODY_LIMIT_BYTES,
            "MaxFormFields": MAX_FORM_FIELDS,
        }
    )


def _is_signed_in(services: Services, request: Request) -> bool:
    """Check by the same rule as every other page."""
    return find_visitor(services, request) is not None


def _redirect_to_sign_in(_services: Services, _request: Request) -> Response:
    return RedirectResponse(SIGN_IN_PATH, 303, headers=PAGE_HEADERS)


def _page(place: str, access_key_id: str, reason: str | None, status: int = 200, *, is_wrong: bool = False) -> Response:
    """Render the page. ``is_wrong``: whether the reason is what was typed."""
    context = {"next": own_path(place), "access_key_id": access_key_id, "reason": reason, "is_wrong": is_wrong}
    return render("sign_in.html", context, status)


def _too_many_attempts(place: str, access_key_id: str, wait_seconds: int) -> Response:
    seconds = "1 second" if wait_seconds == 1 else f"{wait_seconds} seconds"
    answer = _page(place, access_key_id, f"Too many wrong attempts. Wait {seconds}, then try again.", 429)
    answer.headers["Retry-After"] = str(wait_seconds)
    return answer


def _address_of(request: Request) -> str:
    """Find a client's address, also behind a proxy on this machine or a private network."""
    peer = request.client.host if request.client else ""
    # Some proxies add a header of their own after the one that the client made up.
    forwarded = ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
    try:
        address = _parse_address(peer)
        if forwarded and address.is_private:
            address = _parse_address(_without_port(forwarded))
    except ValueError:
        return peer
    # One who has an IPv6 address has the others of its network too.
    return str(ip_network(f"{address}/64", strict=False)) if isinstance(address, IPv6Address) else str(address)


def _without_port(text: str) -> str:
    """Remove the port that some proxies add to an address; an IPv6 address is then in brackets."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _parse_address(text: str) -> IPv4Address | IPv6Address:
    """Parse an address; an IPv4 address may be written as an IPv6 one.

    That is how a server that listens on :: sees the clients that use IPv4.

    Raises:
        ValueError: the text is not an address.
    """
    address = ip_address(text)
    return address if isinstance(address, IPv4Address) else address.ipv4_mapped or address


def _is_https(services: Services, request: Request) -> bool:
    address = services.settings.public_url or str(request.url)
    return address.startswith("https:")
