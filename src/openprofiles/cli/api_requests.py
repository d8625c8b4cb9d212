"""Requests of operations that a command makes: checked before they are sent, so the message is the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.wire.errors import WireError
from openprofiles.wire.given_requests import read_structure
from openprofiles.wire.model import Model


def checked_request(
    model: Model, operation: str, request: Mapping[str, Any], *, source: str | None = None
) -> dict[str, Any]:
    """Check the request of an operation, and return it without members that are None.

    Args:
        source: the file that it comes from, for the message.

    Raises:
        CommandFault: it is not as the model says.
    """
    try:
        return read_structure(model.operations[operation].input, request)
    except WireError as error:
        raise CommandFault(error.message if source is None else f"{source}: {error.message}") from None
