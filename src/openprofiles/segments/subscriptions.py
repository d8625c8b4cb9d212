"""Streams of domains, and subscriptions to segments: their profiles that join and leave become events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec

from openprofiles.definitions.definitions import find_definition, list_all_definitions
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.session import Reading, Writing
from openprofiles.segments.definitions import ENHANCED, SEGMENT, SEGMENT_TYPE, segment_expression
from openprofiles.store import segment_subscriptions as rows
from openprofiles.store.segment_events import SegmentEvent, list_events
from openprofiles.store.segment_subscriptions import Stream, Subscription
from openprofiles.uploads.webhook_url import WebhookRefused, check_webhook_url
from openprofiles.uploads.webhooks import require_webhook

DEFAULT_INTERVAL_HOURS = 24

# Source: administrator guide, "Segment membership events".
_MAX_SUBSCRIPTIONS = 10
_LIST = "ListSegmentSubscriptionEvents"
_KINESIS_ARN = re.compile(r"arn:[a-z0-9-]+:kinesis:[a-z0-9-]+:\d{12}:stream/[A-Za-z0-9_.-]{1,128}")


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page of events, the newest first."""

    events: list[SegmentEvent]
    next_token: str | None


def is_kinesis_arn(destination: str) -> bool:
    """Return whether a destination is a Kinesis stream; otherwise it is a URL."""
    return _KINESIS_ARN.fullmatch(destination) is not None


def check_stream_destination(destination: str, *, private_addresses: bool) -> None:
    """Check that events can go to a destination. It may look up a host, so no transaction may be open.

    Raises:
        InvalidRequest: it is neither the ARN of a Kinesis stream nor an allowed URL, or a package is missing for it.
    """
    if is_kinesis_arn(destination):
        if find_spec("boto3") is None:
            raise InvalidRequest("This server cannot send to Kinesis: install openprofiles[s3], which brings boto3.")
        return
    if not destination.startswith(("https://", "http://")):
        raise InvalidRequest(
            "DestinationArn must be the ARN of a Kinesis data stream "
            "(arn:aws:kinesis:<region>:<account>:stream/<name>), or an https:// URL."
        )
    try:
        check_webhook_url(destination, private_addresses=private_addresses)
    except WebhookRefused as error:
        raise InvalidRequest(str(error).replace("webhook URL", "URL in DestinationArn")) from error


def associate_stream(session: Writing, destination: str, role: str) -> None:
    """Send the events of the domain's segments to a destination that was checked.

    Raises:
        InvalidRequest: the domain has a stream, or lacks the secret that signs requests to a URL.
    """
    connection, domain_id = session.connection, session.domain.domain_id
    found = rows.find_stream(connection, domain_id)
    if found is not None and found.disassociated_at is None:
        raise InvalidRequest(
            f"Domain {session.domain.name} already has a stream for segments. Disassociate it before you associate "
            "another one."
        )
    if not is_kinesis_arn(destination):
        require_webhook(session)
    rows.associate_stream(connection, domain_id, destination=destination, role=role, now=session.now)


def get_stream(session: Reading) -> Stream:
    """Return the stream of the domain, which may be disassociated.

    Raises:
        NotFound: the domain never had one.
    """
    found = rows.find_stream(session.connection, session.domain.domain_id)
    if found is None:
        raise NotFound(f"Domain {session.domain.name} has no stream for segments.")
    return found


def list_followed_segments(session: Reading) -> list[tuple[str, Subscription]]:
    """List the subscriptions of the domain with the names of their segments."""
    names = {one.definition_id: one.name for one in list_all_definitions(session, SEGMENT)}
    found = rows.list_subscriptions(session.connection, session.domain.domain_id)
    return [(names[one.definition_id], one) for one in found if one.definition_id in names]


def disassociate_stream(session: Writing) -> None:
    """Send no more events, and stop all subscriptions.

    Raises:
        NotFound: the domain has no stream, or it was disassociated before.
    """
    if get_stream(session).disassociated_at is not None:
        raise NotFound(f"Domain {session.domain.name} has no associated stream for segments.")
    rows.disassociate_stream(session.connection, session.domain.domain_id, session.now)


