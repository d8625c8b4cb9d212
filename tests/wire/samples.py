"""Valid values for every shape of the model, with every member filled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from openprofiles.wire.model import (
    BooleanShape,
    DoubleShape,
    IntegerShape,
    ListShape,
    MapShape,
    Operation,
    Shape,
    StructureShape,
    TextShape,
    TimestampShape,
)

TAG_ARN = "arn:aws:profile:us-east-1:123456789012:domains/x/object-types/a b+c%"

# Patterns that the default text does not match.
TEXT_BY_PATTERN = {
    "[a-f0-9]{32}": "0123456789abcdef0123456789abcdef",
    "arn:([a-z\\d-]+):profile:.*:.*:.+": "arn:aws:profile:us-east-1:123456789012:domains/x",
    "^arn:[a-z0-9]{1,10}:profile": TAG_ARN,
    "arn:aws:kms:.*:[0-9]+:.*": "arn:aws:kms:us-east-1:123456789012:key/1",
    "arn:aws:iam:.*:[0-9]+:.*": "arn:aws:iam::123456789012:role/r",
    ".*arn:aws:iam:.*:[0-9]+:.*": "arn:aws:iam::123456789012:role/r",
    "^([0-9]|0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]$": "23:59",
    "(\\d+|\\$[a-z_]+)": "$category",
    "[a-zA-Z0-9_-]+/\\d{4}-\\d{2}-\\d{2}T\\d{2}-\\d{2}-\\d{2}Z": "v/2026-01-31T12-30-45Z",
    "^[a-z0-9.-]+$": "bucket.name-1",
    "^(?!aws:)[a-zA-Z+-=._:/]+$": "team/name",
}
FREE_TEXT = 'Zoë \U0001f600 line\nbreak "quoted" \' \u2028 \x7f'


def filled(shape: Shape, seed: int = 1, milliseconds: int = 0) -> Any:
    """Return a value with every member filled; of a union, the seed chooses one.

    Args:
        shape: the shape.
        seed: makes values differ from each other.
        milliseconds: of every timestamp. botocore cuts them off what it sends.
    """
    match shape:
        case TextShape():
            return _text(shape, seed)
        case IntegerShape():
            low = shape.min_value if shape.min_value is not None else -(1 << (shape.bits - 1))
            high = shape.max_value if shape.max_value is not None else (1 << (shape.bits - 1)) - 1
            return low if seed % 2 else high
        case DoubleShape():
            return 0.1 * (seed % 10)
        case BooleanShape():
            return bool(seed % 2)
        case TimestampShape():
            return datetime(2026, 1, 31, 12, 30, seed % 60, milliseconds * 1000, tzinfo=UTC)
        case ListShape():
            count = max(shape.min_length or 0, min(shape.max_length or 2, 2))
            return [filled(shape.element, seed + index, milliseconds) for index in range(count)]
        case MapShape():
            keys = list(shape.key.allowed or (_text(shape.key, seed), _text(shape.key, seed + 1)))
            keys = keys[: min(shape.max_length or 2, 2)]
            return {key: filled(shape.value, seed + index, milliseconds) for index, key in enumerate(keys)}
        case StructureShape():
            names = sorted(shape.members)
            if shape.union:
                names = [names[seed % len(names)]]
            return {
                name: filled(shape.members[name].shape, seed + index, milliseconds) for index, name in enumerate(names)
            }


def filled_answer(operation: Operation, milliseconds: int = 0) -> dict[str, Any]:
    """Return an answer with every member filled; a member bound to the status is 202."""
    answer: dict[str, Any] = filled(operation.output, milliseconds=milliseconds)
    return answer | {member.name: 202 for member in operation.output.members_in("status")}


def _text(shape: TextShape, seed: int) -> str:
    if shape.allowed:
        return shape.allowed[seed % len(shape.allowed)]
    if shape.pattern_text is None or shape.pattern_text == ".*":
        text = f"{seed} {FREE_TEXT}"
    else:
        text = TEXT_BY_PATTERN.get(shape.pattern_text, f"name{'abcdefghij'[seed % 10]}")
    if shape.min_length is not None and len(text) < shape.min_length:
        text += "x" * (shape.min_length - len(text))
    return text[: shape.max_length]
