"""Pages from templates, and the headers of every response of the console."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from openprofiles.facts.field_labels import full_label_of
from openprofiles.server.console.job_words import job_name, status_word, undo_word

# Nothing from other hosts, nothing inline, no frames. Uploads and polling go to this server.
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

_IN_BRACES = re.compile(r"\{(?:([0-9]{4}-[0-9]{2}-[0-9]{2})|(-?[0-9]+(?:\.[0-9]+)?))\}")


@cache
def static_files() -> Mapping[str, bytes]:
    """Return the content of all static files by name."""
    folder = resources.files("openprofiles.server.console").joinpath("static")
    files = sorted((file for file in folder.iterdir() if file.is_file()), key=lambda one: one.name)
    return {file.name: file.read_bytes() for file in files}


@cache
def static_digest() -> str:
    """Return a digest of all static files, so that browsers may keep them for ever."""
    content = b"".join(name.encode() + b"\0" + content for name, content in static_files().items())
    return hashlib.sha256(content).hexdigest()[:16]


def static_url(name: str) -> str:
    """Return the address of a static file."""
    return f"{STATIC_PATH}{static_digest()}/{name}"


def number(value: float, digits: int = 0) -> Markup:
    """Format a number, which the page's script rewrites in the reader's language.

    Args:
        digits: the digits after the decimal point, at most 2.
    """
    return Markup('<data class="number" value="{0}" data-digits="{1}">{2}</data>').format(
        value, digits, f"{value:,.{digits}f}"
    )


def share(value: float) -> Markup:
    """Format a share of 1 as a percentage, never rounded to 0 or 100 %."""
    percent = 100 * value
    text = "< 0.1 %" if 0 < percent < 0.1 else "> 99.9 %" if 99.9 < percent < 100 else f"{percent:.1f} %"
    return Markup('<data class="share" value="{0}">{1}</data>').format(
        value, f"{percent:.0f} %" if percent in (0, 100) else text
    )


def size(size_bytes: int) -> Markup:
    """Format the size of a file."""
    text = f"{max(1, round(size_bytes / 1000)):,} kB" if size_bytes < 1_000_000 else f"{size_bytes / 1e6:,.1f} MB"
    return Markup('<data class="bytes" value="{0}">{1}</data>').format(size_bytes, text)


def seconds(value: float) -> Markup:
    """Format a span of time."""
    if value < 60:
        text = f"{value:.{2 if value < 10 else 1}f} s"
    else:
        minutes, rest = divmod(round(value), 60)
        hours, minutes = divmod(minutes, 60)
        text = f"{hours:,} h {minutes} min" if hours else f"{minutes} min {rest} s"
    return Markup('<data class="seconds" value="{0}">{1}</data>').format(value, text)


def plain(sentence: str) -> str:
    """Format a sentence with numbers and days in braces: ``{1234} rows`` becomes ``1,234 rows``.

    The page's script rewrites an element that has the sentence in ``data-sentence`` in the reader's language.
    """
    return _IN_BRACES.sub(lambda found: found[1] or f"{Decimal(found[2]):,}", sentence)


def moment(value: datetime | None) -> Markup:
    """Format a time, which the page's script rewrites in the reader's time zone and language."""
    if value is None:
        return Markup("")
    return Markup('<time class="moment" datetime="{0}">{1} UTC</time>').format(
        value.isoformat(), f"{value:%Y-%m-%d %H:%M}"
    )


def day(value: date) -> Markup:
    """Format a day (UTC), which the page's script rewrites in the reader's language."""
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
    for convert in (number, moment, day, share, size, seconds, plain, job_name, status_word, undo_word):
        environment.filters[convert.__name__] = convert
    environment.filters["field_label"] = full_label_of
    return environment


def render(template: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """Render a page; ``visitors.Visitor.page`` adds what every page of a signed-in visitor needs."""
    return HTMLResponse(_environment().get_template(template).render(context), status, headers=PAGE_HEADERS)
