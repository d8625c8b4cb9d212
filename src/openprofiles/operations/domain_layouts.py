"""The operations on layouts of domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from openprofiles.definitions import definitions, layouts
from openprofiles.definitions.definitions import WholeDefinition
from openprofiles.definitions.layouts import LAYOUT
from openprofiles.operations.call import Call
from openprofiles.operations.definition_members import definition_members
from openprofiles.operations.registry import operation, page_of

if TYPE_CHECKING:
    from openprofiles.wire import types as aws

_NAME = "LayoutDefinitionName"
_MEMBERS = ("Description", "DisplayName", "IsDefault", "LayoutType", "Layout")


@operation("CreateDomainLayout")
def create_domain_layout(call: Call, request: aws.CreateDomainLayoutRequest) -> aws.CreateDomainLayoutResponse:
    """Create a layout; one that is the default takes that from another one of its type.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the domain has a layout of this name.
    """
    members = {"IsDefault": False} | _members(request)
    with call.writing(request["DomainName"]) as session:
        made = layouts.create_layout(session, request["LayoutDefinitionName"], members, request.get("Tags", {}))
    return cast("aws.CreateDomainLayoutResponse", _answer(made))


@operation("GetDomainLayout")
def get_domain_layout(call: Call, request: aws.GetDomainLayoutRequest) -> aws.GetDomainLayoutResponse:
    """Show a layout with its content.

    Errors:
        ResourceNotFoundException: no such domain or layout.
    """
    with call.reading(request["DomainName"]) as session:
        found = definitions.get_definition(session, LAYOUT, request["LayoutDefinitionName"])
    return cast("aws.GetDomainLayoutResponse", _answer(found))


@operation("UpdateDomainLayout")
def update_domain_layout(call: Call, request: aws.UpdateDomainLayoutRequest) -> aws.UpdateDomainLayoutResponse:
    """Change the members that the request gives, and count up the version.

    Errors:
        ResourceNotFoundException: no such domain or layout.
    """
    with call.writing(request["DomainName"]) as session:
        changed = layouts.update_layout(session, request["LayoutDefinitionName"], _members(request))
    return cast("aws.UpdateDomainLayoutResponse", _answer(changed))


@operation("ListDomainLayouts")
def list_domain_layouts(call: Call, request: aws.ListDomainLayoutsRequest) -> aws.ListDomainLayoutsResponse:
    """List layouts by name, without their content; 100 to a page by default.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the token is not one of this list's.
    """
    with call.reading(request["DomainName"]) as session:
        page = definitions.list_definitions(session, LAYOUT, list_name="ListDomainLayouts", **page_of(request))
    return {
        "Items": [cast("aws.LayoutItem", definition_members(_NAME, one)) for one in page.definitions],
        "NextToken": page.next_token,
    }


@operation("DeleteDomainLayout")
def delete_domain_layout(call: Call, request: aws.DeleteDomainLayoutRequest) -> aws.DeleteDomainLayoutResponse:
    """Delete a layout; its name is free at once.

    Errors:
        ResourceNotFoundException: no such domain or layout.
    """
    name = request["LayoutDefinitionName"]
    with call.writing(request["DomainName"]) as session:
        definitions.delete_definition(session, LAYOUT, name)
    return {"Message": f"OK: layout {name} deleted"}


def _members(request: Any) -> dict[str, Any]:
    return {member: request[member] for member in _MEMBERS if member in request}


def _answer(layout: WholeDefinition) -> dict[str, Any]:
    return {**definition_members(_NAME, layout.definition), **layout.body, "Version": str(layout.definition.version)}
