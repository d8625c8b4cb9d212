"""The operations on the attributes of objects and profiles: their names, their values, and statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from openprofiles.member_names import members_of
from openprofiles.objects import attribute_values
from openprofiles.objects.attribute_values import PERCENTS
from openprofiles.operations.call import Call
from openprofiles.operations.registry import operation
from openprofiles.wire.codec import NULL

if TYPE_CHECKING:
    from openprofiles.wire import types as aws

_DEFAULT_PAGE_SIZE = 100


@operation("ListObjectTypeAttributes")
def list_object_type_attributes(
    call: Call, request: aws.ListObjectTypeAttributesRequest
) -> aws.ListObjectTypeAttributesResponse:
    """List the attributes that the newest 20,000 objects of a type have; also of ``_profile`` and standard objects.

    Errors:
        ResourceNotFoundException: no such domain or object type.
        BadRequestException: the token is not one of this list's.
    """
    with call.reading(request["DomainName"]) as session:
        page = attribute_values.list_attributes(
            session,
            request["ObjectTypeName"],
            request.get("MaxResults", _DEFAULT_PAGE_SIZE),
            request.get("NextToken"),
        )
    return {
        "Items": [{"AttributeName": name, "LastUpdatedAt": at} for name, at in page.items],
        "NextToken": page.next_token,
    }


@operation("ListObjectTypeAttributeValues")
def list_object_type_attribute_values(
    call: Call, request: aws.ListObjectTypeAttributeValuesRequest
) -> aws.ListObjectTypeAttributeValuesResponse:
    """List the distinct values of an attribute of a type, newest first.

    They are those of the newest 20,000 objects, up to 350 KB.

    Errors:
        ResourceNotFoundException: no such domain or object type.
        BadRequestException: the type has no such attribute, or the token is not one of this list's.
    """
    with call.reading(request["DomainName"]) as session:
        page = attribute_values.list_values(
            session,
            request["ObjectTypeName"],
            request["AttributeName"],
            request.get("MaxResults", _DEFAULT_PAGE_SIZE),
            request.get("NextToken"),
        )
    return {"Items": [{"Value": text, "LastUpdatedAt": at} for text, at in page.items], "NextToken": page.next_token}


@operation("ListProfileAttributeValues")
def list_profile_attribute_values(
    call: Call, request: aws.ProfileAttributeValuesRequest
) -> aws.ProfileAttributeValuesResponse:
    """List the distinct values of a field, or of ``Attributes.<name>``, in the newest 20,000 profiles.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: profiles have no such field.
    """
    with call.reading(request["DomainName"]) as session:
        values = attribute_values.list_profile_values(session, request["AttributeName"])
    return {
        "DomainName": request["DomainName"],
        "AttributeName": request["AttributeName"],
        "Items": [{"Value": text} for text in values],
        "StatusCode": 200,
    }


@operation("GetObjectTypeAttributeStatistics")
def get_object_type_attribute_statistics(
    call: Call, request: aws.GetObjectTypeAttributeStatisticsRequest
) -> aws.GetObjectTypeAttributeStatisticsResponse:
    """Calculate statistics of the numbers of an attribute.

    They are over the newest 20,000 objects of the type. All members are null if the attribute has no numbers.

    Errors:
        ResourceNotFoundException: no such domain or object type.
        BadRequestException: the domain has no data store, or the type has no such attribute.
    """
    with call.reading(request["DomainName"]) as session:
        found = attribute_values.read_statistics(session, request["ObjectTypeName"], request["AttributeName"])
    numbers: dict[str, Any] = dict.fromkeys(("Minimum", "Maximum", "Average", "StandardDeviation"), NULL)
    numbers["Percentiles"] = {f"P{percent}": NULL for percent in PERCENTS}
    if found is not None:
        numbers = {
            **members_of(found, "minimum", "maximum", "average", "standard_deviation"),
            "Percentiles": {f"P{percent}": value for percent, value in found.percentiles.items()},
        }
    answer = {"Statistics": numbers, "CalculatedAt": call.now}
    return cast("aws.GetObjectTypeAttributeStatisticsResponse", answer)
