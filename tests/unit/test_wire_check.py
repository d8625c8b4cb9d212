"""Constraints: what is reported, where, and that values are never repeated."""

from __future__ import annotations

from typing import Any

import pytest

from openprofiles.wire.check import MOST_VIOLATIONS, Violation, describe_violations, violations
from openprofiles.wire.model import (
    BooleanShape,
    DoubleShape,
    IntegerShape,
    ListShape,
    MapShape,
    Member,
    Shape,
    StructureShape,
    TextShape,
    compile_pattern,
)


def text(low: int | None = None, high: int | None = None, pattern: str | None = None, *allowed: str) -> TextShape:
    compiled = compile_pattern(pattern) if pattern else None
    return TextShape("Text", low, high, pattern, compiled, allowed or None)


def structure(required: tuple[str, ...] = (), union: bool = False, **members: Shape) -> StructureShape:
    built = {name: Member(name, shape, "body", name, None) for name, shape in members.items()}
    return StructureShape("Structure", built, required, union)


PATTERN = "^[a-z]+$"
NAMES = MapShape("Names", text(1, 5, PATTERN), text(1, 3), 1, 2)
FREE = MapShape("Free", text(1, 5), text(1, 3), None, None)
REGULAR = f"Member must satisfy regular expression pattern: {PATTERN}"

TOO_SHORT = "Member must have length greater than or equal to 1"
OVER_TWO = "Member must have length less than or equal to 2"
OVER_THREE = "Member must have length less than or equal to 3"
OVER_FIVE = "Member must have length less than or equal to 5"
NOT_ONE = "Member must have exactly one of these set: [A, B]"

# Each row: id, shape, value, and the paths and messages expected.
CASES: list[tuple[str, Shape, Any, list[tuple[str, str]]]] = [
    ("in order", text(1, 3, PATTERN), "abc", []),
    ("too short", text(1), "", [("", TOO_SHORT)]),
    ("too long, so the pattern is not asked", text(1, 3, PATTERN), "1234", [("", OVER_THREE)]),
    ("code points, not UTF-16 units", text(None, 2), "\U0001f600\U0001f600", []),
    ("pattern", text(1, 3, PATTERN), "a1", [("", REGULAR)]),
    ("enum", text(None, None, None, "A", "B"), "C", [("", "Member must satisfy enum value set: [A, B]")]),
    ("least", IntegerShape("I", 32, 1, 5), 0, [("", "Member must have value greater than or equal to 1")]),
    ("most", IntegerShape("I", 32, 1, 5), 6, [("", "Member must have value less than or equal to 5")]),
    (
        "zero as a limit",
        IntegerShape("I", 32, 0, 0),
        -1,
        [("", "Member must have value greater than or equal to 0")],
    ),
    ("double", DoubleShape("D", 0.0, 1.0), 1.1, [("", "Member must have value less than or equal to 1.0")]),
    ("boolean", BooleanShape("B"), False, []),
    ("list too short", ListShape("L", text(1), 1, 2), [], [("", TOO_SHORT)]),
    ("list too long is not looked into", ListShape("L", text(1), 1, 2), [""] * 3, [("", OVER_TWO)]),
    ("element", ListShape("L", text(1), None, None), ["a", ""], [("[1]", TOO_SHORT)]),
    ("map too long is not looked into", NAMES, {"a": "", "b": "", "c": ""}, [("", OVER_TWO)]),
    ("entry of a map of names", NAMES, {"a": ""}, [("a", TOO_SHORT)]),
    (
        "wrong name",
        NAMES,
        {"a": "x", "A": ""},
        [("[1]", f"Map keys must satisfy constraint: [{REGULAR}]"), ("[1]", TOO_SHORT)],
    ),
    (
        "entry of a map with free keys",
        FREE,
        {"Secret": ""},
        [("[0]", f"Map keys must satisfy constraint: [{OVER_FIVE}]"), ("[0]", TOO_SHORT)],
    ),
    ("required", structure(("A", "B"), A=text(), B=text()), {"A": "x"}, [("B", "Member must not be null")]),
    (
        "nested",
        structure(A=ListShape("L", structure(B=text(1)), None, None)),
        {"A": [{"B": ""}]},
        [("A[0].B", TOO_SHORT)],
    ),
    ("union with one", structure(union=True, A=text(), B=text()), {"A": "x"}, []),
    ("union with none", structure(union=True, A=text(), B=text()), {}, [("", NOT_ONE)]),
    ("union with two", structure(union=True, A=text(), B=text()), {"A": "x", "B": "x"}, [("", NOT_ONE)]),
]


@pytest.mark.parametrize(("shape", "value", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_every_broken_constraint_is_reported_with_its_path(
    shape: Shape, value: Any, expected: list[tuple[str, str]]
) -> None:
    found = violations(shape, value)

    assert [(violation.path, violation.message) for violation in found] == expected


def test_the_message_counts_and_names_all() -> None:
    one = describe_violations([Violation("A", "Member must not be null")])
    two = describe_violations([Violation("A", "Member must not be null"), Violation("B[0]", REGULAR)])

    assert one == "1 validation error detected: Value at 'A' failed to satisfy constraint: Member must not be null"
    assert two == (
        "2 validation errors detected: Value at 'A' failed to satisfy constraint: Member must not be null; "
        f"Value at 'B[0]' failed to satisfy constraint: {REGULAR}"
    )


def test_more_violations_than_anyone_reads_are_cut() -> None:
    found = violations(ListShape("L", text(1), None, None), [""] * 1_000_000)

    assert len(found) == MOST_VIOLATIONS + 1
    assert describe_violations(found).count("Value at") == MOST_VIOLATIONS
    assert describe_violations(found).startswith("More than 100 validation errors detected: ")
