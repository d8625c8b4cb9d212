"""An expression as a condition on the rows of the table ``profile``, named ``p`` in the statement.

Each engine has its own SQL for tests (``EngineTests``). How tests are combined is the same: negation is moved down to
the tests, so that no engine computes a condition as a value, which would read everything in it; and cheap tests come
first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from openprofiles.expressions.moment_text import DAY_MS, bound_of, range_of
from openprofiles.expressions.number_text import number_of
from openprofiles.expressions.operators import Comparison, Kind
from openprofiles.expressions.tree import (
    Calculated,
    Every,
    Expression,
    Field,
    InSegment,
    JobRelation,
    Not,
    ProfileTime,
    Reference,
    Some,
    Test,
)
from openprofiles.facts.standard_profile import FIELD_BY_PATH, TWINS, attribute_of_target
from openprofiles.store.expressions.fragments import Sql, all_of, any_of, sql

_FALSE = any_of([])
_CALCULATED_COST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an expression needs besides the rows of profiles.

    Attributes:
        now: what relative dates are relative to.
        segment: returns the expression of a segment.
        calculated_test: returns the condition that a test of a calculated attribute holds for a row ``p``.
        is_of_job: returns the condition that the job of an id has this relation to a row ``p``.
    """

    now: datetime
    segment: Callable[[str], Expression]
    calculated_test: Callable[[Test], Sql]
    is_of_job: Callable[[JobRelation, str], Sql]


class EngineTests(ABC):
    """The tests, in the SQL of one engine. A condition may be null where a value is missing."""

    @abstractmethod
    def attribute(self, name: str) -> Sql:
        """Build SQL for the text of a custom attribute."""

    @abstractmethod
    def is_not_true(self, condition: Sql) -> Sql:
        """Build the condition that another one is false or null."""

    @abstractmethod
    def equals(self, text: Sql, values: Sequence[str], operand: Reference) -> Sql:
        """Build the condition that a text is one of at least one value.

        Args:
            operand: where the text comes from.
        """

    @abstractmethod
    def equals_none(self, text: Sql, values: Sequence[str]) -> Sql:
        """Build the condition that a text is missing, or none of at least one value."""

    @abstractmethod
    def compares_texts(self, comparison: Comparison, text: Sql, value: Sql | str) -> Sql:
        """Build the condition that a text contains, begins or ends with another one."""

    @abstractmethod
    def compares_numbers(self, comparison: Comparison, text: Sql, value: Sql | str) -> Sql:
        """Build the condition that a text is a number that compares so with a value.

        Args:
            value: a text that is a number, or SQL for a text that may not be one.
        """

    @abstractmethod
    def number(self, text: Sql) -> Sql:
        """Build SQL for the number that a text is; null if it is not one."""

    @abstractmethod
    def is_number(self, text: Sql) -> Sql:
        """Build the condition that a text is a number."""

    @abstractmethod
    def moment(self, text: Sql) -> Sql:
        """Build SQL for the moment that a text is, in milliseconds since 1970; null if it is not one."""

    @abstractmethod
    def least(self, *numbers: Sql | int) -> Sql:
        """Build SQL for the least of some numbers."""

    @abstractmethod
    def greatest(self, *numbers: Sql | int) -> Sql:
        """Build SQL for the greatest of some numbers."""

    @abstractmethod
    def has_element(self, text: Sql, value: Sql | str) -> Sql:
        """Build the condition that a value is an element of a text as a list."""


