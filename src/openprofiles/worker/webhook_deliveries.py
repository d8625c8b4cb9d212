"""Call the webhooks of upload jobs that have ended.

The transaction that ends a job also records the call in the store, so no call is lost. An attempt is claimed before it
is made, so two workers never make the same attempt. If a worker dies between an attempt and the note of its success,
the receiver is called twice.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import openprofiles
from openprofiles.clock import Clock, to_milliseconds, utc_now
from openprofiles.errors import Busy, InvalidRequest, StoreNotWritable, StoreUnreachable
from openprofiles.logs import EventLogger
from openprofiles.master_key import DecryptionError, MasterKey
from openprofiles.store import webhooks
from openprofiles.store.connections import Store
from openprofiles.store.webhooks import ClaimedDelivery, EndedJob
from openprofiles.uploads.webhook_url import host_of, parse_webhook_url
from openprofiles.uploads.webhooks import decrypt_webhook_secret
from openprofiles.worker.webhook_post import DeliveryFailed, post

# After how long each attempt that failed is followed by another; after the last one it is given up.
PAUSES = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
)
# Longer than an attempt takes: after this time another worker takes over an attempt that has not ended.
CLAIM_SECONDS = 30

# Only this many receivers that do not answer keep the others waiting.
_THREADS = 4
_POLL_SECONDS = 1.0
_FAULT_SECONDS = 5.0
_CLOSE_SECONDS = 2.0

_logger = EventLogger("openprofiles.worker.webhooks")


class WebhookDeliveries:
    """Threads that call the receivers, separate from those that supervise loads.

    Args:
        private_addresses: whether receivers may have addresses that are not public.
    """

    def __init__(self, store: Store, master_key: MasterKey, *, private_addresses: bool, clock: Clock = utc_now) -> None:
        self._store = store
        self._master_key = master_key
        self._private_addresses = private_addresses
        self._clock = clock
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"webhooks {number}", daemon=True) for number in range(_THREADS)
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Begin no further attempt. Another worker makes an unfinished one again."""
        self._closing.set()
        deadline = time.monotonic() + _CLOSE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def deliver_next(self) -> bool:
        """Make the attempt that is due for longest; return whether there was one.

        Raises:
            Busy, StoreNotWritable, StoreUnreachable: its end could not be noted; it is made again.
        """
        now = self._clock()
        with self._store.read() as connection:
            if not webhooks.has_due_delivery(connection, now):
                return False
        with self._store.write() as connection:
            claimed = webhooks.claim_due_delivery(connection, now=now, until=now + timedelta(seconds=CLAIM_SECONDS))
            job = None if claimed is None else webhooks.read_ended_job(connection, claimed)
        if claimed is None:
            return False
        if job is None or claimed.secret is None:
            # The domain or its webhook was just deleted.
            with self._store.write() as connection:
                webhooks.record_failed(
                    connection, claimed, "The webhook was deleted.", next_attempt_at=None, now=self._clock()
                )
            return True
        self._attempt(claimed, job, claimed.secret)
        return True

    def _attempt(self, claimed: ClaimedDelivery, job: EndedJob, wrapped_secret: bytes) -> None:
        about = {"job_id": job.job_id, "host": host_of(claimed.url), "attempt": claimed.attempt}
        try:
            url = parse_webhook_url(claimed.url)
            secret = decrypt_webhook_secret(self._master_key, wrapped_secret, claimed.domain_id)
            body = json.dumps(body_of(job)).encode()
            post(url, _headers(secret, body, self._clock()), body, private_addresses=self._private_addresses)
        except (DeliveryFailed, DecryptionError, InvalidRequest) as error:
            now = self._clock()
            pause = PAUSES[claimed.attempt - 1] if claimed.attempt <= len(PAUSES) else None
            next_attempt_at = None if pause is None else now + pause
            with self._store.write() as connection:
                webhooks.record_failed(connection, claimed, str(error), next_attempt_at=next_attempt_at, now=now)
            event = "webhook_given_up" if pause is None else "webhook_failed"
            _logger.warning(event, **about, fault=str(error))
            return
        with self._store.write() as connection:
            webhooks.record_delivered(connection, claimed, self._clock())
        _logger.info("webhook_delivered", **about)

    def _run(self) -> None:
        pause_seconds = _POLL_SECONDS
        while not self._closing.wait(pause_seconds):
            pause_seconds = _POLL_SECONDS
            try:
                if self.deliver_next():
                    pause_seconds = 0
            except (Busy, StoreNotWritable, StoreUnreachable) as error:
                _logger.warning("webhooks_wait", fault=str(error))
                pause_seconds = _FAULT_SECONDS
            except Exception:
                # The thread must outlive it, since it calls other receivers too.
                _logger.exception("webhook_fault")
                pause_seconds = _FAULT_SECONDS


def body_of(job: EndedJob) -> Mapping[str, Any]:
    """Build the body: nothing of the file, and no caller's text except the domain's name."""
    members = {
        "Event": "UploadJobEnded",
        "DeliveryId": job.job_id,
        "DomainName": job.domain_name,
        "JobId": job.job_id,
        "Status": job.status,
        "StatusReason": job.status_reason,
        "RecordCount": job.record_count,
        "CreatedRecords": job.created_count,
        "UpdatedRecords": job.updated_count,
        "UnchangedRecords": job.unchanged_count,
        "FailedRecords": job.failed_count,
        "StartedAt": _epoch_seconds(job.started_at),
        "CompletedAt": _epoch_seconds(job.completed_at),
    }
    return {name: value for name, value in members.items() if value is not None}


def _headers(secret: bytes, body: bytes, now: datetime) -> dict[str, str]:
    timestamp = str(to_milliseconds(now) // 1000)
    signature = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "User-Agent": f"openprofiles/{openprofiles.__version__}",
        "x-openprofiles-timestamp": timestamp,
        "x-openprofiles-signature": f"v1={signature}",
    }


def _epoch_seconds(moment: datetime | None) -> float | None:
    return None if moment is None else to_milliseconds(moment) / 1000
