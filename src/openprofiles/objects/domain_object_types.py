"""The domain object types of a domain, such as its catalog of products; their objects belong to no profile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from openprofiles.definitions.definitions import (
    DefinitionKind,
    WholeDefinition,
    change_definition,
    create_definition,
    list_all_definitions,
)
from openprofiles.errors import InvalidRequest
from openprofiles.objects.field_sources import SourceError, compile_source
from openprofiles.profiles.session import Writing
from openprofiles.store.definitions import find_definition

DOMAIN_OBJECT_TYPE = DefinitionKind(
    name="domain_object_type", noun="domain object type", arn_part="domain-object-types"
)

# Source: service quotas, in reference, section 15.
MAX_DOMAIN_OBJECT_TYPES = 1

# A name for the object, and a path in it: _catalogItem.Price.
_TARGET = re.compile(r"_?[a-zA-Z][a-zA-Z0-9_-]*(?:\.[^.\s]+)+\Z")
_SUMMARY = ("Description",)


def put_domain_object_type(
    session: Writing, name: str, members: Mapping[str, Any], tags: Mapping[str, str]
) -> WholeDefinition:
    """Create a domain object type, or replace its definition; its tags and the time of its creation stay.

    Args:
        members: those of PutDomainObjectType without names and tags.

    Raises:
        InvalidRequest: the data store of the domain is off, the domain has another one, or a field cannot be read.
    """
    if not (session.domain.config.get("DataStore") or {}).get("Enabled"):
        raise InvalidRequest(
            f"Domain {session.domain.name} has no data store, which domain object types need. Switch it on with "
            "DataStore.Enabled in UpdateDomain."
        )
    for field_name, field in members["Fields"].items():
        _check_field(field_name, field)
    others = [one for one in list_all_definitions(session, DOMAIN_OBJECT_TYPE) if one.name != name]
    if len(others) >= MAX_DOMAIN_OBJECT_TYPES:
        raise InvalidRequest(
            f"Domain {session.domain.name} has the domain object type {others[0].name}; {MAX_DOMAIN_OBJECT_TYPES} is "
            "possible. Delete it first."
        )
    summary = {member: members[member] for member in _SUMMARY if member in members}
    before = find_definition(session.connection, session.domain.domain_id, DOMAIN_OBJECT_TYPE.name, name)
    if before is None:
        return create_definition(session, DOMAIN_OBJECT_TYPE, name, summary=summary, body=members, tags=tags)
    return change_definition(session, DOMAIN_OBJECT_TYPE, before, summary=summary, body=members)


def _check_field(name: str, field: Mapping[str, Any]) -> None:
    try:
        compile_source(field["Source"])
    except SourceError as error:
        raise InvalidRequest(f"Fields.{name}: {error}") from None
    if not _TARGET.match(field["Target"]):
        raise InvalidRequest(f"Fields.{name}: Target must be a name and a path in it, such as _catalogItem.Price.")
