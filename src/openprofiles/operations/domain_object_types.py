"""The operations on domain object types, whose objects belong to a domain and not to a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from openprofiles.definitions import definitions
from openprofiles.objects.domain_object_types import DOMAIN_OBJECT_TYPE, put_domain_object_type
from openprofiles.operations.call import Call
from openprofiles.operations.definition_members import definition_members
from openprofiles.operations.registry import operation, page_of

if TYPE_CHECKING:
    from openprofiles.wire import types as aws

_NAME = "ObjectTypeName"
_LIST_NAME = "ListDomainObjectTypes"
_NAMES = ("DomainName", "ObjectTypeName", "Tags")


@operation("PutDomainObjectType")
def put_domain_object_type_(call: Call, request: aws.PutDomainObjectTypeRequest) -> aws.PutDomainObjectTypeResponse:
    """Create a domain object type, or replace its definition; tags count only when it is created.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the domain has no data store or another domain object type, or a field cannot be read.
    """
    members = {member: value for member, value in request.items() if member not in _NAMES}
    with call.writing(request["DomainName"]) as session:
        written = put_domain_object_type(session, request["ObjectTypeName"], members, request.get("Tags", {}))
    return cast("aws.PutDomainObjectTypeResponse", {**written.body, **definition_members(_NAME, written.definition)})


@operation("GetDomainObjectType")
def get_domain_object_type(call: Call, request: aws.GetDomainObjectTypeRequest) -> aws.GetDomainObjectTypeResponse:
    """Show a domain object type with its fields.

    Errors:
        ResourceNotFoundException: no such domain or domain object type.
    """
    with call.reading(request["DomainName"]) as session:
        found = definitions.get_definition(session, DOMAIN_OBJECT_TYPE, request["ObjectTypeName"])
    return cast("aws.GetDomainObjectTypeResponse", {**found.body, **definition_members(_NAME, found.definition)})


@operation("ListDomainObjectTypes")
def list_domain_object_types(
    call: Call, request: aws.ListDomainObjectTypesRequest
) -> aws.ListDomainObjectTypesResponse:
    """List domain object types by name, without their fields; 100 to a page by default.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the token is not one of this list's.
    """
    with call.reading(request["DomainName"]) as session:
        page = definitions.list_definitions(
            session, DOMAIN_OBJECT_TYPE, list_name="ListDomainObjectTypes", **page_of(request)
        )
    return {
        "Items": [cast("aws.DomainObjectTypesListItem", definition_members(_NAME, one)) for one in page.definitions],
        "NextToken": page.next_token,
    }


@operation("DeleteDomainObjectType")
def delete_domain_object_type(
    call: Call, request: aws.DeleteDomainObjectTypeRequest
) -> aws.DeleteDomainObjectTypeResponse:
    """Delete a domain object type; its name is free at once.

    Errors:
        ResourceNotFoundException: no such domain or domain object type.
    """
    with call.writing(request["DomainName"]) as session:
        definitions.delete_definition(session, DOMAIN_OBJECT_TYPE, request["ObjectTypeName"])
    return {}
