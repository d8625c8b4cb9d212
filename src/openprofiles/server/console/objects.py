"""The page of objects: object types, dead letters, and what an object would do."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from openprofiles.errors import DomainError, InvalidRequest
from openprofiles.objects import dead_letters, type_definitions
from openprofiles.objects.explanation import Explanation, explain_object
from openprofiles.objects.placement import DeadLetterCode
from openprofiles.server.console.page_permissions import NEEDS, Page, path_of_tab
from openprofiles.server.console.visitors import Visitor, signed_in
from openprofiles.server.services import Services

EXPLAINING = "openprofiles:ExplainObject"
READING_LETTERS = "openprofiles:GetDeadLetter"
_RETRYING = "openprofiles:RetryDeadLetter"
_PUTTING = "profile:PutProfileObject"
_DELETING = "openprofiles:DeleteDeadLetter"
_LETTERS_PER_PAGE = 25
_MOST_TYPES = 100


def routes(services: Services) -> list[Route]:
    """Return the routes of ``/console/domains/{domain_name}/objects`` and below."""
    base = "/console/domains/{domain_name}/objects"
    letter = base + "/dead-letters/{dead_letter_id}"
    return [
        Route(base, signed_in(services, show_objects), methods=["GET"]),
        Route(base, signed_in(services, explain), methods=["POST"]),
        Route(letter, signed_in(services, show_dead_letter), methods=["GET"]),
        Route(letter + "/retry", signed_in(services, retry_dead_letter), methods=["POST"]),
        Route(letter + "/delete", signed_in(services, delete_dead_letter), methods=["POST"]),
    ]


def show_objects(visitor: Visitor) -> Response:
    """Show the object types and the dead letters of a domain."""
    return _page(visitor)


def explain(visitor: Visitor) -> Response:
    """Show what an object would do if it were ingested now."""
    form = visitor.form()
    type_name, content = form.get("type", ""), form.get("object", "")
    explanation, fault = None, None
    with visitor.writing(*NEEDS[Page.OBJECTS], EXPLAINING) as session:
        try:
            explanation = explain_object(session, type_name, content)
        except DomainError as error:
            fault = str(error)
    return _page(visitor, explanation=explanation, fault=fault, type_name=type_name, content=content)


def show_dead_letter(visitor: Visitor) -> Response:
    """Show an object that found no profile."""
    return _letter_page(visitor)


def retry_dead_letter(visitor: Visitor) -> Response:
    """Ingest an object again that found no profile, perhaps as it was fixed."""
    content = visitor.form().get("object")
    needed = (_RETRYING,) if content is None else (_RETRYING, _PUTTING)
    number = _letter_id(visitor)
    fixed = None
    try:
        with visitor.writing(*NEEDS[Page.OBJECTS], READING_LETTERS, *needed) as session:
            letter = dead_letters.get_dead_letter(session, number)
            if content is not None and _with_line_feeds(content) != _with_line_feeds(letter.content):
                fixed = _with_line_feeds(content)
            rejection = dead_letters.retry_dead_letter(session, number, fixed)
            is_kept = rejection is not None and dead_letters.has_dead_letter(session, number)
    except InvalidRequest as error:
        return _letter_page(visitor, str(error), fixed)
    base = path_of_tab(Page.OBJECTS, session.domain.name)
    if is_kept:
        return visitor.redirect_after(
            session.domain.name, "object-rejected", (Page.OBJECTS, f"{base}/dead-letters/{number}?rejected=1")
        )
    done = "object-ingested" if rejection is None else "object-rejected"
    return visitor.redirect_after(session.domain.name, done, *_shown_with(base, done))


def delete_dead_letter(visitor: Visitor) -> Response:
    """Delete an object that found no profile."""
    with visitor.writing(*NEEDS[Page.OBJECTS], _DELETING) as session:
        dead_letters.delete_dead_letter(session, _letter_id(visitor))
    base = path_of_tab(Page.OBJECTS, session.domain.name)
    return visitor.redirect_after(session.domain.name, "letter-deleted", *_shown_with(base, "letter-deleted"))


def _with_line_feeds(text: str) -> str:
    """Return a text as a form sends it: browsers write the ends of lines as CR LF."""
    return text.replace("\r\n", "\n")


def _letter_page(visitor: Visitor, fault: str | None = None, content: str | None = None) -> Response:
    with visitor.reading(*NEEDS[Page.OBJECTS], READING_LETTERS) as session:
        letter = dead_letters.get_dead_letter(session, _letter_id(visitor))
    return visitor.page(
        "dead_letter.html",
        status=200 if fault is None else 400,
        domain=session.domain,
        letter=letter,
        content=letter.content if content is None else content,
        fault=fault,
        message=DeadLetterCode(letter.code).message,
        is_rejected=fault is None and "rejected" in visitor.request.query_params,
    )


def _shown_with(path: str, done: str) -> tuple[tuple[Page, str], ...]:
    return ((Page.OBJECTS, f"{path}?done={done}"),)


def _letter_id(visitor: Visitor) -> int:
    text = str(visitor.request.path_params["dead_letter_id"])
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidRequest("The address does not name a dead letter.")
    return int(text)


def _page(
    visitor: Visitor,
    *,
    explanation: Explanation | None = None,
    fault: str | None = None,
    type_name: str = "",
    content: str = "",
) -> Response:
    page = None
    with visitor.reading(*NEEDS[Page.OBJECTS]) as session:
        types = type_definitions.list_object_types(session, _MOST_TYPES, None).definitions
        if visitor.may(READING_LETTERS, session.domain.name):
            page = dead_letters.list_dead_letters(
                session, _LETTERS_PER_PAGE, visitor.request.query_params.get("next-token")
            )
    letters = [] if page is None else [(one, DeadLetterCode(one.code).message) for one in page.letters]
    return visitor.page(
        "objects.html",
        status=200 if fault is None else 400,
        domain=session.domain,
        types=types,
        letters=letters,
        shows_letters=page is not None,
        next_token=None if page is None else page.next_token,
        is_first="next-token" not in visitor.request.query_params,
        explanation=explanation,
        fault=fault,
        type_name=type_name,
        content=content,
    )
