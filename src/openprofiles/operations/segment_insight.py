"""What AWS does not say of segments: the members, why a profile is one, and what an estimate holds for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from openprofiles.expressions.evaluate import Explanation
from openprofiles.expressions.from_segment import attribute_name, value_text
from openprofiles.expressions.tree import Calculated, Every, InSegment, Not, Some, Test
from openprofiles.operations.call import Call
from openprofiles.operations.registry import OWN_PAGE_SIZE, own_operation, page_of
from openprofiles.segments import estimates, snapshot_changes, snapshots
from openprofiles.segments.membership import explain_membership, list_members
from openprofiles.segments.snapshots import failure_of_snapshot, snapshot_status

if TYPE_CHECKING:
    from openprofiles.wire import own_types as own


@own_operation("GetSegmentEstimateDetails")
def get_segment_estimate_details(
    call: Call, request: own.GetSegmentEstimateDetailsRequest
) -> own.SegmentEstimateDetails:
    """Return an estimate with the time that it holds for."""
    with call.reading(request["DomainName"]) as session:
        found = estimates.read_estimate(session, request["EstimateId"])
    status = estimates.estimate_status(found)
    members = {
        "EstimateId": found.job_id,
        "Status": status,
        "Message": estimates.failure_message(found) if status == "FAILED" else None,
        "Members": found.member_count,
        "Profiles": found.profile_count,
        "AsOf": found.as_of,
    }
    return cast("own.SegmentEstimateDetails", members)


@own_operation("ListSegmentMembers")
def list_segment_members(call: Call, request: own.ListSegmentMembersRequest) -> own.SegmentMembers:
    """List the profiles that are members of a segment now."""
    with call.reading(request["DomainName"]) as session:
        page = list_members(session, request["SegmentDefinitionName"], **page_of(request, OWN_PAGE_SIZE))
    return {"Items": [{"ProfileId": one} for one in page.profile_ids], "NextToken": page.next_token}


@own_operation("ExplainSegmentMembership")
def explain_segment_membership(call: Call, request: own.ExplainSegmentMembershipRequest) -> own.SegmentExplanation:
    """Explain why a profile is a member of a segment, or is not."""
    profile_id = request["ProfileId"]
    with call.reading(request["DomainName"]) as session:
        found = explain_membership(session, request["SegmentDefinitionName"], profile_id)
    return {"ProfileId": profile_id, "IsMember": found.holds, "Parts": list(_parts(found, 0))}


@own_operation("CheckSegmentSql")
def check_segment_sql(call: Call, request: own.CheckSegmentSqlRequest) -> own.SegmentSqlCheck:
    """Check the query of an SQL segment without running it."""
    # Imported here: they import the parser.
    from openprofiles.segments.sql.query_check import SqlFault, check_query
    from openprofiles.segments.sql.query_run import QueryFailed, require_runs
    from openprofiles.segments.sql.tables import list_tables

    with call.reading(request["DomainName"]) as session:
        tables = list_tables(session)
    answer: dict[str, Any] = {
        "IsValid": True,
        "Tables": [{"Name": table.name, "Columns": sorted(table.columns)} for table in tables],
    }
    try:
        require_runs(check_query(request["SegmentSqlQuery"], tables, call.now), tables)
    except SqlFault as fault:
        answer |= {"IsValid": False, "Message": fault.what, "Line": fault.line, "Column": fault.column}
    except QueryFailed as fault:
        answer |= {"IsValid": False, "Message": str(fault)}
    return cast("own.SegmentSqlCheck", answer)


@own_operation("ListSegmentSnapshots")
def list_segment_snapshots(call: Call, request: own.ListSegmentSnapshotsRequest) -> own.SegmentSnapshots:
    """List the snapshots of a segment with the number of members of each, newest first."""
    with call.reading(request["DomainName"]) as session:
        name = request["SegmentDefinitionName"]
        page = snapshot_changes.list_segment_snapshots(session, name, **page_of(request, OWN_PAGE_SIZE))
    items = [
        {
            "SnapshotId": one.job_id,
            "Status": snapshot_status(one),
            "StatusMessage": failure_of_snapshot(one),
            "DataFormat": one.request[snapshots.DATA_FORMAT],
            "DestinationUri": one.request[snapshots.DESTINATION],
            "CreatedAt": one.created_at,
            "AsOf": one.as_of,
            "Members": one.member_count,
            "Profiles": one.profile_count,
        }
        for one in page.snapshots
    ]
    return cast("own.SegmentSnapshots", {"Items": items, "NextToken": page.next_token})


@own_operation("ListSegmentSnapshotChanges")
def list_segment_snapshot_changes(
    call: Call, request: own.ListSegmentSnapshotChangesRequest
) -> own.SegmentSnapshotChanges:
    """Compare the members in a snapshot of a segment with those in an earlier one."""
    with call.reading(request["DomainName"]) as session:
        found = snapshot_changes.compare_snapshots(
            session,
            request["SegmentDefinitionName"],
            request["SnapshotId"],
            request["EarlierSnapshotId"],
            **page_of(request, OWN_PAGE_SIZE),
        )
    return {
        "Joined": found.joined_count,
        "Left": found.left_count,
        "Stayed": found.stayed_count,
        "Items": [
            {"ProfileId": one.profile_id, "Event": "JOINED" if one.has_joined else "LEFT"} for one in found.members
        ],
        "NextToken": found.next_token,
    }


def _parts(explained: Explanation, depth: int) -> Iterator[own.SegmentPart]:
    """Yield a part and what it consists of."""
    expression = explained.expression
    members: dict[str, Any] = {"Depth": depth, "Holds": explained.holds, "Place": expression.place or None}
    if isinstance(expression, Test):
        is_calculated = isinstance(expression.operand, Calculated)
        name = "CalculatedAttributeName" if is_calculated else "Attribute"
        members |= {
            "Kind": "TEST",
            name: attribute_name(expression.operand),
            "DimensionType": expression.operator.name,
            "Values": [value_text(value) for value in expression.values],
            "Found": explained.found,
            "Reason": explained.reason.name if explained.reason else None,
        }
    elif isinstance(expression, InSegment):
        members |= {"Kind": "SEGMENT", "SegmentDefinitionName": expression.name}
    else:
        members["Kind"] = _KINDS[type(expression)]
    yield cast("own.SegmentPart", members)
    for part in explained.parts:
        yield from _parts(part, depth + 1)


_KINDS = {Every: "ALL", Some: "ANY", Not: "NOT"}
