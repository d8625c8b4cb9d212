"""The object types that objects are read by: those of the domain, and templates by whose name objects come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.objects.object_types import compile_object_type
from openprofiles.objects.prepared_objects import UsedType
from openprofiles.objects.standard_objects import PROFILE, standard_objects
from openprofiles.objects.templates import templates
from openprofiles.objects.type_definitions import OBJECT_TYPE, put_object_type
from openprofiles.profiles.session import Reading, Writing
from openprofiles.store.definitions import Definition, find_definition, read_body

# By the salt of the domain, which no other domain of any store has, and the number and version of the definition; with
# its name and time too, since a number and version that were rolled back are given out again.
_compiled: dict[tuple[object, ...], UsedType] = {}
_MAX_COMPILED = 1_000


def find_used_type(session: Reading, name: str) -> UsedType:
    """Find the object type of this name, or the template.

    Raises:
        NotFound: there is neither.
        InvalidRequest: it is a standard object, or has no mapping.
    """
    if name == PROFILE or name in standard_objects():
        raise InvalidRequest(
            f"{name} is a standard object, which objects of other types fill. Put an object of such a type."
        )
    definition = find_definition(session.connection, session.domain.domain_id, OBJECT_TYPE.name, name)
    if definition is None:
        if name not in templates():
            raise NotFound(f"Object type {name} does not exist in domain {session.domain.name}.")
        members = templates()[name]
        _check_mapping(name, members)
        return UsedType(name=name, definition=None, mapping=compile_object_type(members), members=members)
    return read_used_type(session, definition, definition.version)


def read_used_type(session: Reading, definition: Definition, version: int | None) -> UsedType:
    """Read a version of an object type that has objects; None: the present one.

    Raises:
        InvalidRequest: it has no mapping.
    """
    version = version or definition.version
    key = (
        session.domain.object_salt,
        definition.definition_id,
        version,
        definition.name,
        definition.created_at,
        definition.updated_at,
    )
    found = _compiled.get(key)
    if found is None:
        members = read_body(session.connection, definition, version)
        _check_mapping(definition.name, members)
        found = UsedType(
            name=definition.name, definition=definition, mapping=compile_object_type(members), members=members
        )
        if len(_compiled) >= _MAX_COMPILED:
            _compiled.clear()
        _compiled[key] = found
    return found


def with_definition(session: Writing, object_type: UsedType) -> UsedType:
    """Write the definition of a template that is used for the first time."""
    if object_type.definition is not None:
        return object_type
    members = {"Description": f"Template {object_type.name}", "TemplateId": object_type.name}
    put_object_type(session, object_type.name, members, {}, strict=False, is_implicit=True)
    return find_used_type(session, object_type.name)


def _check_mapping(name: str, members: Mapping[str, Any]) -> None:
    if not members.get("Keys"):
        raise InvalidRequest(f"Object type {name} has no mapping here. Define one with PutProfileObjectType.")
