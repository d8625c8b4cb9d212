"""The standard objects: which fields they have, and which identifiers and keys find them.

Source: admin guide, "Standard objects"; facts in ``standard_objects.json``. What AWS documents only in part
(``is_complete`` is false) takes any field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

PROFILE = "_profile"
PROFILE_IDENTIFIER = "PROFILE"


@dataclass(frozen=True, slots=True)
class StandardObject:
    """A standard object.

    Attributes:
        name: as in targets, ``_asset``.
        number: what the store has in the place of the number of an object type; never changes.
        identifier: the standard identifier of the keys that find it, ``ASSET``.
        id_field: the field with its id, which the service sets.
        keys: the names of keys that list operations filter it by, and the field of each.
        fields: the first steps of its targets; None: any.
    """

    name: str
    number: int
    identifier: str
    id_field: str
    keys: Mapping[str, str]
    fields: frozenset[str] | None


@cache
def standard_objects() -> Mapping[str, StandardObject]:
    """Return all standard objects but the profile, by name."""
    facts = json.loads(resources.files("openprofiles.objects").joinpath("standard_objects.json").read_bytes())
    return {
        name: StandardObject(
            name=name,
            number=one["number"],
            identifier=one["identifier"],
            id_field=one["id_field"],
            keys={key: fields[0] for key, fields in one["keys"].items()},
            fields=frozenset(one["fields"]) if one.get("is_complete", True) else None,
        )
        for name, one in facts.items()
    }


@cache
def standard_object_names() -> Mapping[int, str]:
    """Return the names of the standard objects by their numbers."""
    return {one.number: one.name for one in standard_objects().values()}
