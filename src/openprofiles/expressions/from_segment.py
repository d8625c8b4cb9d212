"""Segment groups, as they come in requests, as expressions.

What the model allows is not checked again. What is checked here names its place in the request as a JSON path.

Source: service model, SegmentGroup; administrator guide, "Building segments". Where AWS does not say what a request
means, docs/segments.md says what it means here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from openprofiles.errors import InvalidRequest
from openprofiles.expressions.moment_text import NOTATIONS, bound_of, is_relative
from openprofiles.expressions.number_text import number_of
from openprofiles.expressions.operators import OPERATORS, Comparison, Kind, Operator
from openprofiles.expressions.tree import (
    EVERYBODY,
    Calculated,
    Every,
    Expression,
    Field,
    InSegment,
    JobRelation,
    Not,
    Operand,
    ProfileTime,
    Reference,
    Some,
    Test,
)
from openprofiles.facts.standard_profile import ADDRESSES, ATTRIBUTES_PREFIX, FIELD_BY_PATH, TWINS

Group: TypeAlias = Mapping[str, Any]

MAX_SOURCES = 5

# Attributes of ours, which no profile has: what the store knows of each profile. Requests of any SDK can name them.
OWN_PREFIX = "_openprofiles."
MADE_BY = f"{OWN_PREFIX}made_by_upload_job"
TOUCHED_BY = f"{OWN_PREFIX}touched_by_upload_job"
EXPORTED_BY = f"{OWN_PREFIX}exported_by_snapshot"
_OWN: Mapping[str, Operand] = {
    MADE_BY: JobRelation.MADE,
    TOUCHED_BY: JobRelation.TOUCHED,
    EXPORTED_BY: JobRelation.EXPORTED,
    f"{OWN_PREFIX}created_at": ProfileTime.CREATED_AT,
    f"{OWN_PREFIX}updated_at": ProfileTime.UPDATED_AT,
}
_REFERENCE = re.compile(r"\{\{_(profile|calculated_attribute)\.(.+)\}\}\Z", re.DOTALL)


def from_segment_groups(segment_groups: Mapping[str, Any], place: str, now: datetime) -> Expression:
    """Build the expression of segment groups.

    Args:
        segment_groups: a SegmentGroup, as in CreateSegmentDefinition.
        place: the member that it is.
        now: decides whether a range ends before it begins.

    Raises:
        InvalidRequest: an operator does not fit its attribute or values.
    """
    reader = _Reader(now)
    groups = segment_groups.get("Groups") or []
    parts = [reader.group(group, f"{place}.Groups[{index}]") for index, group in enumerate(groups)]
    return combined(segment_groups.get("Include", "ALL"), parts, place)


def attribute_name(operand: Operand) -> str:
    """Return what a segment calls what a test reads, such as ``Address.City`` or ``Attributes.tier``."""
    if isinstance(operand, Field):
        return operand.path
    if isinstance(operand, Calculated):
        return operand.name
    return ATTRIBUTES_PREFIX + next(name for name, one in _OWN.items() if one is operand)


def value_text(value: str | Reference) -> str:
    """Return a value of a test as it stands in a segment."""
    if isinstance(value, str):
        return value
    kind = "calculated_attribute" if isinstance(value, Calculated) else "profile"
    return f"{{{{_{kind}.{attribute_name(value)}}}}}"


class _Reader:
    """Reads the groups of one request."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def group(self, group: Group, place: str) -> Expression:
        parts = []
        sources = group.get("SourceSegments") or []
        if len(sources) > MAX_SOURCES:
            raise InvalidRequest(
                f"{place}.SourceSegments has {len(sources)} segments; at most {MAX_SOURCES} are allowed in a group."
            )
        if sources:
            named = [self._source(one, f"{place}.SourceSegments[{index}]") for index, one in enumerate(sources)]
            parts.append(combined(group.get("SourceType", "ANY"), named, f"{place}.SourceSegments"))
        dimensions = group.get("Dimensions") or []
        if dimensions:
            read = [self._dimension(one, f"{place}.Dimensions[{index}]") for index, one in enumerate(dimensions)]
            parts.append(combined(group.get("Type", "ALL"), read, f"{place}.Dimensions"))
        return combined("ALL", parts, place)

    def _source(self, source: Mapping[str, Any], place: str) -> Expression:
        if "SegmentDefinitionName" not in source:
            raise InvalidRequest(f"{place} must have a SegmentDefinitionName.")
        return InSegment(source["SegmentDefinitionName"], place)

    def _dimension(self, dimension: Mapping[str, Any], place: str) -> Expression:
        tests: list[Expression] = []
        for name, given in (dimension.get("ProfileAttributes") or {}).items():
            at = f"{place}.ProfileAttributes.{name}"
            if name == "Attributes" or name in ADDRESSES:
                _require_conditions(given, at)
            if name == "Attributes":
                tests += [self._attribute(one, its, f"{at}.{one}") for one, its in given.items()]
            elif name in ADDRESSES:
                tests += [self._read(Field(f"{name}.{one}"), its, f"{at}.{one}") for one, its in given.items()]
            else:
                tests.append(self._read(Field(name), given, at))
        for name, given in (dimension.get("CalculatedAttributes") or {}).items():
            days = (given.get("ConditionOverrides") or {}).get("Range") or {}
            operand = Calculated(name, days.get("Start"), days.get("End", 0))
            tests.append(self._read(operand, given, f"{place}.CalculatedAttributes.{name}"))
        _require_conditions(tests, place)
        return combined("ALL", tests, place)

    def _read(self, operand: Operand, given: Mapping[str, Any], place: str, *, takes_references: bool = True) -> Test:
        return read_test(operand, given, place, self._now, takes_references=takes_references)

    def _attribute(self, name: str, given: Mapping[str, Any], place: str) -> Test:
        if not name.startswith(OWN_PREFIX):
            return self._read(Field(ATTRIBUTES_PREFIX + name), given, place)
        operand = _OWN.get(name)
        if operand is None:
            raise InvalidRequest(f"{place}: there is no attribute {name}. Those of openprofiles are {_listed(_OWN)}.")
        operator = OPERATORS[given["DimensionType"]]
        if isinstance(operand, JobRelation) and operator.comparison is not Comparison.EQUAL:
            raise InvalidRequest(f"{place}: {name} can be used with INCLUSIVE and EXCLUSIVE only.")
        if isinstance(operand, ProfileTime) and operator.kind is not Kind.DATE:
            allowed = [one.name for one in OPERATORS.values() if one.kind is Kind.DATE]
            raise InvalidRequest(f"{place}: {name} can be used with {_listed(allowed)} only.")
        return self._read(operand, given, place, takes_references=False)


