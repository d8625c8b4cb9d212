"""Sessions: a signed cookie that names a credential, and a token that each form repeats.

The cookie holds no secret. Permissions are looked up with each request, so a revoked credential loses access at once.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from openprofiles.clock import from_milliseconds, to_milliseconds
from openprofiles.master_key import MasterKey
from openprofiles.settings import Settings

COOKIE = "openprofiles_session"
CSRF_HEADER = "x-csrf-token"
LIFETIME = timedelta(hours=12)

_PURPOSE = "console session"
_CSRF_PURPOSE = "console form"
_NONCE_BYTES = 16
_SIGNATURE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """The session of somebody who has signed in.

    Attributes:
        csrf_token: repeated by each form of this session, so that no other site can send one.
    """

    access_key_id: str
    ends_at: datetime
    csrf_token: str


def make_cookie(master_key: MasterKey, access_key_id: str, now: datetime) -> str:
    """Make the cookie of a new session."""
    nonce = secrets.token_hex(_NONCE_BYTES)
    payload = json.dumps([access_key_id, to_milliseconds(now + LIFETIME), nonce]).encode()
    return base64.urlsafe_b64encode(master_key.sign(_PURPOSE, payload) + payload).decode()


def read_cookie(master_key: MasterKey, value: str, now: datetime) -> Session | None:
    """Return the session of a cookie; None if it is not valid."""
    try:
        content = base64.urlsafe_b64decode(value.encode())
    except (binascii.Error, ValueError):
        return None
    signature, payload = content[:_SIGNATURE_BYTES], content[_SIGNATURE_BYTES:]
    if not master_key.verify_signature(_PURPOSE, payload, signature):
        return None
    access_key_id, ends_at_ms, _nonce = json.loads(payload)
    ends_at = from_milliseconds(ends_at_ms)
    if ends_at <= now:
        return None
    return Session(access_key_id, ends_at, master_key.sign(_CSRF_PURPOSE, payload).hex())


def is_from_here(settings: Settings, headers: Headers) -> bool:
    """Return whether one of our own pages sends this, according to the browser.

    Every current browser sends one of these headers; without them it is not a browser.
    """
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or is_own_host(settings, headers, origin)


def is_own_host(settings: Settings, headers: Headers, address: str) -> bool:
    """Return whether an address is of this server."""
    # A proxy may put another Host into the request than the browser sent.
    own = {headers.get("host"), urlsplit(settings.public_url or "").netloc} - {"", None}
    try:
        return urlsplit(address).netloc in own
    except ValueError:
        # Such as http://[, which no browser sends.
        return False


def is_csrf_token(session: Session, given: str) -> bool:
    """Return whether a form or script of this session sent this token."""
    return secrets.compare_digest(session.csrf_token.encode(), given.encode())
