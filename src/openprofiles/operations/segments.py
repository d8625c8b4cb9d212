"""The operations on segments: their definitions, estimates of their size, and who is a member."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from openprofiles.definitions import definitions
from openprofiles.operations.call import Call
from openprofiles.operations.profile_shapes import profile_answer
from openprofiles.operations.registry import operation, page_of
from openprofiles.operations.resource_arns import resource_arn
from openprofiles.segments import estimates, snapshots
from openprofiles.segments.definitions import (
    GROUPS,
    SEGMENT,
    SORT,
    SQL_QUERY,
    create_segment,
    delete_segment,
)
from openprofiles.segments.membership import known_since, read_memberships
from openprofiles.segments.sql_check import require_sql_runs
from openprofiles.store.definitions import Definition

if TYPE_CHECKING:
    from openprofiles.wire import types as aws

_SUMMARY = ("DisplayName", "Description")
_BODY = (GROUPS, SQL_QUERY, SORT)
_OF_SNAPSHOT = (snapshots.DATA_FORMAT, snapshots.DESTINATION, snapshots.ENCRYPTION_KEY, snapshots.ROLE)
_LONGEST_MESSAGE = 255
_OK = 200
_NOT_FOUND = 404


@operation("CreateSegmentDefinition")
def create_segment_definition(
    call: Call, request: aws.CreateSegmentDefinitionRequest
) -> aws.CreateSegmentDefinitionResponse:
    """Create a segment definition; without segment groups, all profiles are members.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the domain has a segment definition of this name, or the segment is not valid.
    """
    summary, body = _given(request, _SUMMARY), _given(request, _BODY)
    name = request["SegmentDefinitionName"]
    require_sql_runs(lambda: call.reading(request["DomainName"]), body, GROUPS, strict=call.strict)
    with call.writing(request["DomainName"]) as session:
        made = create_segment(session, name, summary, body, request.get("Tags", {}), strict=call.strict)
    answer = _answer(call, request["DomainName"], made.definition)
    del answer["SegmentType"]
    return cast("aws.CreateSegmentDefinitionResponse", answer)


@operation("GetSegmentDefinition")
def get_segment_definition(call: Call, request: aws.GetSegmentDefinitionRequest) -> aws.GetSegmentDefinitionResponse:
    """Show a segment definition, with its groups as they came.

    Errors:
        ResourceNotFoundException: no such domain or segment definition.
    """
    with call.reading(request["DomainName"]) as session:
        found = definitions.get_definition(session, SEGMENT, request["SegmentDefinitionName"])
    answer = _answer(call, request["DomainName"], found.definition)
    return cast("aws.GetSegmentDefinitionResponse", {**answer, **found.body})


@operation("ListSegmentDefinitions")
def list_segment_definitions(
    call: Call, request: aws.ListSegmentDefinitionsRequest
) -> aws.ListSegmentDefinitionsResponse:
    """List segment definitions by name, without their content; 100 to a page by default.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the token is not one of this list's.
    """
    with call.reading(request["DomainName"]) as session:
        page = definitions.list_definitions(session, SEGMENT, list_name="ListSegmentDefinitions", **page_of(request))
    items = [_answer(call, request["DomainName"], one) for one in page.definitions]
    return {"Items": cast("list[aws.SegmentDefinitionItem]", items), "NextToken": page.next_token}


@operation("DeleteSegmentDefinition")
def delete_segment_definition(
    call: Call, request: aws.DeleteSegmentDefinitionRequest
) -> aws.DeleteSegmentDefinitionResponse:
    """Delete a segment definition. Segments that are built on it fail until it is created again.

    Errors:
        ResourceNotFoundException: no such domain or segment definition.
    """
    name = request["SegmentDefinitionName"]
    with call.writing(request["DomainName"]) as session:
        delete_segment(session, name)
    return {"Message": f"OK: segment definition {name} deleted"}


@operation("CreateSegmentEstimate")
def create_segment_estimate(call: Call, request: aws.CreateSegmentEstimateRequest) -> aws.CreateSegmentEstimateResponse:
    """Have a worker count the profiles for which a query holds; without a query, all profiles.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the query is not valid.
    """
    query = _given(request, (estimates.QUERY, SQL_QUERY))
    require_sql_runs(lambda: call.reading(request["DomainName"]), query, estimates.QUERY, strict=call.strict)
    with call.writing(request["DomainName"]) as session:
        estimate_id = estimates.start_estimate(session, query, strict=call.strict)
    return {"DomainName": request["DomainName"], "EstimateId": estimate_id, "StatusCode": _OK}


@operation("GetSegmentEstimate")
def get_segment_estimate(call: Call, request: aws.GetSegmentEstimateRequest) -> aws.GetSegmentEstimateResponse:
    """Show how many profiles an estimate has counted, exactly. An estimate is kept for a day.

    Errors:
        ResourceNotFoundException: no such domain or estimate.
    """
    with call.reading(request["DomainName"]) as session:
        found = estimates.read_estimate(session, request["EstimateId"])
    status = estimates.estimate_status(found)
    answer: dict[str, Any] = {
        "DomainName": request["DomainName"],
        "EstimateId": found.job_id,
        "Status": status,
        "StatusCode": _OK,
    }
    if status == "SUCCEEDED":
        answer["Estimate"] = str(found.member_count)
    elif status == "FAILED":
        answer["Message"] = estimates.failure_message(found)[:_LONGEST_MESSAGE]
    return cast("aws.GetSegmentEstimateResponse", answer)


@operation("GetSegmentMembership")
def get_segment_membership(call: Call, request: aws.GetSegmentMembershipRequest) -> aws.GetSegmentMembershipResponse:
    """Find which of up to 100 profiles are members of a segment now.

    Each profile is answered once, in the order of the request; ids of no profile are listed as failures.

    Errors:
        ResourceNotFoundException: no such domain or segment definition.
        BadRequestException: the segment builds on something that was deleted.
    """
    name = request["SegmentDefinitionName"]
    with call.reading(request["DomainName"]) as session:
        memberships = read_memberships(session, name, request["ProfileIds"])
        computed_at = known_since(session, name)
    return {
        "SegmentDefinitionName": name,
        "LastComputedAt": computed_at,
        "Profiles": [
            {
                "ProfileId": one.profile_id,
                "QueryResult": "PRESENT" if one.is_member else "ABSENT",
                "Profile": profile_answer(one.profile),
            }
            for one in memberships
            if one.profile is not None
        ],
        "Failures": [
            {
                "ProfileId": one.profile_id,
                "Message": f"Profile {one.profile_id} does not exist.",
                "Status": _NOT_FOUND,
            }
            for one in memberships
            if one.profile is None
        ],
    }


@operation("CreateSegmentSnapshot")
def create_segment_snapshot(call: Call, request: aws.CreateSegmentSnapshotRequest) -> aws.CreateSegmentSnapshotResponse:
    """Have a worker export the members of a segment, to a bucket or a folder.

    Errors:
        ResourceNotFoundException: no such domain or segment definition.
        BadRequestException: the destination is not allowed, or the segment builds on something that was deleted.
        ThrottlingException: with strict limits, more than 200 a day.
    """
    with call.writing(request["DomainName"]) as session:
        snapshot_id = snapshots.start_snapshot(
            session,
            request["SegmentDefinitionName"],
            _given(request, _OF_SNAPSHOT),
            export_folder=call.settings.export_folder,
            strict=call.strict,
        )
    return {"SnapshotId": snapshot_id}


@operation("GetSegmentSnapshot")
def get_segment_snapshot(call: Call, request: aws.GetSegmentSnapshotRequest) -> aws.GetSegmentSnapshotResponse:
    """Show how far an export is.

    Errors:
        ResourceNotFoundException: no such domain, or no such snapshot of this segment.
    """
    with call.reading(request["DomainName"]) as session:
        found = snapshots.read_snapshot(session, request["SegmentDefinitionName"], request["SnapshotId"])
    answer = {
        "SnapshotId": found.job_id,
        "Status": snapshots.snapshot_status(found),
        "StatusMessage": snapshots.failure_of_snapshot(found),
    }
    return cast("aws.GetSegmentSnapshotResponse", answer | _given(found.request, _OF_SNAPSHOT))


def _given(request: Any, members: tuple[str, ...]) -> dict[str, Any]:
    return {member: request[member] for member in members if member in request}


def _answer(call: Call, domain_name: str, definition: Definition) -> dict[str, Any]:
    return {
        "SegmentDefinitionName": definition.name,
        **definition.summary,
        "SegmentDefinitionArn": resource_arn(
            call.region, call.account_id, domain_name, SEGMENT.arn_part or "", definition.name
        ),
        "CreatedAt": definition.created_at,
        "Tags": dict(definition.tags) or None,
    }
