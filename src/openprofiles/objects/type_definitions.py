"""The object types of a domain: written, read, listed and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprofiles.definitions.definitions import (
    DefinitionKind,
    DefinitionPage,
    WholeDefinition,
    change_definition,
    create_definition,
    delete_definition,
    get_definition,
    list_all_definitions,
    list_definitions,
)
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.typed_keys import KeyForms
from openprofiles.objects.object_types import compile_object_type, key_forms
from openprofiles.objects.standard_objects import PROFILE, standard_object_names, standard_objects
from openprofiles.objects.templates import get_template
from openprofiles.profiles.session import Reading, Writing
from openprofiles.store.connections import Connection
from openprofiles.store.dead_letters import delete_dead_letters_of_type
from openprofiles.store.definition_names import KEY_FORMS, OBJECT_TYPES
from openprofiles.store.definitions import Definition, find_definition, read_definition_name, read_key_forms
from openprofiles.store.objects import has_objects_of_type

OBJECT_TYPE = DefinitionKind(
    name=OBJECT_TYPES,
    noun="object type",
    arn_part="object-types",
    # Its objects are read again by the mapping by which they were ingested.
    is_body_needed=lambda connection, one: has_objects_of_type(connection, one.domain_id, one.definition_id),
)

MAX_OBJECT_TYPES = 100
# What is shown of a type that was deleted long ago. No type has this name.
REMOVED_TYPE = "(deleted)"
# Over all types; a limit of a type is not additional room. Source: reference, 4.8.
MAX_OBJECTS_PER_PROFILE = 1_000

# What a template decides.
_OF_TEMPLATE = ("AllowProfileCreation", "SourceLastUpdatedTimestampFormat", "Fields", "Keys")
# What lists show.
SHOWN_IN_LISTS = ("Description", "MaxProfileObjectCount", "SourcePriority")
# In the summary.
_IS_IMPLICIT = "IsImplicit"
_TEMPLATE_ID = "TemplateId"
_LIMIT = "MaxProfileObjectCount"
_PRIORITY = "SourcePriority"
# Source: reference, 4.8.
_DEFAULT_LIMITS = {"WebAnalytics-Clickstream": 100, "_webAnalytics": 250}
_KEY = "EncryptionKey"
# What else is of use without the whole definition.
_FOR_INGESTION = (_KEY,)


def put_object_type(
    session: Writing,
    name: str,
    members: Mapping[str, Any],
    tags: Mapping[str, str],
    *,
    strict: bool,
    is_implicit: bool = False,
) -> WholeDefinition:
    """Create an object type, or replace its definition; its tags and the time of its creation stay.

    Objects that were ingested before stay as they are.

    Args:
        members: those of PutProfileObjectType without names and tags.
        is_implicit: whether an object of a template defines it, and not a caller, who creates it later.

    Raises:
        InvalidRequest: AWS's rules for definitions are broken.
    """
    _check_name(name, members)
    body = _with_template(members)
    if body["Keys"] or _TEMPLATE_ID not in members:
        compile_object_type(body, strict=strict)
    before = find_definition(session.connection, session.domain.domain_id, OBJECT_TYPE.name, name)
    _check_against_domain(session, name, body, before)
    summary = {member: body[member] for member in (*SHOWN_IN_LISTS, *_FOR_INGESTION) if member in body}
    summary[KEY_FORMS] = {name: sorted(forms) for name, forms in key_forms(body).items()}
    if is_implicit:
        summary[_IS_IMPLICIT] = True
    if before is None:
        return create_definition(session, OBJECT_TYPE, name, summary=summary, body=body, tags=tags)
    # It may have got tags before it is created.
    created = {**before.tags, **tags} if before.summary.get(_IS_IMPLICIT) else None
    return change_definition(session, OBJECT_TYPE, before, summary=summary, body=body, created_with=created)


def get_object_type(session: Reading, name: str) -> WholeDefinition:
    """Return an object type with its definition.

    Raises:
        NotFound: the domain has no such object type. One that is named as a template exists from its first object on.
    """
    return get_definition(session, OBJECT_TYPE, name)


def has_object_type(session: Reading, name: str) -> bool:
    """Return whether the domain has an object type of this name."""
    return find_definition(session.connection, session.domain.domain_id, OBJECT_TYPE.name, name) is not None


def list_object_types(session: Reading, max_results: int, next_token: str | None) -> DefinitionPage:
    """List object types by name.

    Raises:
        InvalidRequest: the token is not one of this list's.
    """
    return list_definitions(
        session, OBJECT_TYPE, list_name="ListProfileObjectTypes", max_results=max_results, next_token=next_token
    )


def delete_object_type(session: Writing, name: str) -> None:
    """Delete an object type with its dead letters; its name is free at once.

    Raises:
        NotFound: the domain has no such object type.
        InvalidRequest: it is a standard object.
    """
    if name == PROFILE or name in standard_objects():
        raise InvalidRequest(f"{name} is a standard object, which cannot be deleted.")
    delete_definition(session, OBJECT_TYPE, name)
    delete_dead_letters_of_type(session.connection, session.domain.domain_id, name)


def available_object_count(session: Reading, name: str) -> int:
    """Return how many objects of a profile the other types leave for this one."""
    others = (one for one in list_all_definitions(session, OBJECT_TYPE) if one.name != name)
    taken: int = sum(one.summary.get(_LIMIT, 0) for one in others)
    return max(0, MAX_OBJECTS_PER_PROFILE - taken)


def list_object_type_rows(session: Reading) -> list[Definition]:
    """List all object types of a domain, without their definitions."""
    return list_all_definitions(session, OBJECT_TYPE)


def read_type_name(connection: Connection, number: int) -> str:
    """Return the name of an object type, deleted or not, or of a standard object."""
    return standard_object_names().get(number) or read_definition_name(connection, number) or REMOVED_TYPE


def read_priorities(session: Reading) -> dict[int, int]:
    """Return the SourcePriority of the object types that have one, by number."""
    types = list_all_definitions(session, OBJECT_TYPE)
    return {one.definition_id: one.summary[_PRIORITY] for one in types if _PRIORITY in one.summary}


def read_object_limits(session: Reading) -> dict[int, int]:
    """Return the limits of objects of a profile, by the number of the type."""
    limits = {
        number: _DEFAULT_LIMITS[name] for number, name in standard_object_names().items() if name in _DEFAULT_LIMITS
    }
    for one in list_all_definitions(session, OBJECT_TYPE):
        standard = standard_objects().get(one.name)
        number = one.definition_id if standard is None else standard.number
        limit = one.summary.get(_LIMIT, _DEFAULT_LIMITS.get(one.name))
        if limit is not None:
            limits[number] = limit
    return limits


def _check_name(name: str, members: Mapping[str, Any]) -> None:
    if not name.startswith("_"):
        return
    if name not in standard_objects():
        raise InvalidRequest(
            f"ObjectTypeName {name} begins with an underscore, which is reserved for standard objects."
        )
    if members.get(_TEMPLATE_ID) != name:
        raise InvalidRequest(
            f"{name} is a standard object, which has no mapping. Give TemplateId {name} to set how many of them a "
            "profile keeps."
        )


def _with_template(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a definition with those that its template decides."""
    if _TEMPLATE_ID not in members:
        if "Fields" not in members or "Keys" not in members:
            raise InvalidRequest("Give either TemplateId, or both Fields and Keys.")
        return dict(members)
    # False is what the SDKs of some languages send for what is not set.
    given = [member for member in _OF_TEMPLATE if members.get(member)]
    if given:
        raise InvalidRequest(f"TemplateId decides {' and '.join(given)}. Leave out either TemplateId or the others.")
    try:
        template = get_template(members[_TEMPLATE_ID])
    except NotFound as error:
        raise InvalidRequest(str(error)) from None
    return {**members, **{member: template[member] for member in _OF_TEMPLATE if member in template}}


