"""The visitor who asks for a page, and what they may do.

A handler is a plain function of a ``Visitor``; ``signed_in`` turns it into an endpoint. It runs in the thread pool.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Match

from openprofiles.credentials.principal import Principal
from openprofiles.errors import Busy, InvalidRequest
from openprofiles.facts.records import Domain
from openprofiles.profiles.session import Reading, Writing
from openprofiles.server.connections import OWN_PACE
from openprofiles.server.console.page_permissions import ACTION_WORDS, DONE_MESSAGES, NEEDS, TABS, Page, path_of_tab
from openprofiles.server.console.render import PAGE_HEADERS, render
from openprofiles.server.console.sent_form import CSRF_FIELD, SentForm
from openprofiles.server.console.sessions import (
    COOKIE,
    CSRF_HEADER,
    Session,
    is_csrf_token,
    is_from_here,
    is_own_host,
    read_cookie,
)
from openprofiles.server.services import Services

HOME_PATH = "/console/"
SIGN_IN_PATH = "/console/sign-in"
# A form with 30,000 attributes, or some thousand with long values: each is sent as it was and as it is.
BODY_LIMIT_BYTES = 8 * 1024 * 1024
# Small fields take far more memory than their bytes.
MAX_FORM_FIELDS = 100_000

_PIECE_TIMEOUT_SECONDS = 60.0
_CHANGING_METHODS = frozenset(("POST", "PUT", "PATCH", "DELETE"))


class Forbidden(Exception):
    """The visitor may not do this.

    The message says what, and what to do about it.
    """


class BodyTooLarge(Exception):
    """A form or document is larger than the console accepts."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in, with their request.

    Attributes:
        body: the body of a request that changes something; empty for other requests.
        file: the body, at its beginning, where the endpoint takes a file.
    """

    services: Services
    request: Request
    session: Session
    principal: Principal
    body: bytes
    file: BinaryIO | None = None

    def may(self, action: str, domain_name: str | None = None) -> bool:
        """Return whether the visitor may do an action, such as ``profile:GetUploadJob``, on a domain."""
        return self.principal.may_do(action) and (domain_name is None or self.principal.may_see_domain(domain_name))

    def require(self, action: str, domain_name: str | None = None) -> None:
        """Raise Forbidden unless the visitor may do an action."""
        if not self.may(action, domain_name):
            what = ACTION_WORDS[action].format(domain=domain_name or "this domain")
            key = f"allows {action}" if not self.principal.may_do(action) else "covers this domain"
            raise Forbidden(
                f"You don't have permission to {what}. Ask your administrator for an access key that {key}."
            )

    def reading(self, *actions: str) -> AbstractContextManager[Reading]:
        """Open a session that reads the domain in the path.

        Args:
            actions: all that the visitor must be allowed to do there.

        Raises:
            Forbidden: the visitor may not.
            NotFound: the domain does not exist.
        """
        return self.services.reading(self._require_in_path(actions))

    def writing(self, *actions: str) -> AbstractContextManager[Writing]:
        """Begin a session that writes to the domain in the path; see ``reading``."""
        return self.services.writing(self._require_in_path(actions), self.principal)

    def domain(self, *actions: str) -> Domain:
        """Return the domain in the path as it is now; see ``reading``."""
        with self.reading(*actions) as session:
            return session.domain

    @property
    def domain_name(self) -> str:
        """The name of the domain in the path."""
        return str(self.request.path_params["domain_name"])

    def _require_in_path(self, actions: Iterable[str]) -> str:
        for action in actions:
            self.require(action, self.domain_name)
        return self.domain_name

    def may_open(self, page: str, domain_name: str | None = None) -> bool:
        """Return whether the visitor may open a page of a domain; None: of any."""
        return all(self.may(action, domain_name) for action in NEEDS[Page(page)])

    def first_page_of(self, domain_name: str, *, is_example: bool = False) -> str | None:
        """Return the path of the first page of a domain that the visitor may open.

        None if there is no such page.

        Args:
            is_example: the name is a placeholder for any domain.
        """
        asked = None if is_example else domain_name
        return next((path_of_tab(page, domain_name) for page in TABS if self.may_open(page, asked)), None)

    def redirect_after(self, domain_name: str, done: str, *pages: tuple[Page, str]) -> Response:
        """Redirect after something was done: see ``path_after``."""
        return RedirectResponse(self.path_after(domain_name, done, *pages), 303, headers=PAGE_HEADERS)

    def path_after(self, domain_name: str, done: str, *pages: tuple[Page, str]) -> str:
        """Return where to go after something was done.

        It is the first of these pages that the visitor may open, or else another page, which says what was done.

        Args:
            done: a key of ``page_permissions.DONE_MESSAGES``.
            pages: pages and their paths; the first shows by itself what was done.
        """
        for number, (page, path) in enumerate(pages):
            if self.may_open(page, domain_name):
                return path if number == 0 else f"{path}?done={done}"
        return f"{self.first_page_of(domain_name) or HOME_PATH}?done={done}"

    def form(self) -> dict[str, str]:
        """Read the form that was sent; of equal names, the last."""
        return _read_fields(self.body)

    def page(self, template: str, status: int = 200, **context: Any) -> Response:
        """Render a page with what all pages need, such as ``may`` and ``csrf_token``."""
        shared = {
            "may": self.may,
            "may_open": self.may_open,
            "done": DONE_MESSAGES.get(self.request.query_params.get("done", "")),
            "principal": self.principal,
            "csrf_token": self.session.csrf_token,
            "path": self.request.url.path,
        }
        return render(template, shared | context, status)


Handler = Callable[[Visitor], Response]


def signed_in(
    services: Services,
    handler: Handler,
    *,
    is_counted: bool = True,
    without_session: Callable[[Services, Request], Response] | None = None,
) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint for signed-in visitors; others must sign in, scripts get 401.

    Args:
        is_counted: whether a request counts against the request rate of the visitor's key.
        without_session: answers requests without a session in another way.
    """
    answer_others = without_session or _ask_to_sign_in

    async def endpoint(request: Request) -> Response:
        session = read_cookie(services.master_key, request.cookies.get(COOKIE, ""), services.clock())
        if session is None:
            return answer_others(services, request)
        request.state.access_key_id = session.access_key_id
        body = b""
        if request.method in _CHANGING_METHODS:
            # No body is read before its sender is known.
            _require_own_headers(services, request, session)
            body = await _read_body(request)
        return await run_in_threadpool(answer, request, session, body)

    def answer(request: Request, session: Session, body: bytes) -> Response:
        # First of all, so that an error page can show again what was typed into the form.
        if request.method in _CHANGING_METHODS and CSRF_HEADER not in request.headers:
            _keep_own_form(request, session, body)
        visitor = _admit(services, request, session, body, is_counted=is_counted)
        return answer_others(services, request) if visitor is None else handler(visitor)

    return endpoint


