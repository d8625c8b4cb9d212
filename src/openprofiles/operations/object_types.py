"""The operations on object types, and on their templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from openprofiles.objects import templates, type_definitions
from openprofiles.operations.call import Call
from openprofiles.operations.registry import operation, page_of
from openprofiles.profiles.session import Reading
from openprofiles.store.definitions import Definition
from openprofiles.uploads.mappings.detect_object_type import detect_object_type

if TYPE_CHECKING:
    from openprofiles.wire import types as aws

_DEFAULT_PAGE_SIZE = 100
_NAMES = ("DomainName", "ObjectTypeName", "Tags")
_NO_STANDARD_MAPPING: dict[str, Any] = {"AllowProfileCreation": False}


@operation("PutProfileObjectType")
def put_profile_object_type(call: Call, request: aws.PutProfileObjectTypeRequest) -> aws.PutProfileObjectTypeResponse:
    """Create an object type, or replace its definition; tags count only when it is created.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: AWS's rules for fields and keys are broken, or the domain has too many object types.
    """
    name = request["ObjectTypeName"]
    members = {member: value for member, value in request.items() if member not in _NAMES}
    with call.writing(request["DomainName"]) as session:
        written = type_definitions.put_object_type(session, name, members, request.get("Tags", {}), strict=call.strict)
        answer = {**written.body, **_item(session, written.definition)}
    return cast("aws.PutProfileObjectTypeResponse", _NO_STANDARD_MAPPING | answer)


@operation("GetProfileObjectType")
def get_profile_object_type(call: Call, request: aws.GetProfileObjectTypeRequest) -> aws.GetProfileObjectTypeResponse:
    """Show an object type with its fields and keys.

    Errors:
        ResourceNotFoundException: no such domain or object type.
    """
    with call.reading(request["DomainName"]) as session:
        found = type_definitions.get_object_type(session, request["ObjectTypeName"])
        answer = {**found.body, **_item(session, found.definition)}
    return cast("aws.GetProfileObjectTypeResponse", _NO_STANDARD_MAPPING | answer)


@operation("ListProfileObjectTypes")
def list_profile_object_types(
    call: Call, request: aws.ListProfileObjectTypesRequest
) -> aws.ListProfileObjectTypesResponse:
    """List object types by name, without fields and keys; 100 to a page by default.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the token is not one of this list's.
    """
    with call.reading(request["DomainName"]) as session:
        page = type_definitions.list_object_types(session, **page_of(request))
        items = [cast("aws.ListProfileObjectTypeItem", _item(session, one)) for one in page.definitions]
    return {"Items": items, "NextToken": page.next_token}


@operation("DeleteProfileObjectType")
def delete_profile_object_type(
    call: Call, request: aws.DeleteProfileObjectTypeRequest
) -> aws.DeleteProfileObjectTypeResponse:
    """Delete an object type; its name is free at once.

    Errors:
        ResourceNotFoundException: no such domain or object type.
        BadRequestException: the name is that of a standard object.
    """
    name = request["ObjectTypeName"]
    with call.writing(request["DomainName"]) as session:
        type_definitions.delete_object_type(session, name)
    return {"Message": f"OK: object type {name} deleted"}


@operation("GetProfileObjectTypeTemplate")
def get_profile_object_type_template(
    _call: Call, request: aws.GetProfileObjectTypeTemplateRequest
) -> aws.GetProfileObjectTypeTemplateResponse:
    """Show a template with its fields and keys, which are empty where AWS documents none.

    Errors:
        ResourceNotFoundException: no such template.
    """
    template_id = request["TemplateId"]
    template = templates.get_template(template_id)
    return cast("aws.GetProfileObjectTypeTemplateResponse", {"TemplateId": template_id, **template})


@operation("ListProfileObjectTypeTemplates")
def list_profile_object_type_templates(
    _call: Call, request: aws.ListProfileObjectTypeTemplatesRequest
) -> aws.ListProfileObjectTypeTemplatesResponse:
    """List the templates by id; 100 to a page by default.

    Errors:
        BadRequestException: the token is not one of this list's.
    """
    ids, next_token = templates.list_templates(request.get("MaxResults", _DEFAULT_PAGE_SIZE), request.get("NextToken"))
    return {
        "Items": [
            {"TemplateId": one, "SourceName": template["SourceName"], "SourceObject": template["SourceObject"]}
            for one in ids
            for template in (templates.get_template(one),)
        ],
        "NextToken": next_token,
    }


@operation("DetectProfileObjectType")
def detect_profile_object_type(
    call: Call, request: aws.DetectProfileObjectTypeRequest
) -> aws.DetectProfileObjectTypeResponse:
    """Suggest the definition of an object type from up to five objects, by rules; the list is empty without keys.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: a text is not a JSON object, or the objects have more than 120 members.
    """
    with call.reading(request["DomainName"]) as session:
        phone_region = session.domain.phone_region
    found = detect_object_type(request["Objects"], phone_region)
    detected = [] if found is None else [cast("aws.DetectedProfileObjectType", found)]
    return {"DetectedProfileObjectTypes": detected}


def _item(session: Reading, object_type: Definition) -> dict[str, Any]:
    item = {
        "ObjectTypeName": object_type.name,
        **{name: value for name, value in object_type.summary.items() if name in type_definitions.SHOWN_IN_LISTS},
        "CreatedAt": object_type.created_at,
        "LastUpdatedAt": object_type.updated_at,
        "MaxAvailableProfileObjectCount": type_definitions.available_object_count(session, object_type.name),
    }
    return {**item, "Tags": dict(object_type.tags)} if object_type.tags else item
