"""The definition of an object type as JSON text, as people write and read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from openprofiles.errors import InvalidRequest

WRITTEN_MEMBERS = (
    "Description",
    "TemplateId",
    "ExpirationDays",
    "EncryptionKey",
    "AllowProfileCreation",
    "SourceLastUpdatedTimestampFormat",
    "MaxProfileObjectCount",
    "SourcePriority",
    "Fields",
    "Keys",
)
_EXPECTED = "It must be a JSON object with the members of PutProfileObjectType."
# What a template decides.
_OF_TEMPLATE = ("Fields", "Keys", "AllowProfileCreation", "SourceLastUpdatedTimestampFormat")


def read_definition_text(text: str, source: str, name: str) -> dict[str, Any]:
    """Read the members of PutProfileObjectType, without the names of the domain and of the type.

    Args:
        source: what the text comes from, for messages.
        name: of the type, which is its description if the text has none.

    Raises:
        InvalidRequest: it is not a JSON object, or has an unknown member.
    """
    try:
        members = json.loads(text)
    except (ValueError, RecursionError) as error:
        if not text.strip():
            raise InvalidRequest(f"{source} is empty. {_EXPECTED}") from None
        raise InvalidRequest(f"{source} is not one JSON object: {error}. {_EXPECTED}") from None
    if not isinstance(members, dict):
        raise InvalidRequest(f"{source} is not a JSON object. {_EXPECTED}")
    unknown = [member for member in members if member not in (*WRITTEN_MEMBERS, "Tags")]
    if unknown:
        raise InvalidRequest(
            f"{source} has the member {unknown[0]}, which PutProfileObjectType does not take. It takes "
            f"{', '.join(WRITTEN_MEMBERS)} and Tags."
        )
    if "TemplateId" in members:
        # What is shown in addition follows from it.
        members = {member: value for member, value in members.items() if member not in _OF_TEMPLATE}
    if members.get("Description") is None:
        members["Description"] = name
    return members


def definition_members(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return those members of a definition that ``read_definition_text`` reads."""
    return {member: members[member] for member in WRITTEN_MEMBERS if member in members}
