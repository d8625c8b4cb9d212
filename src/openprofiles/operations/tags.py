"""The operations on tags. Of the resources that can have tags, this version has domains only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openprofiles.operations.call import Call
from openprofiles.operations.registry import operation
from openprofiles.operations.resource_arns import domain_name_of_arn
from openprofiles.profiles import domains

if TYPE_CHECKING:
    from openprofiles.wire.types import (
        ListTagsForResourceRequest,
        ListTagsForResourceResponse,
        TagResourceRequest,
        TagResourceResponse,
        UntagResourceRequest,
        UntagResourceResponse,
    )


@operation("TagResource")
def tag_resource(call: Call, request: TagResourceRequest) -> TagResourceResponse:
    """Add tags, or give tags that are there a new value.

    Errors:
        ResourceNotFoundException: no such resource.
        BadRequestException: the ARN is malformed, or there would be more than 50 tags.
    """
    domains.tag_domain(call.store, _domain_name(call, request["resourceArn"]), request["tags"])
    return {}


@operation("UntagResource")
def untag_resource(call: Call, request: UntagResourceRequest) -> UntagResourceResponse:
    """Remove tags; unknown keys are ignored.

    Errors:
        ResourceNotFoundException: no such resource.
        BadRequestException: the ARN is malformed.
    """
    domains.untag_domain(call.store, _domain_name(call, request["resourceArn"]), request["tagKeys"])
    return {}


@operation("ListTagsForResource")
def list_tags_for_resource(call: Call, request: ListTagsForResourceRequest) -> ListTagsForResourceResponse:
    """Show the tags of a resource.

    Errors:
        ResourceNotFoundException: no such resource.
        BadRequestException: the ARN is malformed.
    """
    domain = domains.get_domain(call.store, _domain_name(call, request["resourceArn"]))
    return {"tags": dict(domain.tags)}


def _domain_name(call: Call, arn: str) -> str:
    return domain_name_of_arn(arn, region=call.region, account_id=call.account_id)
