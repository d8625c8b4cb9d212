"""Empty texts that stand for absent ones.

The AWS provider of Terraform sends every member of an address, with an empty text where nothing was given. AWS accepts
that in CreateProfile, although its model requires at least one character. In UpdateProfile an empty text removes a
value, and the model allows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprofiles.wire.model import MapShape, Operation, Shape, StructureShape, TextShape

_OPERATIONS = frozenset(("CreateProfile",))


def without_empty_texts(operation: Operation, members: dict[str, Any]) -> dict[str, Any]:
    """Leave out the empty texts of a request whose operation takes them for absent.

    Args:
        members: as the codec reads them.
    """
    if operation.name not in _OPERATIONS:
        return members
    return _kept(operation.input, members)


def _kept(shape: StructureShape, members: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, value in members.items():
        inner = shape.members[name].shape
        if name in shape.required or not _is_absent(inner, value):
            kept[name] = _kept_inside(inner, value)
    return kept


def _kept_inside(shape: Shape, value: Any) -> Any:
    match shape:
        case StructureShape():
            return _kept(shape, value)
        case MapShape():
            return {key: entry for key, entry in value.items() if not _is_absent(shape.value, entry)}
    return value


def _is_absent(shape: Shape, value: Any) -> bool:
    # A member with a set of values has no empty one, and nobody sends it.
    return isinstance(shape, TextShape) and shape.allowed is None and value == ""
