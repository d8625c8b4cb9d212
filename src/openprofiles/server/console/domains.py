"""The pages of domains: the list, and one domain with its counts, growth, latest imports and settings."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from openprofiles.errors import InvalidRequest
from openprofiles.facts.normal_forms import phone_regions
from openprofiles.profiles import domains
from openprofiles.server.console.growth_picture import draw_growth
from openprofiles.server.console.page_permissions import NEEDS, Page
from openprofiles.server.console.render import PAGE_HEADERS
from openprofiles.server.console.visitors import Forbidden, Visitor, signed_in
from openprofiles.server.services import Services
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.uploads import jobs, undos
from openprofiles.uploads.growth import MAX_JOBS, read_growth
from openprofiles.wire.check import violations
from openprofiles.wire.model import load_model

DEFAULT_EXPIRATION_DAYS = 1098
MAX_EXPIRATION_DAYS = 1098

_DOMAINS_PER_PAGE = 50
_NEWEST_JOBS = 5


class _WrongDays(InvalidRequest):
    """The text in the field for days is not a valid number of days."""


def routes(services: Services) -> list[Route]:
    """Return the routes of ``/console/`` and ``/console/domains/{domain_name}``."""
    return [
        Route("/console/", signed_in(services, list_domains), methods=["GET"]),
        Route("/console/domains", signed_in(services, create_domain), methods=["POST"]),
        Route("/console/domains/{domain_name}", signed_in(services, show_domain), methods=["GET"]),
        Route("/console/domains/{domain_name}", signed_in(services, change_domain), methods=["POST"]),
        Route("/console/domains/{domain_name}/delete", signed_in(services, remove_domain), methods=["POST"]),
    ]


def create_domain(visitor: Visitor) -> Response:
    """Create a domain with the name in the form."""
    form = visitor.form()
    name = form.get("name", "").strip()
    try:
        _require_name(name)
        visitor.require("profile:CreateDomain")
        _require_own_name(visitor, name)
        days = _read_days(form.get("expiration_days", ""))
        domains.create_domain(
            visitor.services.store,
            name,
            default_expiration_days=days,
            config={},
            tags={},
            phone_region=_read_phone_region(visitor, form),
            now=visitor.services.clock(),
        )
    except InvalidRequest as error:
        are_days_wrong = isinstance(error, _WrongDays)
        return list_domains(visitor, form, str(error), are_days_wrong=are_days_wrong)
    except Forbidden as error:
        # A key that is limited to some domains may do it under another name.
        if not visitor.may("profile:CreateDomain"):
            raise
        return list_domains(visitor, form, str(error), status=403)
    return visitor.redirect_after(name, "domain-created", (Page.DOMAIN, f"/console/domains/{name}"))


def change_domain(visitor: Visitor) -> Response:
    """Change the retention of the domain's profiles."""
    domain = visitor.domain("profile:UpdateDomain")
    text = visitor.form().get("expiration_days", "")
    try:
        days = _read_days(text)
        with visitor.writing() as session:
            domains.update_domain(session, default_expiration_days=days)
    except InvalidRequest as error:
        if not visitor.may_open(Page.DOMAIN, domain.name):
            raise
        return show_domain(visitor, days=text, fault=str(error))
    return visitor.redirect_after(
        domain.name, "domain-changed", (Page.DOMAIN, f"/console/domains/{domain.name}?saved=1")
    )


def remove_domain(visitor: Visitor) -> Response:
    """Delete the domain if its name was typed."""
    domain = visitor.domain("profile:DeleteDomain")
    typed = visitor.form().get("confirmation", "")
    if typed.strip() != domain.name:
        fault = "That is not the name of this domain. Nothing was deleted."
        if not visitor.may_open(Page.DOMAIN, domain.name):
            raise InvalidRequest(fault)
        return show_domain(visitor, confirmation=typed, delete_fault=fault)
    with visitor.writing() as session:
        domains.delete_domain(session)
    return RedirectResponse("/console/?deleted=1", 303, headers=PAGE_HEADERS)


