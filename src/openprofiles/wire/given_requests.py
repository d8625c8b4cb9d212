"""Requests that are given by member name, as to an AWS SDK: read and checked as those over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from openprofiles.wire.check import describe_violations, entry_path, member_path, violations
from openprofiles.wire.codec import read_value
from openprofiles.wire.errors import bad_request
from openprofiles.wire.model import ListShape, MapShape, Operation, Shape, StructureShape


def read_request(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read and check the request of an operation.

    As in an AWS SDK, and not as over HTTP, an unknown member is an error.

    Args:
        given: the members by name, with values as in JSON; None counts as absent.

    Raises:
        WireError: BadRequestException, naming the members that are not as the model says.
    """
    for path, known in _unknown_members(operation.input, given, ""):
        raise bad_request(f"There is no member '{path}'. The members there are {', '.join(sorted(known))}.")
    members = operation.input.members
    request = {name: read_value(members[name].shape, value, name) for name, value in given.items() if value is not None}
    if broken := violations(operation.input, request):
        raise bad_request(describe_violations(broken))
    return request


def _unknown_members(shape: Shape, value: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the unknown members of structures, with the members that there are."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, member in value.items():
            if name in shape.members:
                yield from _unknown_members(shape.members[name].shape, member, member_path(path, name))
            else:
                yield member_path(path, name), shape.members
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        for position, (key, entry) in enumerate(value.items()):
            yield from _unknown_members(shape.value, entry, entry_path(path, shape, position, key))
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for position, element in enumerate(value):
            yield from _unknown_members(shape.element, element, f"{path}[{position}]")
