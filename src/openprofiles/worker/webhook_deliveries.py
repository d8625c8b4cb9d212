"""Call the webhooks of upload jobs that have ended.

The transaction that ends a job also adds a feed for the call, so no call is lost. If a worker dies between an attempt
and the note of its success, the receiver is called twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from openprofiles.clock import to_epoch_seconds
from openprofiles.errors import InvalidRequest
from openprofiles.logs import EventLogger
from openprofiles.master_key import DecryptionError
from openprofiles.member_names import members_of
from openprofiles.store import webhooks
from openprofiles.store.feeds import HeldFeed
from openprofiles.store.webhooks import EndedJob
from openprofiles.uploads.webhook_url import host_of, parse_webhook_url
from openprofiles.uploads.webhooks import decrypt_webhook_secret
from openprofiles.worker.feeds import FeedFailed, FeedWork
from openprofiles.worker.webhook_post import DeliveryFailed, post, signed_headers

_logger = EventLogger("openprofiles.worker.webhooks")


def call_webhook(work: FeedWork, held: HeldFeed) -> int:
    """Call the webhook for the end of a job, the only row of this feed."""
    with work.store.read() as connection:
        job = webhooks.read_ended_job(connection, held)
        webhook = webhooks.find_webhook(connection, held.domain_id)
    if job is None or webhook is None or held.target is None:
        # Just now; otherwise the feed would be over.
        raise FeedFailed("The webhook was deleted.", is_final=True)
    about: dict[str, Any] = {"job_id": job.job_id, "host": host_of(held.target)}
    try:
        url = parse_webhook_url(held.target)
        secret = decrypt_webhook_secret(work.master_key, webhook.secret, held.domain_id)
        body = json.dumps(body_of(job)).encode()
        private_addresses = work.settings.webhook_private_addresses
        post(url, signed_headers(secret, body, work.clock()), body, private_addresses=private_addresses)
    except (DeliveryFailed, DecryptionError, InvalidRequest) as error:
        raise FeedFailed(str(error), **about) from error
    _logger.info("webhook_delivered", **about, attempt=held.attempts)
    return 1


def body_of(job: EndedJob) -> Mapping[str, Any]:
    """Build the body: nothing of the file, and no caller's text except the domain's name."""
    members = {
        "Event": "UploadJobEnded",
        "DeliveryId": job.job_id,
        **members_of(job, "domain_name", "job_id", "status", "status_reason", "record_count"),
        "CreatedRecords": job.created_count,
        "UpdatedRecords": job.updated_count,
        "UnchangedRecords": job.unchanged_count,
        "FailedRecords": job.failed_count,
        "StartedAt": to_epoch_seconds(job.started_at),
        "CompletedAt": to_epoch_seconds(job.completed_at),
    }
    return {name: value for name, value in members.items() if value is not None}
