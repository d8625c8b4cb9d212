"""Verify a request's signature against the credentials in the store."""

from __future__ import annotations

import hmac
import threading
import time
from dataclasses import dataclass

from openprofiles.clock import Clock, utc_now
from openprofiles.credentials.administer import reveal_secret
from openprofiles.credentials.principal import Principal
from openprofiles.credentials.throttle import MonotonicClock, TokenBucket
from openprofiles.master_key import MasterKey
from openprofiles.store.connections import Store
from openprofiles.store.credentials import find_credential
from openprofiles.wire.errors import WireError
from openprofiles.wire.signature import SignedRequest, verify, verify_head

# How long a revoked credential may still be used, and how often a busy one is read from the store.
CACHE_LIFETIME_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    secret: str
    bucket: TokenBucket | None
    read_at: float


class Authenticator:
    """Verifies signatures. Keeps what it read of a credential for a second, so that a request costs no query; a revoked
    credential is therefore refused within a second. May be used from any thread.
    """

    def __init__(
        self,
        store: Store,
        master_key: MasterKey,
        *,
        clock: Clock = utc_now,
        monotonic_clock: MonotonicClock = time.monotonic,
    ) -> None:
        self._store = store
        self._master_key = master_key
        self._clock = clock
        self._monotonic_clock = monotonic_clock
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def authenticate(self, request: SignedRequest) -> Principal:
        """Return the owner of the credential that signed the request.

        Raises:
            WireError: as ``signature.verify``; ThrottlingException when the credential is over its rate.
        """
        found: _Known | None = None

        def secret_of(access_key_id: str) -> str | None:
            nonlocal found
            found = self._find(access_key_id)
            return None if found is None else found.secret

        verify(request, secret_of, self._clock())
        assert found is not None
        # Only good signatures count, or anyone could use up somebody else's rate.
        _count(found)
        return found.principal

    def check_head(self, request: SignedRequest) -> None:
        """Refuse a request by its head alone, if no body could make it good.

        Raises:
            WireError: as ``signature.verify``.
        """

        def secret_of(access_key_id: str) -> str | None:
            found = self._find(access_key_id)
            return None if found is None else found.secret

        verify_head(request, secret_of, self._clock())

    def find_principal(self, access_key_id: str, *, is_counted: bool = True) -> Principal | None:
        """Return the owner of an already verified credential; None if it was revoked since.

        Args:
            is_counted: whether this is one of the requests that the credential's rate allows.

        Raises:
            WireError: ThrottlingException, as ``authenticate``.
        """
        found = self._find(access_key_id)
        if found is None:
            return None
        if is_counted:
            _count(found)
        return found.principal

    def check_secret(self, access_key_id: str, secret: str) -> Principal | None:
        """Return the owner of a credential if this is its secret."""
        found = self._find(access_key_id)
        if found is None or not hmac.compare_digest(found.secret.encode(), secret.encode()):
            return None
        return found.principal

    def _find(self, access_key_id: str) -> _Known | None:
        now = self._monotonic_clock()
        known = self._known.get(access_key_id)
        if known is not None and now - known.read_at < CACHE_LIFETIME_SECONDS:
            return known
        with self._store.read() as connection:
            stored = find_credential(connection, access_key_id)
        with self._lock:
            if stored is None or stored.revoked_at is not None:
                # Unknown ids are not kept: anyone could fill the memory with them.
                self._known.pop(access_key_id, None)
                return None
            known = self._known.get(access_key_id)
            bucket = known.bucket if known else None
            if bucket is None and stored.requests_per_second is not None:
                bucket = TokenBucket(stored.requests_per_second, self._monotonic_clock)
            principal = Principal(access_key_id, stored.name, stored.actions, stored.domains)
            self._known[access_key_id] = _Known(principal, reveal_secret(stored, self._master_key), bucket, now)
            return self._known[access_key_id]


def _count(known: _Known) -> None:
    if known.bucket is not None and not known.bucket.take():
        raise WireError(
            "ThrottlingException",
            f"The credential {known.principal.access_key_id} is limited to {known.bucket.requests_per_second:g} "
            "requests per second. Try again shortly.",
        )
