"""The webhook of a domain: the URL to call when an upload job ends, and the secret that signs the calls."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from openprofiles.errors import NotFound
from openprofiles.master_key import MasterKey
from openprofiles.profiles.session import Reading, Writing
from openprofiles.store import webhooks as rows
from openprofiles.uploads.webhook_url import CheckedUrl, WebhookRefused

_PURPOSE = "webhook secret"
_MADE_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Webhook:
    """A domain's webhook as its callers see it.

    Attributes:
        url: None: only jobs that have a URL of their own call one.
    """

    url: str | None
    created_at: datetime


def put_webhook(
    session: Writing, master_key: MasterKey, *, url: CheckedUrl | None, secret: str | None
) -> tuple[Webhook, str]:
    """Set the domain's webhook; it replaces an earlier one.

    Args:
        secret: None has one made.

    Returns:
        The webhook and its secret, which nothing else returns.
    """
    if secret is None:
        secret = secrets.token_hex(_MADE_SECRET_BYTES)
    domain_id = session.domain.domain_id
    wrapped = encrypt_webhook_secret(master_key, secret.encode(), domain_id)
    rows.write_webhook(session.connection, domain_id, url=url, secret=wrapped, now=session.now)
    return Webhook(url, session.now), secret


def get_webhook(session: Reading) -> Webhook:
    """Return the domain's webhook, without its secret.

    Raises:
        NotFound: it has none.
    """
    found = rows.find_webhook(session.connection, session.domain.domain_id)
    if found is None:
        raise _not_found(session)
    return Webhook(found.url, found.created_at)


def delete_webhook(session: Writing) -> None:
    """Delete the domain's webhook, and drop its calls that are still to be made.

    Raises:
        NotFound: it has none.
    """
    if not rows.delete_webhook(session.connection, session.domain.domain_id, session.now):
        raise _not_found(session)


def require_webhook(session: Reading) -> None:
    """Require that the domain has a webhook, whose secret a job's own URL needs.

    Raises:
        WebhookRefused: the domain has no webhook.
    """
    if rows.find_webhook(session.connection, session.domain.domain_id) is None:
        raise WebhookRefused(
            "The domain has no webhook secret to sign with. Set the domain's webhook first (PUT); it needs no Url."
        )


def encrypt_webhook_secret(master_key: MasterKey, secret: bytes, domain_id: int) -> bytes:
    """Encrypt a secret for the store."""
    return master_key.encrypt(_PURPOSE, secret, str(domain_id).encode())


def decrypt_webhook_secret(master_key: MasterKey, wrapped: bytes, domain_id: int) -> bytes:
    """Decrypt a secret that the store keeps."""
    return master_key.decrypt(_PURPOSE, wrapped, str(domain_id).encode())


def _not_found(session: Reading) -> NotFound:
    return NotFound(f"The domain {session.domain.name} has no webhook.")
