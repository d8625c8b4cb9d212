"""The model's constraints on a request: required, length, range, pattern, set of values, union.

The codec checks types: a value that comes here has the type of its shape. No message repeats a value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from openprofiles.wire.model import (
    BlobShape,
    BooleanShape,
    DoubleShape,
    IntegerShape,
    ListShape,
    MapShape,
    Member,
    Shape,
    StructureShape,
    TextShape,
    TimestampShape,
)

# A body of a few megabytes can break a rule a million times; the answer stays readable and small.
MOST_VIOLATIONS = 100


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken constraint.

    Attributes:
        path: members, list positions and map keys from the request down: ``Fields.Email.Target``, ``ProfileIds[3]``.
        message: what must hold, to follow "failed to satisfy constraint: ".
    """

    path: str
    message: str


def violations(shape: Shape, value: Any) -> list[Violation]:
    """List the constraints of ``shape`` that ``value`` breaks, up to `MOST_VIOLATIONS` and one more.

    Args:
        shape: the shape, usually an operation's input.
        value: as the codec reads it: absent members are not there.

    Lengths of text are in code points. Text of a wrong length is not held against its pattern, and a list or map with
    too many entries is not looked into, so that hostile values stay cheap.
    """
    return list(islice(_walk(shape, value, ""), MOST_VIOLATIONS + 1))


def describe_violations(found: Sequence[Violation]) -> str:
    """Write one message for all violations, in the wording of AWS."""
    shown = found[:MOST_VIOLATIONS]
    count = str(len(found)) if len(found) == len(shown) else f"More than {MOST_VIOLATIONS}"
    errors = "error" if len(found) == 1 else "errors"
    return f"{count} validation {errors} detected: " + "; ".join(
        f"Value at '{violation.path}' failed to satisfy constraint: {violation.message}" for violation in shown
    )


def member_path(path: str, name: str) -> str:
    """Build the path of a member of the structure at ``path``."""
    return f"{path}.{name}" if path else name


def entry_path(path: str, shape: MapShape, position: int, key: str) -> str:
    """Build the path of a map's entry.

    It has the entry's key if keys are names in the model, and otherwise its position.

    A key that is free text (of ``Attributes``) may itself be a customer's value, and one that breaks its constraints
    may be anything; neither is repeated.
    """
    is_name = shape.key.pattern is not None or shape.key.allowed is not None
    if is_name and not any(_text_messages(shape.key, key)):
        return member_path(path, key)
    return f"{path}[{position}]"


def unknown_members(
    members: Mapping[str, Member], value: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Mapping[str, Member]]]:
    """Yield the paths of unknown members of structures, with the members that there are.

    Args:
        members: those of the structure that ``value`` is.
    """
    for name, entry in value.items():
        place = member_path(path, name)
        if name in members:
            yield from _unknown_inside(members[name].shape, entry, place)
        else:
            yield place, members


def _unknown_inside(shape: Shape, value: Any, path: str) -> Iterator[tuple[str, Mapping[str, Member]]]:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        yield from unknown_members(shape.members, value, path)
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        for position, (key, entry) in enumerate(value.items()):
            yield from _unknown_inside(shape.value, entry, entry_path(path, shape, position, key))
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for position, element in enumerate(value):
            yield from _unknown_inside(shape.element, element, f"{path}[{position}]")


def _walk(shape: Shape, value: Any, path: str) -> Iterator[Violation]:
    match shape:
        case TextShape():
            yield from (Violation(path, message) for message in _text_messages(shape, value))
        case IntegerShape() | DoubleShape():
            if shape.min_value is not None and value < shape.min_value:
                yield Violation(path, f"Member must have value greater than or equal to {shape.min_value}")
            if shape.max_value is not None and value > shape.max_value:
                yield Violation(path, f"Member must have value less than or equal to {shape.max_value}")
        case ListShape():
            yield from _length(shape, value, path)
            if not _too_long(shape, value):
                for position, element in enumerate(value):
                    yield from _walk(shape.element, element, f"{path}[{position}]")
        case MapShape():
            yield from _length(shape, value, path)
            if not _too_long(shape, value):
                yield from _walk_entries(shape, value, path)
        case StructureShape():
            yield from _walk_members(shape, value, path)
        case BooleanShape() | TimestampShape() | BlobShape():
            pass


def _walk_entries(shape: MapShape, value: dict[str, Any], path: str) -> Iterator[Violation]:
    for position, (key, entry) in enumerate(value.items()):
        for message in _text_messages(shape.key, key):
            yield Violation(f"{path}[{position}]", f"Map keys must satisfy constraint: [{message}]")
        yield from _walk(shape.value, entry, entry_path(path, shape, position, key))


def _walk_members(shape: StructureShape, value: dict[str, Any], path: str) -> Iterator[Violation]:
    for name in shape.required:
        if name not in value:
            yield Violation(member_path(path, name), "Member must not be null")
    if shape.union and len(value) != 1:
        yield Violation(path, f"Member must have exactly one of these set: [{', '.join(sorted(shape.members))}]")
    for name, member in value.items():
        yield from _walk(shape.members[name].shape, member, member_path(path, name))


def _text_messages(shape: TextShape, value: str) -> Iterator[str]:
    if shape.min_length is not None and len(value) < shape.min_length:
        yield f"Member must have length greater than or equal to {shape.min_length}"
    elif shape.max_length is not None and len(value) > shape.max_length:
        yield f"Member must have length less than or equal to {shape.max_length}"
    elif shape.pattern is not None and not shape.pattern.search(value):
        yield f"Member must satisfy regular expression pattern: {shape.pattern_text}"
    if shape.allowed is not None and value not in shape.allowed:
        yield f"Member must satisfy enum value set: [{', '.join(shape.allowed)}]"


def _length(shape: ListShape | MapShape, value: Collection[Any], path: str) -> Iterator[Violation]:
    if shape.min_length is not None and len(value) < shape.min_length:
        yield Violation(path, f"Member must have length greater than or equal to {shape.min_length}")
    if _too_long(shape, value):
        yield Violation(path, f"Member must have length less than or equal to {shape.max_length}")


def _too_long(shape: ListShape | MapShape, value: Collection[Any]) -> bool:
    return shape.max_length is not None and len(value) > shape.max_length
