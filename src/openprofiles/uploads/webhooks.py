"""The webhook of a domain: the URL to call when an upload job ends, and the secret that signs the calls."""

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
        url: None: only jobs that have a URL of their own call one.
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
    """Set the domain's webhook; it replaces an earlier one.

    Args:
        secret: None has one made.
        private_addresses: whether the URL may lead to addresses that are not of the open Internet.

    Returns:
        The webhook and its secret, which nothing else returns.

    Raises:
        InvalidRequest: the URL or the secret cannot be used.
        NotFound: the domain was deleted.
    """
    if url is not None:
        check_webhook_url(url, private_addresses=private_addresses)
    if secret is None:
        secret = secrets.token_hex(_MADE_SECRET_BYTES)
    elif not _SECRET.fullmatch(secret):
        raise InvalidRequest("The webhook's Secret must have 16 to 256 printable ASCII characters.")
    with store.write() as connection:
        if read_domain(connection, domain.name, for_change=True).domain_id != domain.domain_id:
            raise NotFound(f"Domain {domain.name} was just deleted.")
        wrapped = encrypt_webhook_secret(master_key, secret.encode(), domain.domain_id)
        rows.write_webhook(connection, domain.domain_id, url=url, secret=wrapped, now=now)
    return Webhook(url, now), secret


def get_webhook(store: Store, domain: Domain) -> Webhook:
    """Return the domain's webhook, without its secret.

    Raises:
        NotFound: it has none.
    """
    with store.read() as connection:
        found = rows.find_webhook(connection, domain.domain_id)
    if found is None:
        raise _not_found(domain)
    return Webhook(found.url, found.created_at)


def delete_webhook(store: Store, domain: Domain, *, now: datetime) -> None:
    """Delete the domain's webhook, and drop its calls that are still to be made.

    Raises:
        NotFound: it has none.
    """
    with store.write() as connection:
        if not rows.delete_webhook(connection, domain.domain_id, now):
            raise _not_found(domain)


def require_webhook(connection: Connection, domain_id: int) -> None:
    """Require that the domain has a webhook, whose secret a job's own URL needs.

    Raises:
        WebhookRefused: the domain has no webhook.
    """
    if rows.find_webhook(connection, domain_id) is None:
        raise WebhookRefused(
            "The domain has no webhook secret to sign with. Set the domain's webhook first (PUT); it needs no Url."
        )


def encrypt_webhook_secret(master_key: MasterKey, secret: bytes, domain_id: int) -> bytes:
    """Encrypt a secret for the store."""
    return master_key.encrypt(_PURPOSE, secret, str(domain_id).encode())


def decrypt_webhook_secret(master_key: MasterKey, wrapped: bytes, domain_id: int) -> bytes:
    """Decrypt a secret that the store keeps."""
    return master_key.decrypt(_PURPOSE, wrapped, str(domain_id).encode())


def _not_found(domain: Domain) -> NotFound:
    return NotFound(f"The domain {domain.name} has no webhook.")