def _check_against_domain(session: Reading, name: str, body: Mapping[str, Any], before: Definition | None) -> None:
    others = [one for one in list_all_definitions(session, OBJECT_TYPE) if one.name != name]
    if before is None and len(others) >= MAX_OBJECT_TYPES:
        raise InvalidRequest(
            f"Domain {session.domain.name} has {len(others)} object types, and {MAX_OBJECT_TYPES} are possible. Delete "
            "one that is not needed."
        )
    if (session.domain.config.get("DataStore") or {}).get("Enabled"):
        _check_with_data_store(name, body, before, others)
    forms = key_forms(body)
    for other in others:
        _check_key_forms(other.name, forms, read_key_forms([other]))


def _check_key_forms(other_name: str, forms: KeyForms, others: KeyForms) -> None:
    for key_name in forms.keys() & others.keys():
        for form in forms[key_name]:
            same_size = {other for other in others[key_name] if len(other) == len(form)}
            if same_size and form not in same_size:
                expected = " and ".join(" + ".join(one) for one in sorted(same_size))
                raise InvalidRequest(
                    f"Keys.{key_name}: the object type {other_name} makes this key from {expected}, this one from "
                    f"{' + '.join(form)}, so their values would not compare. Use the same content type, or another "
                    "name for the key."
                )


def _check_with_data_store(
    name: str, body: Mapping[str, Any], before: Definition | None, others: list[Definition]
) -> None:
    """Check the further rules for domains with a data store."""
    taken = next((one.name for one in others if _table_name(one.name) == _table_name(name)), None)
    if taken is not None:
        raise InvalidRequest(
            f"ObjectTypeName {name} is too similar to the object type {taken}: in the data store, case does not count, "
            "and - is the same as _."
        )
    if before is not None and before.summary.get(_KEY) != body.get(_KEY):
        raise InvalidRequest(f"{_KEY} of an object type cannot be changed while the data store of its domain is on.")


def _table_name(name: str) -> str:
    return name.lower().replace("-", "_")
