"""The operations on calculated attributes: their definitions, and their values for profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from openprofiles.calculated import definitions
from openprofiles.calculated.definitions import (
    CONDITIONS,
    DETAILS,
    FILTER,
    HISTORICAL,
    STATISTIC,
    CalculatedDefinition,
    read_days,
)
from openprofiles.calculated.profile_values import calculate_for
from openprofiles.calculated.values import CalculatedValue
from openprofiles.clock import from_milliseconds
from openprofiles.errors import NotFound
from openprofiles.operations.call import Call
from openprofiles.operations.registry import operation
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.profiles import get_profiles, no_such_profile_message
from openprofiles.profiles.session import Reading

if TYPE_CHECKING:
    from openprofiles.wire import types as aws

_SUMMARY = ("DisplayName", "Description")
_MEMBERS = (DETAILS, STATISTIC, CONDITIONS, FILTER, HISTORICAL)
_UPDATED = (DETAILS, STATISTIC, CONDITIONS, HISTORICAL)
_PAGE_SIZE = 100
_LONGEST_VALUE = 255
# Values are computed from what is stored when they are asked for, so there is nothing to wait for.
_READY = {"Status": "COMPLETED", "Readiness": {"ProgressPercentage": 100}}


@operation("CreateCalculatedAttributeDefinition")
def create_calculated_attribute_definition(
    call: Call, request: aws.CreateCalculatedAttributeDefinitionRequest
) -> aws.CreateCalculatedAttributeDefinitionResponse:
    """Create the definition of a calculated attribute.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the domain has one of this name, has 100, or the definition is not valid.
    """
    with call.writing(request["DomainName"]) as session:
        made = definitions.create_calculated(
            session,
            request["CalculatedAttributeName"],
            _given(request, _SUMMARY),
            _given(request, _MEMBERS),
            request.get("Tags", {}),
        )
    return cast("aws.CreateCalculatedAttributeDefinitionResponse", _answer(made, _MEMBERS))


@operation("GetCalculatedAttributeDefinition")
def get_calculated_attribute_definition(
    call: Call, request: aws.GetCalculatedAttributeDefinitionRequest
) -> aws.GetCalculatedAttributeDefinitionResponse:
    """Show the definition of a calculated attribute; one that every domain has is without times.

    Errors:
        ResourceNotFoundException: no such domain or definition.
    """
    with call.reading(request["DomainName"]) as session:
        found = definitions.get_calculated(session, request["CalculatedAttributeName"])
    return cast("aws.GetCalculatedAttributeDefinitionResponse", _answer(found, _MEMBERS))


@operation("UpdateCalculatedAttributeDefinition")
def update_calculated_attribute_definition(
    call: Call, request: aws.UpdateCalculatedAttributeDefinitionRequest
) -> aws.UpdateCalculatedAttributeDefinitionResponse:
    """Change what is given; each given condition replaces the one before.

    A wider range does not reach back to objects that were too old before.

    Errors:
        ResourceNotFoundException: no such domain or definition.
        BadRequestException: a condition is not valid, or would change where times come from.
    """
    with call.writing(request["DomainName"]) as session:
        changed = definitions.update_calculated(
            session, request["CalculatedAttributeName"], _given(request, _SUMMARY), request.get("Conditions", {})
        )
    return cast("aws.UpdateCalculatedAttributeDefinitionResponse", _answer(changed, _UPDATED))


@operation("ListCalculatedAttributeDefinitions")
def list_calculated_attribute_definitions(
    call: Call, request: aws.ListCalculatedAttributeDefinitionsRequest
) -> aws.ListCalculatedAttributeDefinitionsResponse:
    """List definitions by name, those that every domain has included; 100 to a page by default.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the token is not one of this list's.
    """
    with call.reading(request["DomainName"]) as session:
        found, token = _page(session, request, "ListCalculatedAttributeDefinitions")
    items = [_answer(one, (HISTORICAL,)) for one in found]
    for item in items:
        del item["Readiness"]
    return {
        "Items": cast("list[aws.ListCalculatedAttributeDefinitionItem]", items),
        "NextToken": token,
    }


@operation("DeleteCalculatedAttributeDefinition")
def delete_calculated_attribute_definition(
    call: Call, request: aws.DeleteCalculatedAttributeDefinitionRequest
) -> aws.DeleteCalculatedAttributeDefinitionResponse:
    """Delete a definition, also one that every domain has. Segments that use it fail.

    Errors:
        ResourceNotFoundException: no such domain or definition.
    """
    with call.writing(request["DomainName"]) as session:
        definitions.delete_calculated(session, request["CalculatedAttributeName"])
    return {}


@operation("GetCalculatedAttributeForProfile")
def get_calculated_attribute_for_profile(
    call: Call, request: aws.GetCalculatedAttributeForProfileRequest
) -> aws.GetCalculatedAttributeForProfileResponse:
    """Compute the value of a calculated attribute for a profile; without data there is no value.

    Errors:
        ResourceNotFoundException: no such domain, definition or profile.
    """
    with call.reading(request["DomainName"]) as session:
        found = definitions.get_calculated(session, request["CalculatedAttributeName"])
        profiles = get_profiles(session, [request["ProfileId"]]).profiles
        if not profiles:
            raise NotFound(no_such_profile_message(request["ProfileId"], session.domain.name))
        ((_, _, value),) = calculate_for(session, profiles, [found])
    return cast("aws.GetCalculatedAttributeForProfileResponse", _value_answer(found, value))


@operation("ListCalculatedAttributesForProfile")
def list_calculated_attributes_for_profile(
    call: Call, request: aws.ListCalculatedAttributesForProfileRequest
) -> aws.ListCalculatedAttributesForProfileResponse:
    """Compute all calculated attributes of a profile, by name; 100 to a page by default.

    Errors:
        ResourceNotFoundException: no such domain or profile.
        BadRequestException: the token is not one of this list's.
    """
    with call.reading(request["DomainName"]) as session:
        profiles = get_profiles(session, [request["ProfileId"]]).profiles
        if not profiles:
            raise NotFound(no_such_profile_message(request["ProfileId"], session.domain.name))
        found, token = _page(session, request, "ListCalculatedAttributesForProfile")
        items = [_value_answer(one, value) for _, one, value in calculate_for(session, profiles, found)]
    return {"Items": cast("list[aws.ListCalculatedAttributeForProfileItem]", items), "NextToken": token}


@operation("BatchGetCalculatedAttributeForProfile")
def batch_get_calculated_attribute_for_profile(
    call: Call, request: aws.BatchGetCalculatedAttributeForProfileRequest
) -> aws.BatchGetCalculatedAttributeForProfileResponse:
    """Compute a calculated attribute for up to 100 profiles. A range holds for this call only.

    Errors:
        ResourceNotFoundException: no such domain or definition.
    """
    overrides = request.get("ConditionOverrides")
    given = (overrides or {}).get("Range")
    days = None if given is None else read_days(given["Start"], given.get("End", 0), "ConditionOverrides.Range")
    with call.reading(request["DomainName"]) as session:
        found = definitions.get_calculated(session, request["CalculatedAttributeName"])
        page = get_profiles(session, list(dict.fromkeys(request["ProfileIds"])))
        values = [
            {"ProfileId": profile.profile_id, **_value_answer(found, value)}
            for profile, _, value in calculate_for(session, page.profiles, [found], days)
        ]
    errors = [
        {"ProfileId": one, "Code": "404", "Message": no_such_profile_message(one, request["DomainName"])}
        for one in page.missing_ids
    ]
    answer = {"CalculatedAttributeValues": values, "Errors": errors, "ConditionOverrides": overrides}
    return cast("aws.BatchGetCalculatedAttributeForProfileResponse", answer)


def _page(session: Reading, request: Any, list_name: str) -> tuple[list[CalculatedDefinition], str | None]:
    token = request.get("NextToken")
    size = request.get("MaxResults", _PAGE_SIZE)
    after = "" if token is None else str(read_token(list_name, token, (str,))[0])
    found = definitions.list_calculated(session, after=after, limit=size + 1)
    return found[:size], write_token(list_name, [found[size - 1].name]) if len(found) > size else None


def _given(request: Any, members: tuple[str, ...]) -> dict[str, Any]:
    return {member: request[member] for member in members if member in request}


def _answer(found: CalculatedDefinition, members: tuple[str, ...]) -> dict[str, Any]:
    return {
        "CalculatedAttributeName": found.name,
        **found.summary,
        **_given(found.members, members),
        "CreatedAt": found.created_at,
        "LastUpdatedAt": found.updated_at,
        "Tags": dict(found.tags) or None,
        **_READY,
    }


def _value_answer(found: CalculatedDefinition, value: CalculatedValue) -> dict[str, Any]:
    last = value.last_object_at_ms
    return {
        "CalculatedAttributeName": found.name,
        "DisplayName": found.summary.get("DisplayName"),
        "IsDataPartial": "true" if value.is_partial else "false",
        "LastObjectTimestamp": None if last is None else from_milliseconds(last),
        "Value": None if value.text is None else value.text[:_LONGEST_VALUE],
    }