def put_subscription(session: Writing, segment_name: str, *, interval_hours: int | None) -> Subscription:
    """Follow a segment, or change how often all profiles are looked at.

    Args:
        interval_hours: None: 24, or as it is.

    Raises:
        NotFound: the domain has no segment of this name.
        InvalidRequest: the domain has no stream or ten subscriptions, or the segment builds on something deleted.
    """
    connection, domain_id = session.connection, session.domain.domain_id
    definition = find_definition(session, SEGMENT, segment_name)
    if definition.summary[SEGMENT_TYPE] == ENHANCED:
        raise InvalidRequest(
            f"Segment definition {segment_name} is an SQL segment, which cannot be followed by this version of "
            "openprofiles. Compare its snapshots instead."
        )
    segment_expression(session, segment_name)
    stream = rows.find_stream(connection, domain_id)
    if stream is None or stream.disassociated_at is not None:
        raise InvalidRequest(
            f"Domain {session.domain.name} has no stream for segments. Associate one first "
            "(AssociateStreamForSegments)."
        )
    found = rows.find_subscription(connection, domain_id, definition.definition_id)
    hours = interval_hours or (found.interval_hours if found else DEFAULT_INTERVAL_HOURS)
    if found is not None and found.is_active:
        next_at = max(session.now, (found.last_at or found.started_at) + timedelta(hours=hours))
        rows.change_subscription(connection, found, interval_hours=hours, next_at=next_at, updated_at=session.now)
    else:
        others = [one for one in rows.list_subscriptions(connection, domain_id) if one != found]
        if len(others) >= _MAX_SUBSCRIPTIONS:
            raise InvalidRequest(
                f"Domain {session.domain.name} has {len(others)} subscriptions to segments; at most "
                f"{_MAX_SUBSCRIPTIONS} are allowed. Delete one first (DeleteSegmentSubscription)."
            )
        next_at = session.now + timedelta(hours=hours)
        rows.start_subscription(
            connection, domain_id, definition.definition_id, interval_hours=hours, now=session.now, next_at=next_at
        )
    put = rows.find_subscription(connection, domain_id, definition.definition_id)
    assert put is not None
    return put


def get_subscription(session: Reading, segment_name: str) -> Subscription:
    """Return the subscription to a segment.

    Raises:
        NotFound: the domain has no segment of this name, or this has no subscription.
    """
    definition = find_definition(session, SEGMENT, segment_name)
    found = rows.find_subscription(session.connection, session.domain.domain_id, definition.definition_id)
    if found is None:
        raise _no_subscription(segment_name)
    return found


def delete_subscription(session: Writing, segment_name: str) -> None:
    """Stop following a segment. Its events are still listed for 30 days.

    Raises:
        NotFound: the domain has no segment of this name, or this has no subscription.
    """
    rows.delete_subscription(session.connection, get_subscription(session, segment_name))


def list_subscription_events(
    session: Reading, segment_name: str, *, max_results: int, next_token: str | None = None
) -> EventPage:
    """List the events of a segment, the newest first.

    Raises:
        NotFound: the domain has no segment of this name, or this has neither a subscription nor events.
        InvalidRequest: the token is not one of this list's.
    """
    definition = find_definition(session, SEGMENT, segment_name)
    before = None if next_token is None else int(read_token(_LIST, next_token, (int,))[0])
    connection, domain_id = session.connection, session.domain.domain_id
    found = list_events(connection, domain_id, definition.definition_id, before=before, limit=max_results + 1)
    if not found and rows.find_subscription(connection, domain_id, definition.definition_id) is None:
        raise _no_subscription(segment_name)
    token = write_token(_LIST, [found[max_results - 1].number]) if len(found) > max_results else None
    return EventPage(found[:max_results], token)


def _no_subscription(segment_name: str) -> NotFound:
    return NotFound(f"Segment definition {segment_name} has no subscription.")
