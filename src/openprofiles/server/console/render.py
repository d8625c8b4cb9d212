"""Pages from templates, and the headers that every answer of the console has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from openprofiles.server.console.job_words import job_name, status_word, undo_word

# Nothing from elsewhere, nothing inline, in no frame. Uploads and polling go to this server.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
PAGE_HEADERS = SECURITY_HEADERS | {"Cache-Control": "no-store"}

STATIC_PATH = "/console/static/"


@cache
def static_digest() -> str:
    """Names the present state of all static files, so that a browser may keep them for ever."""
    digest = hashlib.sha256()
    for file in sorted(
        resources.files("openprofiles.server.console").joinpath("static").iterdir(), key=lambda one: one.name
    ):
        if file.is_file():
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


@cache
def static_names() -> frozenset[str]:
    """The static files that there are."""
    folder = resources.files("openprofiles.server.console").joinpath("static")
    return frozenset(file.name for file in folder.iterdir() if file.is_file())


def static_url(name: str) -> str:
    """The address of a static file."""
    return f"{STATIC_PATH}{static_digest()}/{name}"


def number(value: int) -> Markup:
    """A number that the page's script writes as its reader does."""
    return Markup('<data class="number" value="{0}">{1}</data>').format(value, f"{value:,}")


def moment(value: datetime | None) -> Markup:
    """A time that the page's script writes in its reader's zone and language."""
    if value is None:
        return Markup("")
    return Markup('<time class="moment" datetime="{0}">{1} UTC</time>').format(
        value.isoformat(), f"{value:%Y-%m-%d %H:%M}"
    )


def day(value: date) -> Markup:
    """A day (UTC) that the page's script writes in its reader's language."""
    return Markup('<time class="day" datetime="{0}">{0}</time>').format(value.isoformat())


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("openprofiles.server.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["static_url"] = static_url
    environment.filters["number"] = number
    environment.filters["moment"] = moment
    environment.filters["day"] = day
    environment.filters["job_name"] = job_name
    environment.filters["status_word"] = status_word
    environment.filters["undo_word"] = undo_word
    return environment


def render(template: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """A page; see ``visitors.Visitor.page`` for what every page of somebody who is signed in has."""
    return HTMLResponse(_environment().get_template(template).render(context), status, headers=PAGE_HEADERS)
