"""Send the events of segments to the streams of their domains: the reader of their feeds.

An event is sent again if a worker dies before it has noted that it was sent, or if the destination took it and did not
say so. The events of a profile are sent in their order.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from openprofiles.errors import InvalidRequest
from openprofiles.master_key import DecryptionError
from openprofiles.segments.definitions import SEGMENT_TYPE
from openprofiles.segments.subscriptions import is_kinesis_arn
from openprofiles.store import segment_subscriptions as rows
from openprofiles.store.connections import Connection
from openprofiles.store.domains import find_domain_by_number
from openprofiles.store.feeds import HeldFeed, renew_lease
from openprofiles.store.segment_events import SegmentEvent, last_event_number, read_events_after
from openprofiles.store.segment_subscriptions import Stream
from openprofiles.store.webhooks import find_webhook
from openprofiles.uploads.webhook_url import parse_webhook_url
from openprofiles.uploads.webhooks import decrypt_webhook_secret
from openprofiles.worker.feeds import FeedFailed, FeedLost, FeedWork
from openprofiles.worker.webhook_post import DeliveryFailed, post, signed_headers

# What a request to Kinesis may have.
_RECORDS_AT_ONCE = 500
# A reader must end well within its lease.
_SECONDS_AT_A_TIME = 10.0


class _Destination(Protocol):
    """Where events go."""

    def probe(self) -> None:
        """Try to reach it; raises ``DeliveryFailed``."""

    def send(self, records: Sequence[Mapping[str, Any]]) -> int:
        """Send records of different profiles; return how many of the first were taken. Raises ``DeliveryFailed``."""


def deliver_events(work: FeedWork, held: HeldFeed) -> int:
    """Send the next events of a domain; return the number of the last one that was taken."""
    with work.store.read() as connection:
        domain = find_domain_by_number(connection, held.domain_id)
        stream = rows.find_stream(connection, held.domain_id)
    if domain is None or stream is None or stream.disassociated_at is not None:
        raise FeedFailed("The stream was disassociated.", is_final=True)
    number, ends_at = held.number, time.monotonic() + _SECONDS_AT_A_TIME
    try:
        destination = _open(work, held, stream)
        if stream.probed_at is None:
            destination.probe()
            with _holding(work, held) as connection:
                rows.note_probe(connection, held.domain_id, work.clock())
        while time.monotonic() < ends_at:
            # A late answer must not let another worker overtake this one, nor an ended stream get more events.
            with _holding(work, held) as connection:
                last = last_event_number(connection, held.domain_id)
                events = _of_different_profiles(read_events_after(connection, held.domain_id, number, _RECORDS_AT_ONCE))
            if not events:
                # Those that are left out are of segments that were deleted.
                return last
            taken = destination.send([_record_of(work, domain.name, event) for event in events])
            number = events[taken - 1].number if taken else number
            if taken < len(events):
                raise _failed(work, held, number, "The destination did not take all records.", domain.name)
    except (DeliveryFailed, DecryptionError, InvalidRequest) as error:
        raise _failed(work, held, number, str(error), domain.name) from error
    return number


@contextmanager
def _holding(work: FeedWork, held: HeldFeed) -> Iterator[Connection]:
    """Begin a transaction, and hold the feed for as long as one request may take.

    Raises:
        FeedLost: another worker has the feed, or the stream was disassociated.
    """
    with work.store.write() as connection:
        if not renew_lease(connection, held, work.clock()):
            raise FeedLost
        yield connection


def _failed(work: FeedWork, held: HeldFeed, number: int, fault: str, domain_name: str) -> FeedFailed:
    """Count a failed attempt; return what ends the act after the events that were taken."""
    with work.store.write() as connection:
        rows.note_failed_notifications(connection, held.domain_id, 1)
    return FeedFailed(fault, moved_to=number, domain=domain_name)


def _of_different_profiles(events: Sequence[SegmentEvent]) -> list[SegmentEvent]:
    """Return the first events, up to the second one of any profile.

    Records of one request may arrive in any order.
    """
    found: dict[str, SegmentEvent] = {}
    for event in events:
        if event.profile_id in found:
            break
        found[event.profile_id] = event
    return list(found.values())


def _record_of(work: FeedWork, domain_name: str, event: SegmentEvent) -> dict[str, Any]:
    record = {
        "AccountId": work.settings.account_id,
        "DomainName": domain_name,
        "SegmentDefinitionName": event.segment_name,
        "SegmentType": event.segment_summary[SEGMENT_TYPE],
        "ProfileId": event.profile_id,
        "OperationType": "JOINED" if event.has_joined else "LEFT",
        "MembershipCalculatedAt": int(event.at.timestamp()),
        "EventType": "LIVE" if event.is_live else "SCHEDULE",
    }
    if event.previous_at is not None:
        record["PreviousMembershipChangedAt"] = int(event.previous_at.timestamp())
    return record


def _open(work: FeedWork, held: HeldFeed, stream: Stream) -> _Destination:
    if is_kinesis_arn(stream.destination):
        return _Kinesis(stream.destination)
    with work.store.read() as connection:
        webhook = find_webhook(connection, held.domain_id)
    if webhook is None:
        raise DeliveryFailed("The domain has no webhook secret to sign with. Set the domain's webhook (PUT).")
    return _Url(work, stream.destination, decrypt_webhook_secret(work.master_key, webhook.secret, held.domain_id))


class _Kinesis:
    """A data stream of Kinesis; see ``_Destination``."""

    def __init__(self, arn: str) -> None:
        # Not imported above: it takes a third of a second.
        from openprofiles.aws_clients import ERRORS, fault_of, kinesis_client

        self._arn = arn
        self._errors = ERRORS
        self._fault_of = fault_of
        try:
            self._client = kinesis_client(arn.split(":")[3])
        except self._errors as error:
            raise self._failed(error) from error

    def probe(self) -> None:
        try:
            self._client.describe_stream_summary(StreamARN=self._arn)
        except self._errors as error:
            raise self._failed(error) from error

    def send(self, records: Sequence[Mapping[str, Any]]) -> int:
        entries = [{"Data": json.dumps(one).encode(), "PartitionKey": one["ProfileId"]} for one in records]
        try:
            answer = self._client.put_records(StreamARN=self._arn, Records=entries)
        except self._errors as error:
            raise self._failed(error) from error
        # Records that were taken behind one that was not are sent again.
        return next((index for index, one in enumerate(answer["Records"]) if one.get("ErrorCode")), len(entries))

    def _failed(self, error: BaseException) -> DeliveryFailed:
        return DeliveryFailed(
            f"The Kinesis stream cannot be reached: {self._fault_of(error)}. Check that it exists, and the address, "
            "keys and permissions of the server (AWS_ENDPOINT_URL_KINESIS, AWS_ACCESS_KEY_ID)."
        )


class _Url:
    """A URL that takes signed POST requests, as webhooks; see ``_Destination``."""

    def __init__(self, work: FeedWork, url: str, secret: bytes) -> None:
        self._work = work
        self._url = parse_webhook_url(url)
        self._secret = secret

    def probe(self) -> None:
        """Skip the attempt: it would have to send an event."""

    def send(self, records: Sequence[Mapping[str, Any]]) -> int:
        body = json.dumps({"Event": "SegmentMembershipChanged", "Records": records}).encode()
        headers = signed_headers(self._secret, body, self._work.clock())
        post(self._url, headers, body, private_addresses=self._work.settings.webhook_private_addresses)
        return len(records)