def _admit(services: Services, request: Request, session: Session, body: bytes, *, is_counted: bool) -> Visitor | None:
    """Return the visitor of a session; None if its key is no longer valid."""
    principal = services.authenticator.find_principal(session.access_key_id, is_counted=is_counted)
    if principal is None:
        return None
    # Pages about errors have the same navigation.
    request.state.visitor = visitor = Visitor(services, request, session, principal, body)
    _refuse_nul([*map(str, request.path_params.values()), *request.query_params.values()])
    return visitor


def find_visitor(services: Services, request: Request) -> Visitor | None:
    """Return the visitor of any request, without counting it; None without a valid session."""
    session = read_cookie(services.master_key, request.cookies.get(COOKIE, ""), services.clock())
    if session is None:
        return None
    principal = services.authenticator.find_principal(session.access_key_id, is_counted=False)
    return None if principal is None else Visitor(services, request, session, principal, b"")


def own_path(place: str) -> str:
    """Return the path if it is one of the console, else the start page."""
    is_own = place.startswith(HOME_PATH) and "\\" not in place and not any(ord(letter) < 32 for letter in place)
    return place if is_own else HOME_PATH


def json_answer(members: Mapping[str, Any], status: int = 200) -> JSONResponse:
    """Answer a script of ours."""
    return JSONResponse(dict(members), status, headers=PAGE_HEADERS)


def wants_json(request: Request) -> bool:
    """Return whether one of our scripts asks, not a person."""
    return "application/json" in request.headers.get("accept", "")


def _refuse_nul(texts: Iterable[str]) -> None:
    """Refuse NUL characters, which no database stores as text and no browser sends."""
    if any("\0" in text for text in texts):
        raise InvalidRequest("The address or form contains a NUL character, which is not valid in text.")


def _read_fields(body: bytes) -> dict[str, str]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("The form is not encoded as UTF-8.") from None
    try:
        fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS))
    except ValueError:
        raise InvalidRequest(f"The form has more than {MAX_FORM_FIELDS:,} fields.") from None
    _refuse_nul(fields.values())
    return fields


