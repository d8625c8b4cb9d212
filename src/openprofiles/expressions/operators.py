"""The operators of tests, one row each. Python and the SQL of each engine follow this table.

Source: service model, AttributeDimensionType; administrator guide, "Building segments". What AWS does not say is in
``docs/segments.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What an operator compares."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    LIST = "list"


class Comparison(Enum):
    """How what a profile has compares with one value of the test, or with the range that two values make."""

    EQUAL = "="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    CONTAINS = "contains"
    BEGINS_WITH = "begins with"
    ENDS_WITH = "ends with"
    SAME_DAY = "same day"
    WITHIN = "within"
    OUTSIDE = "outside"
    HAS = "has"


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator.

    Attributes:
        name: in the API.
        words: for people, between the attribute and the values.
        needs_all: whether all values must compare so, instead of at least one.
        is_negated: whether the test holds where the comparison does not, so also where there is no value.
    """

    name: str
    words: str
    kind: Kind
    comparison: Comparison
    needs_all: bool = False
    is_negated: bool = False

    @property
    def is_range(self) -> bool:
        """Whether its values are the ends of a range."""
        return self.comparison in (Comparison.WITHIN, Comparison.OUTSIDE)


OPERATORS: Mapping[str, Operator] = {
    operator.name: operator
    for operator in (
        Operator("INCLUSIVE", "is", Kind.TEXT, Comparison.EQUAL),
        Operator("EXCLUSIVE", "is not", Kind.TEXT, Comparison.EQUAL, is_negated=True),
        Operator("CONTAINS", "contains", Kind.TEXT, Comparison.CONTAINS),
        Operator("BEGINS_WITH", "begins with", Kind.TEXT, Comparison.BEGINS_WITH),
        Operator("ENDS_WITH", "ends with", Kind.TEXT, Comparison.ENDS_WITH),
        Operator("EQUAL", "equals", Kind.NUMBER, Comparison.EQUAL),
        Operator("GREATER_THAN", "is greater than", Kind.NUMBER, Comparison.GREATER),
        Operator("GREATER_THAN_OR_EQUAL", "is at least", Kind.NUMBER, Comparison.GREATER_OR_EQUAL),
        Operator("LESS_THAN", "is less than", Kind.NUMBER, Comparison.LESS),
        Operator("LESS_THAN_OR_EQUAL", "is at most", Kind.NUMBER, Comparison.LESS_OR_EQUAL),
        Operator("BEFORE", "is before", Kind.DATE, Comparison.LESS),
        Operator("AFTER", "is after", Kind.DATE, Comparison.GREATER),
        Operator("ON", "is on", Kind.DATE, Comparison.SAME_DAY),
        Operator("BETWEEN", "is between", Kind.DATE, Comparison.WITHIN),
        # Not negated: a profile without a date is not outside a range (administrator guide: "has a date value that is
        # not between").
        Operator("NOT_BETWEEN", "is not between", Kind.DATE, Comparison.OUTSIDE),
        Operator("LIST_CONTAINS", "contains any of", Kind.LIST, Comparison.HAS),
        Operator("LIST_CONTAINS_ALL", "contains all of", Kind.LIST, Comparison.HAS, needs_all=True),
    )
}