def list_domains(
    visitor: Visitor,
    form: Mapping[str, str] = {},
    fault: str | None = None,
    status: int = 400,
    *,
    are_days_wrong: bool = False,
) -> Response:
    """Show the start page: the list and the form for a new domain.

    Args:
        form: what was typed into the form.
        status: the status of a page with an error.
        are_days_wrong: whether the error is about the days, not the name.
    """
    usual_region = visitor.services.settings.phone_region
    page = None
    if visitor.may("profile:ListDomains"):
        page = domains.list_domains(
            visitor.services.store,
            is_visible=visitor.principal.may_see_domain,
            max_results=_DOMAINS_PER_PAGE,
            next_token=visitor.request.query_params.get("next-token"),
        )
    return visitor.page(
        "domains.html",
        status=200 if fault is None else status,
        page=page,
        name=form.get("name", "").strip(),
        phone_regions=sorted({*phone_regions(), usual_region}),
        phone_region=form.get("phone_region", usual_region),
        first_pages={one.name: visitor.first_page_of(one.name) for one in page.domains} if page is not None else {},
        example=visitor.first_page_of("NAME", is_example=True),
        days=form.get("expiration_days") or str(DEFAULT_EXPIRATION_DAYS),
        fault=fault,
        are_days_wrong=are_days_wrong,
        was_deleted="deleted" in visitor.request.query_params,
    )


def show_domain(
    visitor: Visitor,
    *,
    days: str = "",
    fault: str | None = None,
    confirmation: str = "",
    delete_fault: str | None = None,
) -> Response:
    """Show one domain."""
    newest = growth = picture = None
    undo_statuses: dict[int, UploadJobStatus] = {}
    with visitor.reading(*NEEDS[Page.DOMAIN]) as session:
        domain = session.domain
        count = domains.count_profiles(session)
        if visitor.may_open(Page.JOBS, domain.name):
            newest = jobs.list_jobs(session, max_results=_NEWEST_JOBS, with_checks=False).items
            # As in the API, listing jobs shows neither their counts nor whether they were undone.
            if visitor.may_open(Page.JOB, domain.name):
                undo_statuses = undos.find_undo_statuses(session, newest)
                growth = read_growth(session)
                picture = draw_growth(growth, session.now.date())
    return visitor.page(
        "domain.html",
        status=200 if fault is None and delete_fault is None else 400,
        domain=domain,
        profile_count=count,
        newest=newest,
        undo_statuses=undo_statuses,
        growth=growth,
        picture=picture,
        max_jobs=MAX_JOBS,
        days=days or str(domain.default_expiration_days),
        fault=fault,
        confirmation=confirmation,
        delete_fault=delete_fault,
        was_saved="saved" in visitor.request.query_params,
    )


def _require_name(name: str) -> None:
    shape = load_model().operations["CreateDomain"].input.members["DomainName"].shape
    if not name or violations(shape, name):
        raise InvalidRequest("Use 1 to 64 letters, digits, _ and - for the name.")


def _require_own_name(visitor: Visitor, name: str) -> None:
    """Refuse a name that the visitor's key does not cover."""
    if not visitor.may("profile:CreateDomain", name):
        raise InvalidRequest(f"Your access key does not cover a domain named {name}. Choose a name that it covers.")


def _read_phone_region(visitor: Visitor, form: Mapping[str, str]) -> str:
    usual = visitor.services.settings.phone_region
    region = form.get("phone_region", usual)
    if region != usual and region not in phone_regions():
        raise InvalidRequest("Choose a country from the list.")
    return region


def _read_days(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_EXPIRATION_DAYS):
        raise _WrongDays(f"Enter a whole number of days from 1 to {MAX_EXPIRATION_DAYS}.")
    return int(text)
