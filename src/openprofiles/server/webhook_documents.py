"""A domain's webhook and what became of a delivery, as JSON."""

from __future__ import annotations

from typing import Any

from openprofiles.clock import to_epoch_seconds
from openprofiles.server.json_bodies import members, read_json, text, without_none
from openprofiles.store.webhooks import Delivery
from openprofiles.uploads.webhook_url import host_of
from openprofiles.uploads.webhooks import Webhook

_MEMBERS = ("Url", "Secret")


def read_webhook_document(body: bytes) -> tuple[str | None, str | None]:
    """The URL and the secret that a request sends.

    Raises:
        WireError: it is no JSON object, or has a member that is not known or no string; the message names it.
    """
    document = members("The body", read_json(body), _MEMBERS)
    for name, value in document.items():
        text(name, value)
    return document.get("Url"), document.get("Secret")


def webhook_document(webhook: Webhook) -> dict[str, Any]:
    """A domain's webhook, without its secret."""
    return {"Url": webhook.url, "CreatedAt": to_epoch_seconds(webhook.created_at)}


def delivery_document(delivery: Delivery) -> dict[str, Any]:
    """What became of telling a job's end. Of the URL, which may hold a token, the host alone."""
    return without_none(
        {
            "Host": host_of(delivery.url),
            "Delivered": delivery.delivered_at is not None,
            "Attempts": delivery.attempts,
            "NextAttemptAt": to_epoch_seconds(delivery.next_attempt_at),
            "LastError": delivery.last_error,
            "DeliveredAt": to_epoch_seconds(delivery.delivered_at),
            "GivenUpAt": to_epoch_seconds(delivery.given_up_at),
        }
    )
