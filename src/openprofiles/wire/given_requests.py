"""Requests that are given by member name, as to an AWS SDK: read and checked as those over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprofiles.wire.check import describe_violations, violations
from openprofiles.wire.codec import read_value, refuse_unknown
from openprofiles.wire.errors import bad_request
from openprofiles.wire.model import StructureShape


def read_structure(shape: StructureShape, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read and check a structure that is given by member name.

    Args:
        given: with values as in JSON; None counts as absent. Unknown members are an error.

    Raises:
        WireError: BadRequestException, naming the members that are not as the model says.
    """
    refuse_unknown(shape.members.values(), given)
    values = {
        name: read_value(shape.members[name].shape, value, name) for name, value in given.items() if value is not None
    }
    if broken := violations(shape, values):
        raise bad_request(describe_violations(broken))
    return values