def read_test(
    operand: Operand, given: Mapping[str, Any], place: str, now: datetime, *, takes_references: bool = True
) -> Test:
    """Read one test: the operator and the values of an attribute.

    Args:
        takes_references: whether its values may be references to other values of the profile.

    Raises:
        InvalidRequest: the values do not fit the operator.
    """
    operator = OPERATORS[given["DimensionType"]]
    texts: Sequence[str] = given["Values"]
    values = [_value(text, f"{place}.Values[{index}]") for index, text in enumerate(texts)]
    if not takes_references and not all(isinstance(value, str) for value in values):
        raise InvalidRequest(f"{place}: the values of this attribute cannot be references to other attributes.")
    if operator.kind is Kind.NUMBER and operator.comparison is not Comparison.EQUAL:
        for index, value in enumerate(values):
            if isinstance(value, str) and number_of(value) is None:
                raise InvalidRequest(f"{place}.Values[{index}] must be a number for {operator.name}.")
    if operator.kind is Kind.DATE:
        _require_dates(operator, values, place, now)
    return Test(operand, operator, tuple(values), place)


def _require_dates(operator: Operator, values: Sequence[str | Reference], place: str, now: datetime) -> None:
    bounds = [bound_of(value, now) if isinstance(value, str) else None for value in values]
    for index, (value, bound) in enumerate(zip(values, bounds, strict=True)):
        if isinstance(value, str) and bound is None:
            raise InvalidRequest(
                f"{place}.Values[{index}] must be a date for {operator.name}, or a relative one, such as {NOTATIONS}."
            )
    if not operator.is_range:
        return
    are_relative = [isinstance(value, str) and is_relative(value) for value in values]
    if len(values) > 2 or (len(values) == 1 and not are_relative[0]):
        raise InvalidRequest(
            f"{place}.Values must be the first and the last moment of a range for {operator.name}, or one relative "
            "date, such as now-30d, for the range from it to now."
        )
    first, last = bounds[0], bounds[-1]
    if are_relative[0] is are_relative[-1] and first is not None and last is not None and first > last:
        raise InvalidRequest(f"{place}.Values must begin with the earlier end of the range.")


def _value(text: str, place: str) -> str | Reference:
    """Read a value: a reference to another attribute of the profile, or a text."""
    if "{{_" not in text:
        return text
    found = _REFERENCE.match(text)
    if found is None:
        raise InvalidRequest(
            f"{place} must be a reference as a whole, such as {{{{_profile.Address.City}}}} or "
            "{{_calculated_attribute.name}}, or a text without {{_."
        )
    kind, path = found.groups()
    if kind == "calculated_attribute":
        return Calculated(path)
    is_attribute = path.startswith(ATTRIBUTES_PREFIX) and len(path) > len(ATTRIBUTES_PREFIX)
    if is_attribute or path in FIELD_BY_PATH or path in TWINS:
        return Field(path)
    raise InvalidRequest(
        f"{place}: a profile has no field {path}. Fields are written as in {{{{_profile.Address.City}}}}, custom "
        "attributes as in {{_profile.Attributes.tier}}."
    )


def combined(relation: str, parts: Sequence[Expression], place: str) -> Expression:
    """Combine parts by ALL, ANY or NONE; without parts, everything, as AWS reads an empty list."""
    if not parts:
        return EVERYBODY
    if relation == "ALL":
        return parts[0] if len(parts) == 1 else Every(tuple(parts), place)
    some = parts[0] if len(parts) == 1 else Some(tuple(parts), place)
    return some if relation == "ANY" else Not(some, place)


def _require_conditions(conditions: Collection[Any], place: str) -> None:
    """Require at least one: without any, a member that was misspelt would make everybody a member of the segment."""
    if not conditions:
        raise InvalidRequest(f"{place} must have a condition. Members that the API does not know are ignored.")


def _listed(names: Iterable[str]) -> str:
    first, *others = reversed(list(names))
    return f"{', '.join(reversed(others))} and {first}"