def _ask_to_sign_in(services: Services, request: Request) -> Response:
    if wants_json(request):
        return json_answer({"message": "Your session expired. Sign in in another tab, then continue here."}, 401)
    if request.method in _CHANGING_METHODS:
        place = _page_of_form(services, request)
        return RedirectResponse(f"{SIGN_IN_PATH}?expired=1&next={quote(place, safe='')}", 303, headers=PAGE_HEADERS)
    # After a download the browser would stay on the sign-in page.
    path = request.url.path.removesuffix("/failed-rows.csv").removesuffix("/failed-rows.xlsx")
    place = path + (f"?{request.url.query}" if request.url.query else "")
    address = f"{SIGN_IN_PATH}?next={quote(place, safe='')}"
    if COOKIE not in request.cookies and request.headers.get("sec-fetch-site") == "cross-site":
        # For a link on another site, such as webmail, no browser sends the cookie. After one step of our own it does,
        # and the sign-in page redirects visitors who are signed in.
        return render("continue.html", {"address": address})
    return RedirectResponse(address, 303, headers=PAGE_HEADERS)


def _page_of_form(services: Services, request: Request) -> str:
    """Return the page that a form was sent from, if it can be opened."""
    referer = request.headers.get("referer", "")
    if not is_own_host(services.settings, request.headers, referer):
        return HOME_PATH
    parts = urlsplit(referer)
    # Some errors are shown at an address that only accepts forms.
    scope = {"type": "http", "method": "GET", "path": unquote(parts.path)}
    if not any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
        return HOME_PATH
    return own_path(parts.path + (f"?{parts.query}" if parts.query else ""))


def _require_own_headers(services: Services, request: Request, session: Session) -> None:
    """Raise Forbidden if the headers show that no page of ours sent this.

    A script has the token in a header; a form has it in the body, which is checked later.
    """
    given = request.headers.get(CSRF_HEADER)
    is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if not is_from_here(services.settings, request.headers) or (given is None and not is_form):
        raise _foreign()
    if given is not None:
        _require_token(session, given)


def _keep_own_form(request: Request, session: Session, body: bytes) -> None:
    """Keep the content of a form for ``sent_form``.

    Raise Forbidden if no page of this session sent it.
    """
    form = SentForm(request.url.path, session.access_key_id, session.csrf_token, _read_fields(body))
    _require_token(session, form.fields.get(CSRF_FIELD, ""))
    request.state.sent_form = form


def _require_token(session: Session, given: str) -> None:
    if not is_csrf_token(session, given):
        raise _foreign()


def _foreign() -> Forbidden:
    return Forbidden("This request did not come from a page of this console. Reload the page and try again.")


def sent_form(request: Request) -> SentForm | None:
    """Return the form that one of our pages sent; None for other requests."""
    found: SentForm | None = getattr(request.state, "sent_form", None)
    return found


def takes_file(
    services: Services, handler: Handler, *, may_send: Callable[[Visitor], None], max_bytes: int, max_at_once: int
) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint for scripts of signed-in visitors that send a file; it goes to the disk, not into memory.

    Args:
        may_send: raises Forbidden or another error before the file is received.
        max_bytes: the largest file.
        max_at_once: how many files are received and handled at the same time.
    """
    places = asyncio.Semaphore(max_at_once)

    def enter(request: Request) -> Response | Visitor:
        session = read_cookie(services.master_key, request.cookies.get(COOKIE, ""), services.clock())
        if session is None:
            return _ask_to_sign_in(services, request)
        request.state.access_key_id = session.access_key_id
        _require_own_headers(services, request, session)
        _require_token(session, request.headers.get(CSRF_HEADER, ""))
        visitor = _admit(services, request, session, b"", is_counted=True)
        if visitor is None:
            return _ask_to_sign_in(services, request)
        may_send(visitor)
        return visitor

    async def endpoint(request: Request) -> Response:
        entered = await run_in_threadpool(enter, request)
        if isinstance(entered, Response):
            return entered
        if places.locked():
            raise Busy("The server is reading other workbooks. Try again in a moment.")
        async with places:
            # From here on, each piece has its own time limit.
            setattr(request.state, OWN_PACE, True)
            with tempfile.TemporaryFile() as file:
                size_bytes = 0
                pieces = aiter(request.stream())
                while piece := await _next_piece(pieces):
                    size_bytes += len(piece)
                    if size_bytes > max_bytes:
                        raise BodyTooLarge(f"The file is larger than {max_bytes:,} bytes.")
                    await run_in_threadpool(file.write, piece)
                file.seek(0)
                return await run_in_threadpool(handler, replace(entered, file=file))

    return endpoint


async def _next_piece(pieces: AsyncIterator[bytes]) -> bytes:
    try:
        return await asyncio.wait_for(anext(pieces, b""), _PIECE_TIMEOUT_SECONDS)
    except TimeoutError:
        raise InvalidRequest("The file stopped arriving. Check your connection, then try again.") from None


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_LIMIT_BYTES:
            raise BodyTooLarge
    return bytes(body)
