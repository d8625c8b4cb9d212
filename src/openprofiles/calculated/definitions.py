"""Definitions of calculated attributes: create, update, delete and list them, those that every domain has included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from openprofiles.calculated.defaults import DEFAULTS, TIME_DIFFERENCE
from openprofiles.calculated.formula import Formula, read_formula, read_reference
from openprofiles.calculated.values import Calculation, DayRange
from openprofiles.clock import to_milliseconds
from openprofiles.definitions.definitions import (
    DefinitionKind,
    change_definition,
    create_definition,
    delete_definition,
    get_definition,
    list_all_definitions,
)
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.expressions.from_attributes import from_filter
from openprofiles.expressions.moment_text import DAY_MS
from openprofiles.expressions.tree import EVERYBODY
from openprofiles.profiles.session import Reading, Writing

CALCULATED = DefinitionKind(
    name="calculated attribute",
    noun="calculated attribute definition",
    arn_part="calculated-attributes",
    exists_message="Calculated attribute definition with name {name} already exists",
)
# The names of defaults that were deleted.
_DELETED_DEFAULT = DefinitionKind(name="deleted calculated attribute", noun="deleted calculated attribute")

DETAILS, STATISTIC, CONDITIONS, FILTER = "AttributeDetails", "Statistic", "Conditions", "Filter"
HISTORICAL = "UseHistoricalData"
# Of the body: from which time on objects count, in milliseconds since 1970.
_COUNTS_FROM = "CountsFrom"

# Source: administrator guide, "Calculated attributes"; Amazon Connect endpoints and quotas.
_MAX_DEFINITIONS = 100
_MAX_DAYS = 366
_MAX_OBJECTS = 100
_DAYS = re.compile(r"[0-9]{1,6}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculatedDefinition:
    """A definition.

    Attributes:
        summary: its display name and description, if it has them.
        members: the others, as they came.
        created_at: None: every domain has it from the beginning.
        counts_from_ms: objects that were ingested before do not count.
    """

    name: str
    summary: Mapping[str, Any]
    members: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    counts_from_ms: int = 0

    @property
    def is_age(self) -> bool:
        """Whether it is the age of the profile, which is computed from no object."""
        return bool(self.members[STATISTIC] == TIME_DIFFERENCE)

    def calculation(self, now: datetime) -> Calculation:
        """Return how the value is computed."""
        return _calculation(self.members, self.counts_from_ms, now)


def create_calculated(
    session: Writing, name: str, summary: Mapping[str, Any], members: Mapping[str, Any], tags: Mapping[str, str]
) -> CalculatedDefinition:
    """Create a definition.

    Args:
        members: those of CreateCalculatedAttributeDefinition that say what is computed.

    Raises:
        InvalidRequest: the domain has one of this name, has too many, or the definition is not valid.
    """
    _calculation(members, 0, session.now)
    known = _stored(session)
    if name in DEFAULTS and name not in known and name not in _deleted_defaults(session):
        raise InvalidRequest((CALCULATED.exists_message or "").format(name=name))
    if len(known) >= _MAX_DEFINITIONS:
        raise InvalidRequest(
            f"The domain {session.domain.name} has {len(known)} calculated attributes; at most {_MAX_DEFINITIONS} are "
            "allowed. Delete one first."
        )
    counts_from = 0 if members.get(HISTORICAL) else to_milliseconds(session.now)
    create_definition(
        session, CALCULATED, name, summary=summary, body={**members, _COUNTS_FROM: counts_from}, tags=tags
    )
    return get_calculated(session, name)


def update_calculated(
    session: Writing, name: str, summary: Mapping[str, Any], conditions: Mapping[str, Any]
) -> CalculatedDefinition:
    """Change the display name, the description, and conditions; each given condition replaces the one before.

    Raises:
        NotFound: the domain has none of this name.
        InvalidRequest: a condition is not valid, or cannot be changed.
    """
    before = get_calculated(session, name)
    old = before.members.get(CONDITIONS, {})
    new = dict(conditions)
    if "Range" in new:
        new["Range"] = _changed_range(old.get("Range", {}), new["Range"])
    members = {**before.members}
    if old or new:
        members[CONDITIONS] = {**old, **new}
    counts_from = before.counts_from_ms
    days = before.calculation(session.now).days
    wider = _calculation(members, 0, session.now).days
    if days is not None and (wider is None or wider.start > days.start):
        # A wider range does not reach back to objects that were too old.
        counts_from = max(counts_from, to_milliseconds(session.now) - days.start * DAY_MS)
    body = {**members, _COUNTS_FROM: counts_from}
    if before.created_at is None:
        create_definition(session, CALCULATED, name, summary={**before.summary, **summary}, body=body)
    else:
        found = get_definition(session, CALCULATED, name).definition
        change_definition(session, CALCULATED, found, summary={**found.summary, **summary}, body=body)
    return get_calculated(session, name)


def delete_calculated(session: Writing, name: str) -> None:
    """Delete a definition, also one that every domain has. Segments that use it fail.

    Raises:
        NotFound: the domain has none of this name.
    """
    get_calculated(session, name)
    if name in _stored(session):
        delete_definition(session, CALCULATED, name)
    if name in DEFAULTS and name not in _deleted_defaults(session):
        create_definition(session, _DELETED_DEFAULT, name, body={})


def get_calculated(session: Reading, name: str) -> CalculatedDefinition:
    """Return a definition.

    Raises:
        NotFound: the domain has none of this name.
    """
    found = find_calculated(session, name)
    if found is None:
        raise NotFound(f"Calculated attribute definition {name} does not exist in domain {session.domain.name}.")
    return found


def find_calculated(session: Reading, name: str) -> CalculatedDefinition | None:
    """Find a definition."""
    try:
        stored = get_definition(session, CALCULATED, name)
    except NotFound:
        if name not in DEFAULTS or name in _deleted_defaults(session):
            return None
        return _default(name)
    definition, body = stored.definition, dict(stored.body)
    counts_from = body.pop(_COUNTS_FROM)
    return CalculatedDefinition(
        name=name,
        summary=definition.summary,
        members=body,
        tags=definition.tags,
        created_at=definition.created_at,
        updated_at=definition.updated_at,
        counts_from_ms=counts_from,
    )


def list_calculated(session: Reading, *, after: str = "", limit: int | None = None) -> list[CalculatedDefinition]:
    """List the definitions of a domain by name, those above ``after``."""
    defaults = DEFAULTS.keys() - _deleted_defaults(session)
    names = sorted(name for name in _stored(session) | defaults if name > after)
    return [get_calculated(session, name) for name in names[:limit]]


def _default(name: str) -> CalculatedDefinition:
    return CalculatedDefinition(name=name, summary={"DisplayName": name}, members=DEFAULTS[name])


def _stored(session: Reading) -> set[str]:
    return {one.name for one in list_all_definitions(session, CALCULATED)}


def _deleted_defaults(session: Reading) -> set[str]:
    return {one.name for one in list_all_definitions(session, _DELETED_DEFAULT)}


def _changed_range(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    for member in ("TimestampSource", "TimestampFormat"):
        if member in given and given[member] != before.get(member):
            raise InvalidRequest(f"Conditions.Range.{member} cannot be changed. Create another definition.")
    fixed = {member: before[member] for member in ("TimestampSource", "TimestampFormat") if member in before}
    return {**fixed, **given}


def _calculation(members: Mapping[str, Any], counts_from_ms: int, now: datetime) -> Calculation:
    """Read what is computed.

    Raises:
        InvalidRequest: it is not valid.
    """
    details = members[DETAILS]
    formula = read_formula(details["Expression"], {one["Name"] for one in details["Attributes"]})
    conditions = members.get(CONDITIONS, {})
    threshold = conditions.get("Threshold")
    given_filter = members.get(FILTER)
    count = conditions.get("ObjectCount")
    if count is not None and count > _MAX_OBJECTS:
        raise InvalidRequest(f"Conditions.ObjectCount must be 1 to {_MAX_OBJECTS}.")
    statistic = members[STATISTIC]
    if statistic == TIME_DIFFERENCE and threshold is not None and _DAYS.match(threshold["Value"]) is None:
        raise InvalidRequest("Conditions.Threshold.Value must be a whole number of days, of up to 6 digits.")
    return Calculation(
        formula=formula,
        statistic="COUNT" if statistic == TIME_DIFFERENCE else statistic,
        time_field=_time_field(conditions.get("Range", {}), formula),
        days=_days(conditions.get("Range", {})),
        object_count=count,
        threshold=None if threshold is None else (threshold["Operator"], threshold["Value"]),
        filter=EVERYBODY if given_filter is None else from_filter(given_filter, FILTER, now),
        counts_from_ms=counts_from_ms,
    )


def _time_field(given: Mapping[str, Any], formula: Formula) -> str | None:
    source = given.get("TimestampSource")
    return None if source is None else read_reference(source, "Conditions.Range.TimestampSource", formula.type_name)


def _days(given: Mapping[str, Any]) -> DayRange | None:
    if "ValueRange" in given:
        return read_days(given["ValueRange"]["Start"], given["ValueRange"]["End"], "Conditions.Range.ValueRange")
    return read_days(given["Value"], 0, "Conditions.Range") if "Value" in given else None


def read_days(start: int, end: int, place: str) -> DayRange:
    """Read a range of days.

    Args:
        place: the member that has it.

    Raises:
        InvalidRequest: it ends before it begins, or reaches too far.
    """
    if start < end:
        raise InvalidRequest(f"{place}.Start must be at least as many days ago as End.")
    if max(abs(start), abs(end)) > _MAX_DAYS:
        raise InvalidRequest(f"{place} can reach {_MAX_DAYS} days at most.")
    return DayRange(start, end)
