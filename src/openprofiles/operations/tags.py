"""The operations on tags, for domains and for definitions of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openprofiles.definition_kinds import KIND_OF_ARN_PART
from openprofiles.definitions import definitions
from openprofiles.operations.call import Call
from openprofiles.operations.registry import operation
from openprofiles.operations.resource_arns import Resource, resource_of_arn
from openprofiles.profiles import domains

if TYPE_CHECKING:
    from openprofiles.wire import types as aws


@operation("TagResource")
def tag_resource(call: Call, request: aws.TagResourceRequest) -> aws.TagResourceResponse:
    """Add tags, or give tags that are there a new value.

    Errors:
        ResourceNotFoundException: no such resource.
        BadRequestException: the ARN is malformed, or there would be more than 50 tags.
    """
    resource = _resource(call, request["resourceArn"])
    with call.writing(resource.domain_name) as session:
        if resource.kind is None:
            domains.tag_domain(session, request["tags"])
        else:
            definitions.tag(session, KIND_OF_ARN_PART[resource.kind], resource.name, request["tags"])
    return {}


@operation("UntagResource")
def untag_resource(call: Call, request: aws.UntagResourceRequest) -> aws.UntagResourceResponse:
    """Remove tags; unknown keys are ignored.

    Errors:
        ResourceNotFoundException: no such resource.
        BadRequestException: the ARN is malformed.
    """
    resource = _resource(call, request["resourceArn"])
    with call.writing(resource.domain_name) as session:
        if resource.kind is None:
            domains.untag_domain(session, request["tagKeys"])
        else:
            definitions.untag(session, KIND_OF_ARN_PART[resource.kind], resource.name, request["tagKeys"])
    return {}


@operation("ListTagsForResource")
def list_tags_for_resource(call: Call, request: aws.ListTagsForResourceRequest) -> aws.ListTagsForResourceResponse:
    """Show the tags of a resource.

    Errors:
        ResourceNotFoundException: no such resource.
        BadRequestException: the ARN is malformed.
    """
    resource = _resource(call, request["resourceArn"])
    with call.reading(resource.domain_name) as session:
        if resource.kind is None:
            return {"tags": dict(session.domain.tags)}
        found = definitions.find_definition(session, KIND_OF_ARN_PART[resource.kind], resource.name)
    return {"tags": dict(found.tags)}


def _resource(call: Call, arn: str) -> Resource:
    return resource_of_arn(arn, KIND_OF_ARN_PART, region=call.region, account_id=call.account_id)