class Conditions:
    """Builds conditions for one engine and one moment."""

    def __init__(self, tests: EngineTests, surroundings: Surroundings) -> None:
        self._tests = tests
        self._surroundings = surroundings
        self._costs: dict[str, int] = {}

    def of(self, expression: Expression) -> Sql:
        """Build the condition for rows ``p`` for which an expression holds; true or false, or null for false."""
        return self._of(expression, True)

    def _of(self, expression: Expression, wanted: bool) -> Sql:
        """Build the condition that an expression holds, or that it does not."""
        if isinstance(expression, Test):
            return self._test(expression, wanted)
        if isinstance(expression, Every | Some):
            parts = [self._of(part, wanted) for part in sorted(expression.parts, key=self._cost)]
            # The negation of one is the other, of negated parts.
            return all_of(parts) if isinstance(expression, Every) is wanted else any_of(parts)
        if isinstance(expression, Not):
            return self._of(expression.part, not wanted)
        return self._of(self._surroundings.segment(expression.name), wanted)

    def _cost(self, expression: Expression) -> int:
        if isinstance(expression, InSegment) and expression.name not in self._costs:
            self._costs[expression.name] = self._cost(self._surroundings.segment(expression.name))
        if isinstance(expression, Test):
            if isinstance(expression.operand, Calculated):
                return _CALCULATED_COST
            is_attribute = isinstance(expression.operand, Field) and attribute_of_target(expression.operand.path)
            return (10 if is_attribute else 1) + (5 if expression.operator.kind is Kind.DATE else 0)
        if isinstance(expression, Every | Some):
            return sum(map(self._cost, expression.parts))
        if isinstance(expression, Not):
            return self._cost(expression.part)
        return self._costs[expression.name]

    def _test(self, test: Test, wanted: bool) -> Sql:
        wants_comparison = wanted != test.operator.is_negated
        operand, operator = test.operand, test.operator
        if isinstance(operand, Calculated):
            condition = self._surroundings.calculated_test(test)
            return condition if wanted else sql("not {0}", condition)
        if isinstance(operand, Field) and operator.comparison is Comparison.EQUAL and not wants_comparison:
            texts = [value for value in test.values if isinstance(value, str)]
            if operator.kind is Kind.TEXT and len(texts) == len(test.values):
                return self._tests.equals_none(self._text(operand), texts)
        condition = self._comparison(test)
        return condition if wants_comparison else self._tests.is_not_true(condition)

    def _comparison(self, test: Test) -> Sql:
        operand, operator = test.operand, test.operator
        if isinstance(operand, Calculated):
            raise TypeError("It is not compared here.")
        if isinstance(operand, JobRelation):
            jobs = [value for value in test.values if isinstance(value, str)]
            return any_of([self._surroundings.is_of_job(operand, job) for job in jobs])
        if isinstance(operand, ProfileTime):
            return self._dates(operator.comparison, Sql(f"p.{operand.value}"), test.values)
        text = self._text(operand)
        if operator.kind is Kind.TEXT:
            return self._texts(operator.comparison, operand, text, test.values)
        if operator.kind is Kind.NUMBER:
            return any_of([self._numbers(operator.comparison, text, value) for value in test.values])
        if operator.kind is Kind.LIST:
            parts = [self._tests.has_element(text, self._value(value)) for value in test.values]
            return all_of(parts) if operator.needs_all else any_of(parts)
        return self._dates(operator.comparison, self._tests.moment(text), test.values)

    def _text(self, reference: Reference) -> Sql:
        if isinstance(reference, Calculated):
            # Segments refuse it (``segments.definitions``).
            raise TypeError("A calculated attribute cannot be the value of a test.")
        name = attribute_of_target(reference.path)
        if name is not None:
            return self._tests.attribute(name)
        path = TWINS[reference.path][0] if reference.path in TWINS else reference.path
        return Sql(f"p.{FIELD_BY_PATH[path].column}")

    def _value(self, value: str | Reference) -> Sql | str:
        return value if isinstance(value, str) else self._text(value)

    def _texts(self, comparison: Comparison, operand: Reference, text: Sql, values: Sequence[str | Reference]) -> Sql:
        if comparison is not Comparison.EQUAL:
            tests = [self._tests.compares_texts(comparison, text, self._value(value)) for value in values]
            return any_of(tests)
        fixed = [value for value in values if isinstance(value, str)]
        parts = [self._tests.equals(text, fixed, operand)] if fixed else []
        parts += [sql("{0} = {1}", text, self._text(value)) for value in values if not isinstance(value, str)]
        return any_of(parts)

    def _numbers(self, comparison: Comparison, text: Sql, value: str | Reference) -> Sql:
        if isinstance(value, str):
            if number_of(value) is not None:
                return self._tests.compares_numbers(comparison, text, value)
            return sql("{0} = {1}", text, value) if comparison is Comparison.EQUAL else _FALSE
        other = self._text(value)
        compares = self._tests.compares_numbers(comparison, text, other)
        if comparison is not Comparison.EQUAL:
            return compares
        is_same = sql("({0} = {1} and {2})", text, other, self._tests.is_not_true(self._tests.is_number(other)))
        return any_of([compares, is_same])

    def _dates(self, comparison: Comparison, moment: Sql, values: Sequence[str | Reference]) -> Sql:
        bounds = [self._bound(value) for value in values]
        known = [bound for bound in bounds if bound is not None]
        if comparison in (Comparison.WITHIN, Comparison.OUTSIDE):
            if len(known) < len(bounds):
                return _FALSE
            if comparison is Comparison.WITHIN:
                return sql("({0} between {1} and {2})", moment, *self._range(known))
            # Where an end is null because another value of the profile is missing, nothing is outside.
            are_known = [sql("{0} is not null", bound) for bound in known if isinstance(bound, Sql)]
            is_outside = sql("{0} not between {1} and {2}", moment, *self._range(known))
            return all_of([is_outside, *are_known])
        if not known:
            return _FALSE
        if len(known) > 1:
            # Read once.
            parts = [_compares_moment(comparison, Sql("m"), bound) for bound in known]
            return sql("(select {0} from (select {1} as m) moment_once)", any_of(parts), moment)
        return _compares_moment(comparison, moment, known[0])

    def _bound(self, value: str | Reference) -> Sql | int | None:
        if isinstance(value, str):
            return bound_of(value, self._surroundings.now)
        return self._tests.moment(self._text(value))

    def _range(self, bounds: Sequence[Sql | int]) -> tuple[Sql | int, Sql | int]:
        numbers = tuple(bound for bound in bounds if isinstance(bound, int))
        if len(numbers) == len(bounds):
            return range_of(numbers, self._surroundings.now)
        if len(bounds) == 1:
            now_ms = bound_of("now", self._surroundings.now)
            assert now_ms is not None
            return self._tests.least(bounds[0], now_ms), self._tests.greatest(bounds[0], now_ms)
        return bounds[0], bounds[1]


def _compares_moment(comparison: Comparison, moment: Sql, bound: Sql | int) -> Sql:
    if comparison is not Comparison.SAME_DAY:
        return sql(f"{{0}} {comparison.value} {{1}}", moment, bound)
    if isinstance(bound, int):
        start = bound // DAY_MS * DAY_MS
        return sql("({0} between {1} and {2})", moment, start, start + DAY_MS - 1)
    # Division of whole numbers is towards zero, so both are moved to positive ones first.
    day = f"(({{}} + {_EPOCH_DAYS * DAY_MS}) / {DAY_MS})"
    return sql(f"{day.format('{0}')} = {day.format('{1}')}", moment, bound)


# More than from the year 1 to 1970.
_EPOCH_DAYS = 800_000
