"""The pages of segments: a list, a form with a live count, the members of a segment, and why a profile is one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from openprofiles.definitions.definitions import get_definition, list_definitions
from openprofiles.errors import DomainError, InvalidRequest, NotFound
from openprofiles.expressions.evaluate import Explanation
from openprofiles.expressions.operators import OPERATORS
from openprofiles.facts.standard_profile import FIELD_BY_PATH
from openprofiles.profiles.profiles import get_profile, get_profiles
from openprofiles.profiles.session import Reading
from openprofiles.segments.condition_text import (
    described,
    made_by,
    make_dimension,
    name_of_import,
    segment_groups,
    words_of,
)
from openprofiles.segments.definitions import (
    GROUPS,
    SEGMENT,
    SQL_QUERY,
    create_segment,
    delete_segment,
    expression_of,
    require_valid,
    segment_expression,
)
from openprofiles.segments.estimates import QUERY, start_estimate
from openprofiles.segments.exports.exported_files import ExportedFile, list_exported_files
from openprofiles.segments.membership import explain_membership, known_since, list_matching, list_members
from openprofiles.segments.snapshot_changes import list_segment_snapshots
from openprofiles.segments.snapshots import NAME, read_snapshot
from openprofiles.segments.subscriptions import get_subscription, list_subscription_events
from openprofiles.server.console.failed_rows import parts_of_file
from openprofiles.server.console.page_permissions import NEEDS, Page, path_of_tab
from openprofiles.server.console.profile_list import result_of
from openprofiles.server.console.render import PAGE_HEADERS
from openprofiles.server.console.visitors import Visitor, json_answer, signed_in
from openprofiles.server.services import Services
from openprofiles.store.segment_events import SegmentEvent
from openprofiles.store.segment_runs import SegmentRun
from openprofiles.store.segment_subscriptions import Subscription
from openprofiles.uploads.jobs import get_job
from openprofiles.uploads.mappings.known_attributes import list_known_attributes

CREATING = "profile:CreateSegmentDefinition"
MEMBERSHIP = "profile:GetSegmentMembership"
_EVENTS = "profile:ListSegmentSubscriptionEvents"
_EXPORTS = "profile:GetSegmentSnapshot"
_SEARCH = "profile:SearchProfiles"
_DELETING = "profile:DeleteSegmentDefinition"
ESTIMATING = ("profile:CreateSegmentEstimate", "profile:GetSegmentEstimate")
_SEGMENTS_PER_PAGE = 100
_MEMBERS_PER_PAGE = 25
_EXAMPLES = 10
_EVENTS_SHOWN = 25
_EXPORTS_SHOWN = 10
_FIRST_ROWS = 3
_MOST_ROWS = 60
SEGMENT_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class _Row:
    """One condition of the form, as it was typed."""

    name: str = ""
    operator: str = "INCLUSIVE"
    values: str = ""

    @property
    def is_blank(self) -> bool:
        return not self.name.strip() and not self.values.strip()


def routes(services: Services) -> list[Route]:
    """Return the routes of ``/console/domains/{domain_name}/segments`` and below."""
    base = "/console/domains/{domain_name}/segments"
    one = base + "/{segment}"
    return [
        Route(base, signed_in(services, show_list), methods=["GET"]),
        Route(base, signed_in(services, create), methods=["POST"]),
        # Names of segments have no point.
        Route(base + "/new.form", signed_in(services, show_form), methods=["GET"]),
        Route(base + "/new.form", signed_in(services, add_row), methods=["POST"]),
        Route(base + "/new.count", signed_in(services, count), methods=["POST"]),
        Route(one, signed_in(services, show), methods=["GET"]),
        Route(one + "/count", signed_in(services, count_segment), methods=["POST"]),
        Route(one + "/delete", signed_in(services, delete), methods=["POST"]),
        Route(one + "/members/{profile_id}", signed_in(services, show_member), methods=["GET"]),
        Route(one + "/exports/{snapshot_id}/{file}", signed_in(services, send_export), methods=["GET"]),
        Route(
            "/console/domains/{domain_name}/jobs/{job_id}/segment",
            signed_in(services, create_of_job),
            methods=["POST"],
        ),
    ]


def show_list(visitor: Visitor) -> Response:
    """List the segments of a domain."""
    query = visitor.request.query_params
    with visitor.reading(*NEEDS[Page.SEGMENTS]) as session:
        page = list_definitions(
            session,
            SEGMENT,
            list_name="segments",
            max_results=_SEGMENTS_PER_PAGE,
            next_token=query.get("next-token"),
        )
    return visitor.page(
        "segments.html",
        domain=session.domain,
        segments=page.definitions,
        next_token=page.next_token,
        is_first="next-token" not in query,
    )


def show_form(visitor: Visitor) -> Response:
    """Show an empty form."""
    return _form_page(visitor, {}, [_Row()] * _FIRST_ROWS)


def add_row(visitor: Visitor) -> Response:
    """Show the form again with another condition."""
    form = visitor.form()
    return _form_page(visitor, form, [*_rows_of(form), _Row()][:_MOST_ROWS])


def create(visitor: Visitor) -> Response:
    """Create a segment of the conditions in the form."""
    form = visitor.form()
    name = form.get("name", "").strip()
    summary = {"DisplayName": form.get("display_name", "").strip() or name}
    if description := form.get("description", "").strip():
        summary["Description"] = description
    try:
        if not SEGMENT_NAME.match(name):
            raise InvalidRequest("The name must have 1 to 64 letters, digits, _ and -.")
        with visitor.writing(*NEEDS[Page.SEGMENTS], CREATING) as session:
            create_segment(session, name, summary, _body_of(session, form), {})
    except DomainError as error:
        return _form_page(visitor, form, _rows_of(form), str(error))
    return to_segment(visitor, name, "segment-created")


def create_of_job(visitor: Visitor) -> Response:
    """Create a segment of the profiles that an import has created."""
    job_id = str(visitor.request.path_params["job_id"])
    name = name_of_import(job_id)
    with visitor.writing(*NEEDS[Page.JOB], CREATING) as session:
        job = get_job(session, job_id)
        create_segment(session, name, {"DisplayName": job.display_name}, {GROUPS: made_by(job_id)}, {})
    return to_segment(visitor, name, "segment-created")


def count(visitor: Visitor) -> Response:
    """Start to count the profiles for the form, and find some, for a script."""
    form, needed = visitor.form(), (CREATING, MEMBERSHIP, *ESTIMATING)
    try:
        with visitor.reading(*needed) as session:
            body = _body_of(session, form)
            ids = list_matching(session, expression_of(session, body, GROUPS), limit=_EXAMPLES)
            examples = [result_of(one) for one in get_profiles(session, ids).profiles]
        with visitor.writing(*needed) as session:
            estimate_id = start_estimate(session, _query_of(body))
    except InvalidRequest as error:
        return json_answer({"message": str(error)}, 400)
    shown = [{"ProfileId": one["id"], "Title": one["name"] or one["email"] or one["id"]} for one in examples]
    return json_answer({"EstimateId": estimate_id, "Examples": shown})


def count_segment(visitor: Visitor) -> Response:
    """Start to count the members of a segment, for a script."""
    with visitor.writing(*NEEDS[Page.SEGMENT], *ESTIMATING) as session:
        found = get_definition(session, SEGMENT, _segment_in_path(visitor))
        try:
            return json_answer({"EstimateId": start_estimate(session, _query_of(found.body))})
        except InvalidRequest as error:
            return json_answer({"message": str(error)}, 400)


def show(visitor: Visitor) -> Response:
    """Show a segment with some of its members."""
    name, query = _segment_in_path(visitor), visitor.request.query_params
    members, next_token, fault, known_at = None, None, None, None
    lines: list[tuple[int, str]] = []
    with visitor.reading(*NEEDS[Page.SEGMENT]) as session:
        found = get_definition(session, SEGMENT, name)
        is_sql = SQL_QUERY in found.body
        changes = _read_changes(visitor, session, name)
        exports = _read_exports(visitor, session, name)
        try:
            expression = segment_expression(session, name)
            if is_sql:
                known_at = known_since(session, name)
            else:
                lines = list(described(expression))
            if visitor.may(MEMBERSHIP, session.domain.name):
                page = list_members(session, name, max_results=_MEMBERS_PER_PAGE, next_token=query.get("next-token"))
                members = [result_of(one) for one in get_profiles(session, page.profile_ids).profiles]
                next_token = page.next_token
        except InvalidRequest as error:
            lines, fault = [], str(error)
    return visitor.page(
        "segment.html",
        query=found.body.get(SQL_QUERY),
        known_at=known_at,
        changes=changes,
        exports=exports,
        files=_files_of(visitor, session.domain.name, exports),
        domain=session.domain,
        segment=found.definition,
        lines=lines,
        members=members,
        next_token=next_token,
        is_first="next-token" not in query,
        fault=fault,
        may_count=all(visitor.may(action, session.domain.name) for action in ESTIMATING),
    )


@dataclass(frozen=True, slots=True)
class _Changes:
    """The subscription to a segment, with its last events; None: it is not followed."""

    subscription: Subscription | None
    events: list[SegmentEvent]


def _read_changes(visitor: Visitor, session: Reading, name: str) -> _Changes | None:
    """Read who has joined and left lately; None: the visitor may not see it, or there is nothing."""
    if not visitor.may(_EVENTS, session.domain.name):
        return None
    try:
        subscription = get_subscription(session, name)
    except NotFound:
        subscription = None
    try:
        events = list_subscription_events(session, name, max_results=_EVENTS_SHOWN).events
    except NotFound:
        return None
    return _Changes(subscription, events)


def _read_exports(visitor: Visitor, session: Reading, name: str) -> list[SegmentRun]:
    if not visitor.may(_EXPORTS, session.domain.name):
        return []
    return list_segment_snapshots(session, name, max_results=_EXPORTS_SHOWN).snapshots


def _files_of(visitor: Visitor, domain_name: str, exports: Sequence[SegmentRun]) -> dict[str, list[ExportedFile]]:
    """Return the files that the visitor may download, by the id of their export."""
    if not visitor.may(_SEARCH, domain_name):
        return {}
    folder = visitor.services.settings.export_folder
    return {one.job_id: list_exported_files(one, folder) for one in exports}


def send_export(visitor: Visitor) -> Response:
    """Send a file of an export, which has the values of customers."""
    path = visitor.request.path_params
    with visitor.reading(*NEEDS[Page.SEGMENT], _EXPORTS, _SEARCH) as session:
        run = read_snapshot(session, _segment_in_path(visitor), path["snapshot_id"])
    files = list_exported_files(run, visitor.services.settings.export_folder)
    found = next((one for one in files if one.name == path["file"]), None)
    if found is None:
        raise NotFound("This export has no such file here. It was moved, or sent to another place.")
    disposition = f'attachment; filename="{run.request[NAME]}-{found.name}"'
    headers = PAGE_HEADERS | {"Content-Disposition": disposition, "Content-Length": str(found.path.stat().st_size)}
    return StreamingResponse(
        parts_of_file(found.path.open("rb")), media_type="application/octet-stream", headers=headers
    )


def show_member(visitor: Visitor) -> Response:
    """Show why a profile is a member of a segment, or is not."""
    name = _segment_in_path(visitor)
    profile_id = str(visitor.request.path_params["profile_id"])
    with visitor.reading(*NEEDS[Page.SEGMENT], MEMBERSHIP) as session:
        profile = get_profile(session, profile_id)
        explained = explain_membership(session, name, profile_id)
    return visitor.page(
        "segment_member.html",
        domain=session.domain,
        segment_name=name,
        profile=result_of(profile),
        is_member=explained.holds,
        lines=list(_explained(explained)),
    )


def delete(visitor: Visitor) -> Response:
    """Delete a segment."""
    with visitor.writing(*NEEDS[Page.SEGMENT], _DELETING) as session:
        delete_segment(session, _segment_in_path(visitor))
    path = path_of_tab(Page.SEGMENTS, visitor.domain_name)
    return visitor.redirect_after(
        visitor.domain_name, "segment-deleted", (Page.SEGMENTS, f"{path}?done=segment-deleted")
    )


def to_segment(visitor: Visitor, name: str, done: str) -> Response:
    """Redirect to the page of a segment."""
    path = f"{path_of_tab(Page.SEGMENTS, visitor.domain_name)}/{name}?done={done}"
    return visitor.redirect_after(visitor.domain_name, done, (Page.SEGMENT, path))


def _form_page(visitor: Visitor, form: Mapping[str, str], rows: list[_Row], fault: str | None = None) -> Response:
    with visitor.reading(*NEEDS[Page.SEGMENTS], CREATING) as session:
        attributes = _known_attributes(session)
    return visitor.page(
        "segment_form.html",
        status=200 if fault is None else 400,
        domain=session.domain,
        form=form,
        rows=rows,
        fields=[*FIELD_BY_PATH, *(f"Attributes.{name}" for name in attributes)],
        operators=list(OPERATORS.values()),
        may_count=all(visitor.may(one, session.domain.name) for one in (MEMBERSHIP, *ESTIMATING)),
        may_add=len(rows) < _MOST_ROWS,
        fault=fault,
    )


def _rows_of(form: Mapping[str, str]) -> list[_Row]:
    numbers = sorted(int(name[5:]) for name in form if re.fullmatch(r"name-[0-9]{1,3}", name))
    rows = [
        _Row(form[f"name-{one}"], form.get(f"operator-{one}", "INCLUSIVE"), form.get(f"values-{one}", ""))
        for one in numbers
    ]
    return rows or [_Row()] * _FIRST_ROWS


def _body_of(session: Reading, form: Mapping[str, str]) -> dict[str, Any]:
    """Make the body of a segment of the conditions in the form; without conditions, everybody.

    Raises:
        InvalidRequest: a condition is not complete, or not valid.
    """
    dimensions = []
    for row in _rows_of(form):
        if row.is_blank:
            continue
        operator = OPERATORS.get(row.operator)
        if not row.name.strip() or operator is None:
            raise InvalidRequest("Each condition needs a field and an operator.")
        dimensions.append(make_dimension(row.name.strip(), operator, row.values, lambda: _known_attributes(session)))
    body = {GROUPS: segment_groups(dimensions, any_of=form.get("joined") == "ANY")} if dimensions else {}
    require_valid(session, expression_of(session, body, GROUPS))
    return body


def _known_attributes(session: Reading) -> list[str]:
    return list(list_known_attributes(lambda: nullcontext(session)))


def _query_of(body: Mapping[str, Any]) -> dict[str, Any]:
    members = {GROUPS: QUERY, SQL_QUERY: SQL_QUERY}
    return {members[name]: value for name, value in body.items() if name in members}


def _explained(one: Explanation, depth: int = 0) -> Iterator[tuple[int, bool, str, str]]:
    """Yield the parts of an explanation: depth, whether it holds, in words, and what was found."""
    found = "" if one.found is None else f"is {one.found}"
    if one.reason is not None:
        found = "has no value" if one.found is None else f"{found}, which is {one.reason.value}"
    yield depth, one.holds, words_of(one.expression), found
    for part in one.parts:
        yield from _explained(part, depth + 1)


def _segment_in_path(visitor: Visitor) -> str:
    return str(visitor.request.path_params["segment"])
