"""The tree of an expression: tests of the values of one profile, and how they are combined.

Every test is true or false, never unknown: a test decides itself what a missing value means. So negation is plain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from openprofiles.expressions.operators import Operator


@dataclass(frozen=True, slots=True)
class Field:
    """A text of the profile: the path of a standard field, or ``Attributes.<name>``."""

    path: str


@dataclass(frozen=True, slots=True)
class Calculated:
    """The value of a calculated attribute.

    Attributes:
        start_days: with ``end_days`` the range that replaces that of the definition; None: it holds.
    """

    name: str
    start_days: int | None = None
    end_days: int | None = None


class ProfileTime(Enum):
    """A time that every profile has."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"


class JobRelation(Enum):
    """What jobs have done with the profile; the values of a test are the ids of jobs."""

    MADE = "made"
    # Created or changed it.
    TOUCHED = "touched"
    # Of a snapshot: it was a member of the segment.
    EXPORTED = "exported"


Reference: TypeAlias = Field | Calculated
Operand: TypeAlias = Field | Calculated | ProfileTime | JobRelation


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison.

    Attributes:
        values: texts, or references to other values of the same profile.
        place: where it stands in the request, as a JSON path, for messages and explanations.
    """

    # Not a class of tests for pytest.
    __test__ = False

    operand: Operand
    operator: Operator
    values: tuple[str | Reference, ...]
    place: str = ""


@dataclass(frozen=True, slots=True)
class Every:
    """Holds where all of its parts do; without parts, everywhere."""

    parts: tuple[Expression, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class Some:
    """Holds where at least one of its parts does; without parts, nowhere."""

    parts: tuple[Expression, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where its part does not."""

    part: Expression
    place: str = ""


@dataclass(frozen=True, slots=True)
class InSegment:
    """Holds for the members of a segment of the same domain."""

    name: str
    place: str = ""


Expression: TypeAlias = Test | Every | Some | Not | InSegment

EVERYBODY = Every()


def nodes(expression: Expression) -> int:
    """Count the parts of an expression and the values of its tests."""
    if isinstance(expression, Every | Some):
        return 1 + sum(map(nodes, expression.parts))
    if isinstance(expression, Not):
        return 1 + nodes(expression.part)
    return 1 + len(expression.values) if isinstance(expression, Test) else 1


def leaves(expression: Expression) -> Iterator[Test | InSegment]:
    """Yield the tests of an expression and the segments that it names."""
    if isinstance(expression, Every | Some):
        for part in expression.parts:
            yield from leaves(part)
    elif isinstance(expression, Not):
        yield from leaves(expression.part)
    else:
        yield expression
