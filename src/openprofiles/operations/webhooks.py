"""The webhook of a domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from openprofiles.member_names import members_of
from openprofiles.operations.call import Call
from openprofiles.operations.registry import own_operation
from openprofiles.uploads import webhooks
from openprofiles.uploads.webhook_url import check_webhook_url

if TYPE_CHECKING:
    from openprofiles.wire import own_types as own


@own_operation("GetWebhook")
def get_webhook(call: Call, request: own.GetWebhookRequest) -> own.Webhook:
    """Return the domain's webhook, without its secret."""
    with call.reading(request["DomainName"]) as session:
        return _members(webhooks.get_webhook(session))


@own_operation("PutWebhook")
def put_webhook(call: Call, request: own.PutWebhookRequest) -> own.Webhook:
    """Set the domain's webhook; return its secret if it was generated."""
    url, secret = request.get("Url"), request.get("Secret")
    private_addresses = call.settings.webhook_private_addresses
    checked = None if url is None else check_webhook_url(url, private_addresses=private_addresses)
    with call.writing(request["DomainName"]) as session:
        webhook, its_secret = webhooks.put_webhook(session, call.master_key, url=checked, secret=secret)
    members = _members(webhook)
    if secret is None:
        members["Secret"] = its_secret
    return members


@own_operation("DeleteWebhook")
def delete_webhook(call: Call, request: own.DeleteWebhookRequest) -> own.NoMembers:
    """Delete the domain's webhook, and drop its pending calls."""
    with call.writing(request["DomainName"]) as session:
        webhooks.delete_webhook(session)
    return {}


def _members(webhook: webhooks.Webhook) -> own.Webhook:
    return cast("own.Webhook", members_of(webhook, "url", "created_at"))
