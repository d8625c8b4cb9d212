"""Segment definitions: create, list and delete them, and find the expressions of those that others build on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from openprofiles.calculated.definitions import find_calculated, read_days
from openprofiles.definitions.definitions import (
    DefinitionKind,
    WholeDefinition,
    create_definition,
    delete_definition,
    find_definition,
    get_definition,
    list_all_definitions,
)
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.expressions.from_segment import from_segment_groups
from openprofiles.expressions.operators import OPERATORS
from openprofiles.expressions.tree import (
    EVERYBODY,
    Calculated,
    Expression,
    Field,
    InSegment,
    JobRelation,
    Test,
    leaves,
    nodes,
)
from openprofiles.facts.standard_profile import FIELD_BY_PATH, TWINS, attribute_of_target
from openprofiles.job_kinds import SEGMENT_SNAPSHOT
from openprofiles.profiles.session import Reading, Writing
from openprofiles.store.definitions import Definition
from openprofiles.store.segment_runs import SegmentRun, find_last_snapshot, find_run
from openprofiles.store.segment_subscriptions import delete_subscription, find_subscription
from openprofiles.store.upload_jobs import find_job

if TYPE_CHECKING:
    from openprofiles.segments.sql.query_check import CheckedQuery
    from openprofiles.segments.sql.tables import SqlTable

SEGMENT = DefinitionKind(
    name="segment",
    noun="segment definition",
    arn_part="segment-definitions",
    exists_message="Segment definition with name {name} already exists",
)
CLASSIC, ENHANCED = "CLASSIC", "ENHANCED"
GROUPS, SQL_QUERY, SORT = "SegmentGroups", "SegmentSqlQuery", "SegmentSort"

SEGMENT_TYPE = "SegmentType"
# Names of AWS's own segments begin with it.
_RESERVED_PREFIX = "_default"
# Source: administrator guide, "Troubleshooting segments".
_MAX_DEPTH = 5
_TOO_DEEP = (
    f"The segment builds on others that build on others, to a depth of more than {_MAX_DEPTH}. You reached the limit "
    f"of {_MAX_DEPTH} depth of starting audiences."
)
_MAX_ATTRIBUTES = 60
_MAX_CALCULATED = 10
# Source: administrator guide, "Building segments": a snapshot serves for a year.
_EXPORT_HOLDS = timedelta(days=365)
# Ours: a statement of SQLite has at most 32,766 parameters, up to three of them for a value.
_MAX_SIZE = 10_000


class SegmentExpressions:
    """The expressions of the segments of a domain, read when they are first asked for."""

    def __init__(self, session: Reading) -> None:
        self._session = session
        self._known: dict[str, Expression] = {}

    def of(self, name: str) -> Expression:
        """Return the expression of a segment that another one names.

        Raises:
            InvalidRequest: there is no such segment, or it is an SQL segment that was never exported.
        """
        if name not in self._known:
            try:
                found = get_definition(self._session, SEGMENT, name)
            except NotFound as error:
                raise InvalidRequest(
                    f"The segment uses segment definition {name}, which does not exist in domain "
                    f"{self._session.domain.name}. Create it, or change the segment."
                ) from error
            if SQL_QUERY in found.body:
                self._known[name] = _in_last_export(self._session, found.definition)
            else:
                self._known[name] = expression_of(self._session, found.body, GROUPS)
        return self._known[name]


def create_segment(
    session: Writing,
    name: str,
    summary: Mapping[str, Any],
    body: Mapping[str, Any],
    tags: Mapping[str, str],
    *,
    strict: bool = False,
) -> WholeDefinition:
    """Create a segment definition.

    Args:
        summary: the display name, and the description if there is one.
        body: the segment groups or the SQL query, and the order, as they came.
        strict: whether AWS's own limits hold.

    Raises:
        InvalidRequest: the domain has one of this name, or what it says is not valid.
    """
    if name.startswith(_RESERVED_PREFIX):
        raise InvalidRequest(f"The name {name} is reserved: names that begin with {_RESERVED_PREFIX} belong to AWS.")
    check_segment(session, body, GROUPS, name=name, strict=strict)
    sort_paths(body)
    kind = ENHANCED if SQL_QUERY in body else CLASSIC
    return create_definition(session, SEGMENT, name, summary={**summary, SEGMENT_TYPE: kind}, body=body, tags=tags)


def sort_paths(body: Mapping[str, Any]) -> list[str]:
    """Return the paths of the fields that a segment is sorted by.

    Raises:
        InvalidRequest: there is no such field, or it is a calculated attribute.
    """
    paths = []
    for index, attribute in enumerate(body.get(SORT, {}).get("Attributes", ())):
        place, name = f"{SORT}.Attributes[{index}]", attribute["Name"]
        if attribute.get("Type") == "CALCULATED":
            raise InvalidRequest(
                f"{place}: sorting by calculated attributes is not supported by this version of openprofiles."
            )
        path = TWINS[name][0] if name in TWINS else name
        if path not in FIELD_BY_PATH and not attribute_of_target(path):
            raise InvalidRequest(
                f"{place}: a profile has no field {name}. Custom attributes are written as in Attributes.tier."
            )
        paths.append(path)
    return paths


def delete_segment(session: Writing, name: str) -> None:
    """Delete a segment definition with its subscription. Segments that are built on it fail until it is created again.

    Raises:
        NotFound: the domain has none of this name.
    """
    if name.startswith(_RESERVED_PREFIX):
        raise InvalidRequest(f"Segments whose names begin with {_RESERVED_PREFIX} belong to AWS and cannot be deleted.")
    found = find_definition(session, SEGMENT, name)
    subscription = find_subscription(session.connection, session.domain.domain_id, found.definition_id)
    if subscription is not None:
        delete_subscription(session.connection, subscription)
    delete_definition(session, SEGMENT, name)


def has_segment(session: Reading, name: str) -> bool:
    """Return whether the domain has a segment of this name."""
    return any(one.name == name for one in list_all_definitions(session, SEGMENT))


def segment_expression(session: Reading, name: str) -> Expression:
    """Return the expression of a segment.

    Raises:
        NotFound: the domain has none of this name.
        InvalidRequest: it is an SQL segment that was never exported, or builds on one that was deleted.
    """
    find_definition(session, SEGMENT, name)
    expression = SegmentExpressions(session).of(name)
    require_valid(session, expression)
    return expression


def check_segment(
    session: Reading, query: Mapping[str, Any], groups_member: str, *, name: str | None = None, strict: bool = False
) -> None:
    """Check a segment's body or an estimate's request, with everything that it names.

    Args:
        groups_member: the member that has the segment groups.
        name: of the segment that it will be; None: it is not stored.
        strict: whether AWS's own limits hold.

    Raises:
        InvalidRequest: it is not valid.
    """
    if SQL_QUERY not in query:
        require_valid(session, expression_of(session, query, groups_member), name=name)
        return
    if groups_member in query:
        raise InvalidRequest(f"Give either {groups_member} or {SQL_QUERY}, not both.")
    if strict and not session.domain.config.get("DataStore", {}).get("Enabled"):
        raise InvalidRequest(
            f"{SQL_QUERY} needs the data store of the domain. Enable it with UpdateDomain (DataStore.Enabled)."
        )
    sql_query_of(session, query)


def sql_query_of(session: Reading, query: Mapping[str, Any]) -> tuple[CheckedQuery, list[SqlTable]]:
    """Return the SQL query of a segment, translated, and the tables that it may read.

    Raises:
        InvalidRequest: it is not valid.
    """
    # Imported here: the parser takes a fifth of a second.
    from openprofiles.segments.sql.query_check import check_query
    from openprofiles.segments.sql.tables import list_tables

    tables = list_tables(session)
    return check_query(query[SQL_QUERY], tables, session.now), tables


def last_export(session: Reading, definition: Definition) -> SegmentRun:
    """Return the last export of an SQL segment, which says who its members are.

    Raises:
        InvalidRequest: there was none within a year.
    """
    since = session.now - _EXPORT_HOLDS
    found = find_last_snapshot(session.connection, session.domain.domain_id, definition.definition_id, since)
    if found is None:
        raise InvalidRequest(
            f"Segment definition {definition.name} is an SQL segment and has no snapshot of the last year, from which "
            "its members are known. Create one (CreateSegmentSnapshot)."
        )
    return found


def _in_last_export(session: Reading, definition: Definition) -> Expression:
    return Test(JobRelation.EXPORTED, OPERATORS["INCLUSIVE"], (last_export(session, definition).job_id,), SQL_QUERY)


def expression_of(session: Reading, query: Mapping[str, Any], groups_member: str) -> Expression:
    """Return the expression of a segment's body or of an estimate's request; without a query, everybody.

    Args:
        groups_member: the member that has the segment groups.

    Raises:
        InvalidRequest: the query is not valid.
    """
    if query.get(groups_member) is None:
        return EVERYBODY
    return from_segment_groups(query[groups_member], groups_member, session.now)


def require_valid(session: Reading, expression: Expression, *, name: str | None = None) -> None:
    """Check an expression together with the segments and other things that it names.

    Args:
        name: of the segment that it will be; None: it is not stored.

    Raises:
        InvalidRequest: something that it names does not exist, it names itself, or there are too many.
    """
    paths: set[str] = set()
    calculated: set[str] = set()
    tests = (
        leaf for one in _expressions_within(session, expression, name) for leaf in leaves(one) if isinstance(leaf, Test)
    )
    for test in tests:
        for operand in (test.operand, *test.values):
            if isinstance(operand, Field):
                paths.add(operand.path)
            elif isinstance(operand, Calculated):
                calculated.add(operand.name)
                _require_calculated(session, test, operand)
        if isinstance(test.operand, JobRelation):
            _require_jobs(session, test)
    if len(paths) > _MAX_ATTRIBUTES:
        raise InvalidRequest(
            f"The segment uses {len(paths)} unique attributes, those of its source segments included. You reached the "
            f"limit of {_MAX_ATTRIBUTES} unique attributes."
        )
    if len(calculated) > _MAX_CALCULATED:
        raise InvalidRequest(
            f"The segment uses {len(calculated)} unique calculated attributes, those of its source segments included. "
            f"You reached the limit of {_MAX_CALCULATED} unique calculated attributes."
        )


def _expressions_within(session: Reading, expression: Expression, name: str | None) -> list[Expression]:
    """List an expression and those of the segments that it builds on, each once.

    Raises:
        InvalidRequest: it builds on itself, or is too deep or too large.
    """
    segments = SegmentExpressions(session)
    depths: dict[str, int] = {}
    sizes: dict[str, int] = {}

    def walk(one: Expression, inside: tuple[str, ...]) -> tuple[int, int]:
        """Return how deep an expression builds on others, and how large it is with them."""
        depth, size = 0, nodes(one)
        if len(inside) > _MAX_DEPTH + 1:
            raise InvalidRequest(_TOO_DEEP)
        for leaf in leaves(one):
            if not isinstance(leaf, InSegment):
                continue
            if leaf.name in inside:
                circle = " > ".join((*inside[inside.index(leaf.name) :], leaf.name))
                raise InvalidRequest(f"{leaf.place}: the segment would be built on itself ({circle}).")
            if leaf.name not in depths:
                depths[leaf.name], sizes[leaf.name] = walk(segments.of(leaf.name), (*inside, leaf.name))
            depth, size = max(depth, depths[leaf.name] + 1), size + sizes[leaf.name]
        if depth > _MAX_DEPTH:
            raise InvalidRequest(_TOO_DEEP)
        if size > _MAX_SIZE:
            raise InvalidRequest(
                f"The segment has {size:,} groups, conditions and values, those of the segments that it builds on "
                f"included each time; at most {_MAX_SIZE:,} are allowed."
            )
        return depth, size

    walk(expression, (name,) if name else ())
    return [expression, *map(segments.of, depths)]


def _require_calculated(session: Reading, test: Test, calculated: Calculated) -> None:
    if find_calculated(session, calculated.name) is None:
        raise InvalidRequest(
            f"{test.place}: there is no calculated attribute {calculated.name} in domain {session.domain.name}."
        )
    if calculated.start_days is not None:
        read_days(calculated.start_days, calculated.end_days or 0, f"{test.place}.ConditionOverrides.Range")
    if isinstance(test.operand, Calculated) and all(isinstance(value, str) for value in test.values):
        return
    raise InvalidRequest(
        f"{test.place}: references to and from calculated attributes are not supported by this version of "
        "openprofiles. Compare with a text, a number or a date."
    )


def _require_jobs(session: Reading, test: Test) -> None:
    of_domain = session.connection, session.domain.domain_id
    for index, job_id in enumerate(test.values):
        if test.operand is JobRelation.EXPORTED:
            is_there, noun = find_run(of_domain[0], SEGMENT_SNAPSHOT, of_domain[1], str(job_id)) is not None, "snapshot"
        else:
            is_there, noun = find_job(*of_domain, str(job_id)) is not None, "upload job"
        if not is_there:
            raise InvalidRequest(
                f"{test.place}.Values[{index}]: there is no {noun} {job_id} in domain {session.domain.name}."
            )
