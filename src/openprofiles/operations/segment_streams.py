"""The operations on streams and subscriptions of segments: events of profiles that join and leave."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from openprofiles.operations.call import Call
from openprofiles.operations.registry import operation, page_of
from openprofiles.segments import subscriptions
from openprofiles.store.segment_subscriptions import Stream, Subscription

if TYPE_CHECKING:
    from openprofiles.wire import types as aws

_HOURLY = "HOURLY"
_LONGEST_REASON = 255


@operation("AssociateStreamForSegments")
def associate_stream_for_segments(
    call: Call, request: aws.AssociateStreamForSegmentsRequest
) -> aws.AssociateStreamForSegmentsResponse:
    """Send the events of the domain's segments to a Kinesis stream or a URL.

    A worker tries a Kinesis stream at once; GetStreamForSegments shows whether it can be reached.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the domain has a stream, or the destination is not allowed.
    """
    destination = request["DestinationArn"]
    subscriptions.check_stream_destination(destination, private_addresses=call.settings.webhook_private_addresses)
    with call.writing(request["DomainName"]) as session:
        subscriptions.associate_stream(session, destination, request["DestinationRoleArn"])
    return {}


@operation("GetStreamForSegments")
def get_stream_for_segments(call: Call, request: aws.GetStreamForSegmentsRequest) -> aws.GetStreamForSegmentsResponse:
    """Show the stream of the domain's segments, and which segments are followed.

    Errors:
        ResourceNotFoundException: no such domain, or it never had a stream.
    """
    with call.reading(request["DomainName"]) as session:
        stream = subscriptions.get_stream(session)
        followed = subscriptions.list_followed_segments(session)
    answer: dict[str, Any] = {
        "DomainName": request["DomainName"],
        "DestinationArn": stream.destination,
        "DestinationRoleArn": stream.role,
        "State": _state_of(stream),
        "AssociatedAt": stream.associated_at,
        "DisassociatedAt": stream.disassociated_at,
        "FailureReason": stream.failure and stream.failure[:_LONGEST_REASON],
        "AssociatedSegments": [
            {"SegmentName": name, "Status": one.status.value, "Message": one.message} for name, one in followed
        ],
    }
    return cast("aws.GetStreamForSegmentsResponse", answer)


@operation("DisassociateStreamForSegments")
def disassociate_stream_for_segments(
    call: Call, request: aws.DisassociateStreamForSegmentsRequest
) -> aws.DisassociateStreamForSegmentsResponse:
    """Send no more events of the domain's segments, and stop all subscriptions.

    Errors:
        ResourceNotFoundException: no such domain, or it has no stream.
    """
    with call.writing(request["DomainName"]) as session:
        subscriptions.disassociate_stream(session)
    return {"Message": "OK: the stream was disassociated, and all subscriptions were stopped"}


@operation("PutSegmentSubscription")
def put_segment_subscription(
    call: Call, request: aws.PutSegmentSubscriptionRequest
) -> aws.PutSegmentSubscriptionResponse:
    """Follow a segment: each profile that joins or leaves becomes an event.

    The members at the start become none. All profiles are looked at every 24 hours unless the request says otherwise,
    and after each change at once.

    Errors:
        ResourceNotFoundException: no such domain or segment definition.
        BadRequestException: the domain has no stream, or ten subscriptions.
    """
    hours = request.get("ScheduleConfiguration", {}).get("Interval")
    with call.writing(request["DomainName"]) as session:
        put = subscriptions.put_subscription(session, request["SegmentDefinitionName"], interval_hours=hours)
    answer = {"Status": put.status.value, "StartedAt": put.started_at, "ScheduleConfiguration": _schedule_of(put)}
    return cast("aws.PutSegmentSubscriptionResponse", answer)


@operation("GetSegmentSubscription")
def get_segment_subscription(
    call: Call, request: aws.GetSegmentSubscriptionRequest
) -> aws.GetSegmentSubscriptionResponse:
    """Show the subscription to a segment.

    Errors:
        ResourceNotFoundException: no such domain, segment definition or subscription.
    """
    with call.reading(request["DomainName"]) as session:
        found = subscriptions.get_subscription(session, request["SegmentDefinitionName"])
    executions: dict[str, datetime | None] = {
        "LastExecutedAt": found.last_at,
        "NextExecutedAt": found.next_at if found.is_active else None,
    }
    answer = {
        "Status": found.status.value,
        "Message": found.message,
        "ScheduleConfiguration": _schedule_of(found),
        "ScheduledExecutions": executions,
        "StartedAt": found.started_at,
        "LastUpdatedAt": found.updated_at,
    }
    return cast("aws.GetSegmentSubscriptionResponse", answer)


@operation("DeleteSegmentSubscription")
def delete_segment_subscription(
    call: Call, request: aws.DeleteSegmentSubscriptionRequest
) -> aws.DeleteSegmentSubscriptionResponse:
    """Stop following a segment. Its events are still listed for 30 days.

    Errors:
        ResourceNotFoundException: no such domain, segment definition or subscription.
    """
    name = request["SegmentDefinitionName"]
    with call.writing(request["DomainName"]) as session:
        subscriptions.delete_subscription(session, name)
    return {"Message": f"OK: the subscription to segment definition {name} was deleted"}


@operation("ListSegmentSubscriptionEvents")
def list_segment_subscription_events(
    call: Call, request: aws.ListSegmentSubscriptionEventsRequest
) -> aws.ListSegmentSubscriptionEventsResponse:
    """List the profiles that have joined or left a segment, newest first.

    Events are kept for 30 days, and a page has 100 of them by default.

    Errors:
        ResourceNotFoundException: no such domain or segment definition, or it was never followed.
        BadRequestException: the token is not one of this list's.
    """
    with call.reading(request["DomainName"]) as session:
        page = subscriptions.list_subscription_events(session, request["SegmentDefinitionName"], **page_of(request))
    events = [
        {
            "ProfileId": event.profile_id,
            "UpdatedAt": event.at,
            "EventType": "LIVE" if event.is_live else "SCHEDULE",
            "Event": "JOINED" if event.has_joined else "LEFT",
        }
        for event in page.events
    ]
    return cast("aws.ListSegmentSubscriptionEventsResponse", {"Events": events, "NextToken": page.next_token})


def _state_of(stream: Stream) -> str:
    if stream.disassociated_at is not None:
        return "STOPPED"
    return "RUNNING" if stream.failure is None else "UNHEALTHY"


def _schedule_of(subscription: Subscription) -> dict[str, Any]:
    return {"Interval": subscription.interval_hours, "Unit": _HOURLY}
