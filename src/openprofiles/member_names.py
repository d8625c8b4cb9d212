"""Names of members in documents of the API, and the attributes that have their values.

``LineEnds`` is the member of the attribute ``line_ends``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def member_name(attribute: str) -> str:
    """Return the member of an attribute: ``LineEnds`` of ``line_ends``."""
    return "".join(part.capitalize() for part in attribute.split("_"))


def attribute_name(member: str) -> str:
    """Return the attribute of a member: ``line_ends`` of ``LineEnds``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in member).removeprefix("_")


def members_of(value: object, *attributes: str) -> dict[str, Any]:
    """Return these attributes of a value as members; those that are None are left out."""
    given = ((member_name(name), getattr(value, name)) for name in attributes)
    return {name: one for name, one in given if one is not None}


def attributes_of(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return members as attributes, to be passed to a class."""
    return {attribute_name(name): value for name, value in members.items()}
