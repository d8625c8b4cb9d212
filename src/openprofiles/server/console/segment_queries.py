"""The page of a new SQL segment, with an editor that shows the fault of a query."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response
from starlette.routing import Route

from openprofiles.errors import DomainError, InvalidRequest
from openprofiles.segments.definitions import GROUPS, SQL_QUERY, create_segment
from openprofiles.segments.estimates import QUERY, start_estimate
from openprofiles.segments.sql_check import require_sql_runs
from openprofiles.server.console.page_permissions import NEEDS, Page
from openprofiles.server.console.segments import CREATING, ESTIMATING, SEGMENT_NAME, to_segment
from openprofiles.server.console.visitors import Visitor, json_answer, signed_in
from openprofiles.server.services import Services


def routes(services: Services) -> list[Route]:
    """Return the routes of ``/console/domains/{domain_name}/segments/new.sql`` and below."""
    # Names of segments have no point.
    path = "/console/domains/{domain_name}/segments/new.sql"
    return [
        Route(path, signed_in(services, show_form), methods=["GET"]),
        Route(path, signed_in(services, create), methods=["POST"]),
        Route(path + "/count", signed_in(services, count), methods=["POST"]),
    ]


def show_form(visitor: Visitor) -> Response:
    """Show a form with an example."""
    return _form_page(visitor, {})


def create(visitor: Visitor) -> Response:
    """Create a segment of the query in the form."""
    form = visitor.form()
    name = form.get("name", "").strip()
    body = {SQL_QUERY: form.get("query", "")}
    needed = (*NEEDS[Page.SEGMENTS], CREATING)
    try:
        if not SEGMENT_NAME.match(name):
            raise InvalidRequest("The name must have 1 to 64 letters, digits, _ and -.")
        require_sql_runs(lambda: visitor.reading(*needed), body, GROUPS, strict=visitor.services.settings.compat_strict)
        with visitor.writing(*needed) as session:
            summary = {"DisplayName": form.get("display_name", "").strip() or name}
            create_segment(session, name, summary, body, {}, strict=visitor.services.settings.compat_strict)
    except DomainError as error:
        return _form_page(visitor, form, str(error))
    return to_segment(visitor, name, "segment-created")


def count(visitor: Visitor) -> Response:
    """Start to count the members of a query, for a script."""
    body = {SQL_QUERY: visitor.form().get("query", "")}
    needed, strict = (CREATING, *ESTIMATING), visitor.services.settings.compat_strict
    try:
        require_sql_runs(lambda: visitor.reading(*needed), body, QUERY, strict=strict)
        with visitor.writing(*needed) as session:
            return json_answer({"EstimateId": start_estimate(session, body, strict=strict)})
    except InvalidRequest as error:
        return json_answer({"message": str(error)}, 400)


def _form_page(visitor: Visitor, form: Mapping[str, str], fault: str | None = None) -> Response:
    from openprofiles.segments.sql.tables import list_tables

    with visitor.reading(*NEEDS[Page.SEGMENTS], CREATING) as session:
        tables = list_tables(session)
    return visitor.page(
        "segment_query.html",
        status=200 if fault is None else 400,
        domain=session.domain,
        form=form,
        tables=tables,
        may_count=all(visitor.may(one, session.domain.name) for one in ESTIMATING),
        fault=fault,
    )
