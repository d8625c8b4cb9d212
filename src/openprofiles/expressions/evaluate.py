"""Whether an expression holds for one profile, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from openprofiles.expressions.list_text import list_of
from openprofiles.expressions.moment_text import DAY_MS, bound_of, moment_of, range_of
from openprofiles.expressions.number_text import number_of
from openprofiles.expressions.operators import Comparison, Kind
from openprofiles.expressions.tree import (
    Calculated,
    Every,
    Expression,
    Field,
    JobRelation,
    Not,
    ProfileTime,
    Reference,
    Some,
    Test,
)
from openprofiles.facts.standard_profile import TWINS


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileValues:
    """What an expression may ask of one profile.

    Attributes:
        texts: by the paths of fields, ``Attributes.<name>`` among them.
        times: in milliseconds since 1970.
        now: what relative dates are relative to.
        calculated: returns the value of a calculated attribute; None: it has none.
        segment: returns the expression of a segment.
        is_of_job: returns whether the job of an id has this relation to the profile.
    """

    texts: Mapping[str, str]
    times: Mapping[ProfileTime, int]
    now: datetime
    calculated: Callable[[Calculated], str | None]
    segment: Callable[[str], Expression]
    is_of_job: Callable[[JobRelation, str], bool]

    def text(self, reference: Reference) -> str | None:
        """Return the text that the profile has there; None if it has none."""
        if isinstance(reference, Calculated):
            return self.calculated(reference)
        path = TWINS[reference.path][0] if reference.path in TWINS else reference.path
        return self.texts.get(path)


class Reason(Enum):
    """Why what a profile has cannot be compared."""

    MISSING = "missing"
    NOT_A_NUMBER = "not a number"
    NOT_A_DATE = "not a date"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether one part of an expression holds for a profile, and why.

    Attributes:
        found: for a test, what the profile has; None: nothing.
        reason: why a value could not be compared.
    """

    expression: Expression
    holds: bool
    found: str | None = None
    reason: Reason | None = None
    parts: tuple[Explanation, ...] = field(default=())


def holds(expression: Expression, profile: ProfileValues) -> bool:
    """Return whether an expression holds for a profile."""
    if isinstance(expression, Test):
        return _test_holds(expression, profile)
    if isinstance(expression, Every):
        return all(holds(part, profile) for part in expression.parts)
    if isinstance(expression, Some):
        return any(holds(part, profile) for part in expression.parts)
    if isinstance(expression, Not):
        return not holds(expression.part, profile)
    return holds(profile.segment(expression.name), profile)


def explain(expression: Expression, profile: ProfileValues) -> Explanation:
    """Explain whether an expression holds for a profile, part by part."""
    if isinstance(expression, Test):
        return _explain_test(expression, profile)
    if isinstance(expression, Every | Some):
        parts = tuple(explain(part, profile) for part in expression.parts)
        results = [part.holds for part in parts]
        return Explanation(expression, all(results) if isinstance(expression, Every) else any(results), parts=parts)
    if isinstance(expression, Not):
        part = explain(expression.part, profile)
        return Explanation(expression, not part.holds, parts=(part,))
    inner = explain(profile.segment(expression.name), profile)
    return Explanation(expression, inner.holds, parts=(inner,))


def _explain_test(test: Test, profile: ProfileValues) -> Explanation:
    result = _test_holds(test, profile)
    if not isinstance(test.operand, Field | Calculated):
        return Explanation(test, result)
    found = profile.text(test.operand)
    reason = None
    if found is None:
        reason = Reason.MISSING
    elif test.operator.kind is Kind.NUMBER and number_of(found) is None:
        reason = Reason.NOT_A_NUMBER
    elif test.operator.kind is Kind.DATE and moment_of(found) is None:
        reason = Reason.NOT_A_DATE
    return Explanation(test, result, found, reason)


def _test_holds(test: Test, profile: ProfileValues) -> bool:
    return _compares(test, profile) != test.operator.is_negated


def _compares(test: Test, profile: ProfileValues) -> bool:
    operand, operator = test.operand, test.operator
    if isinstance(operand, JobRelation):
        return any(profile.is_of_job(operand, value) for value in test.values if isinstance(value, str))
    values = [value if isinstance(value, str) else profile.text(value) for value in test.values]
    given = [value for value in values if value is not None]
    if isinstance(operand, ProfileTime):
        return _compares_dates(operator.comparison, profile.times[operand], values, profile.now)
    text = profile.text(operand)
    if text is None:
        return False
    if operator.kind is Kind.TEXT:
        return any(_TEXTS[operator.comparison](text, value) for value in given)
    if operator.kind is Kind.LIST:
        elements = list_of(text)
        if operator.needs_all:
            return len(given) == len(values) and all(value in elements for value in given)
        return any(value in elements for value in given)
    if operator.kind is Kind.NUMBER:
        return any(_compares_numbers(operator.comparison, text, value) for value in given)
    moment = moment_of(text)
    return moment is not None and _compares_dates(operator.comparison, moment, values, profile.now)


def _compares_numbers(comparison: Comparison, text: str, value: str) -> bool:
    bound = number_of(value)
    if bound is None:
        # AWS's own screens compare ``true`` in this way.
        return comparison is Comparison.EQUAL and text == value
    number = number_of(text)
    return number is not None and _ORDERS[comparison](number, bound)


def _compares_dates(comparison: Comparison, moment: int, values: list[str | None], now: datetime) -> bool:
    bounds = [None if value is None else bound_of(value, now) for value in values]
    known = tuple(bound for bound in bounds if bound is not None)
    if comparison in (Comparison.WITHIN, Comparison.OUTSIDE):
        if len(known) < len(bounds):
            return False
        low, high = range_of(known, now)
        return (low <= moment <= high) == (comparison is Comparison.WITHIN)
    return any(_ORDERS[comparison](moment, bound) for bound in known)


_Texts: TypeAlias = Callable[[str, str], bool]
_TEXTS: Mapping[Comparison, _Texts] = {
    Comparison.EQUAL: lambda text, value: text == value,
    Comparison.CONTAINS: lambda text, value: value in text,
    Comparison.BEGINS_WITH: lambda text, value: text.startswith(value),
    Comparison.ENDS_WITH: lambda text, value: text.endswith(value),
}
_ORDERS: Mapping[Comparison, Callable[[float, float], bool]] = {
    Comparison.EQUAL: lambda one, other: one == other,
    Comparison.GREATER: lambda one, other: one > other,
    Comparison.GREATER_OR_EQUAL: lambda one, other: one >= other,
    Comparison.LESS: lambda one, other: one < other,
    Comparison.LESS_OR_EQUAL: lambda one, other: one <= other,
    Comparison.SAME_DAY: lambda one, other: one // DAY_MS == other // DAY_MS,
}
