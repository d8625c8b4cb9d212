"""The webhook of a domain: whom to tell when an upload job ends, and the secret that what is told is signed with."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.master_key import MasterKey
from openprofiles.profiles.records import Domain
from openprofiles.store import webhooks as rows
from openprofiles.store.connections import Connection, Store
from openprofiles.store.domains import read_domain
from openprofiles.uploads.webhook_url import WebhookRefused, check_webhook_url

_PURPOSE = "webhook secret"
_MADE_SECRET_BYTES = 32
_SECRET = re.compile(r"[\x20-\x7e]{16,256}")


@dataclass(frozen=True, slots=True)
class Webhook:
    """A domain's webhook as its callers see it.

    Attributes:
        url: None: only jobs that have a URL of their own are told of.
    """

    url: str | None
    created_at: datetime


def put_webhook(
    store: Store,
    master_key: MasterKey,
    domain: Domain,
    *,
    url: str | None,
    secret: str | None,
    private_addresses: bool,
    now: datetime,
) -> tuple[Webhook, str]:
    """Set the domain's webhook, in place of the one that it has.

    Args:
        secret: None has one made.
        private_addresses: whether the URL may lead to addresses that are not of the open Internet.

    Returns:
        It and its secret, which is told by nothing else.

    Raises:
        InvalidRequest: the URL or the secret cannot be used.
        NotFound: the domain was deleted.
    """
    if url is not None:
        check_webhook_url(url, private_addresses=private_addresses)
    if secret is None:
        secret = secrets.token_hex(_MADE_SECRET_BYTES)
    elif not _SECRET.fullmatch(secret):
        raise InvalidRequest("The webhook's Secret must have 16 to 256 printable characters of ASCII.")
    with store.write() as connection:
        if read_domain(connection, domain.name, for_change=True).domain_id != domain.domain_id:
            raise NotFound(f"Domain {domain.name} was deleted a moment ago.")
        wrapped = encrypt_webhook_secret(master_key, secret.encode(), domain.domain_id)
        rows.write_webhook(connection, domain.domain_id, url=url, secret=wrapped, now=now)
    return Webhook(url, now), secret


def get_webhook(store: Store, domain: Domain) -> Webhook:
    """The domain's webhook, without its secret.

    Raises:
        NotFound: it has none.
    """
    with store.read() as connection:
        found = rows.find_webhook(connection, domain.domain_id)
    if found is None:
        raise _not_found(domain)
    return Webhook(found.url, found.created_at)


def delete_webhook(store: Store, domain: Domain, *, now: datetime) -> None:
    """Tell nobody any more: neither of jobs that end from now on, nor what was not told yet.

    Raises:
        NotFound: it has none.
    """
    with store.write() as connection:
        if not rows.delete_webhook(connection, domain.domain_id, now):
            raise _not_found(domain)


def require_webhook(connection: Connection, domain_id: int) -> None:
    """A job that has a URL of its own needs the secret of its domain.

    Raises:
        WebhookRefused: there is none.
    """
    if rows.find_webhook(connection, domain_id) is None:
        raise WebhookRefused(
            "The domain has no webhook secret to sign with. PUT a webhook of the domain first; it needs no Url."
        )


def encrypt_webhook_secret(master_key: MasterKey, secret: bytes, domain_id: int) -> bytes:
    """What the store keeps of a secret."""
    return master_key.encrypt(_PURPOSE, secret, str(domain_id).encode())


def decrypt_webhook_secret(master_key: MasterKey, wrapped: bytes, domain_id: int) -> bytes:
    """The secret, from what the store keeps of it."""
    return master_key.decrypt(_PURPOSE, wrapped, str(domain_id).encode())


def _not_found(domain: Domain) -> NotFound:
    return NotFound(f"The domain {domain.name} has no webhook.")
