"""What a handler may touch: nothing else is global."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from openprofiles.master_key import MasterKey
from openprofiles.profiles import session
from openprofiles.store.connections import Store


class Principal(Protocol):
    """Who calls. Actions and the domain of the request are authorised before a handler runs."""

    def arn(self, account_id: str, /) -> str:
        """Return the ARN of the caller."""

    def may_see_domain(self, domain_name: str, /) -> bool:
        """Return whether the caller may see a domain; other domains do not exist for it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation.

    Attributes:
        store: the profile database.
        master_key: what the keys of uploaded files and the signatures of upload URLs come from.
        principal: who calls.
        request_id: also in the answer, for logs.
        region: of the caller's signature; part of ARNs.
        account_id: of this server; part of ARNs.
        now: when the request came, aware, in whole milliseconds.
        phone_region: country (ISO 3166) whose phone numbers a new domain reads without a country code.
        base_url: how clients reach this server, without a slash at the end; upload URLs begin with it.
        upload_url_lifetime_seconds: how long an upload URL can be used to begin the upload.
        strict: hold callers to AWS's own limits.
        keeps_replaced: whether the log of changes keeps the values that are replaced.
    """

    store: Store
    master_key: MasterKey
    principal: Principal
    request_id: str
    region: str
    account_id: str
    now: datetime
    phone_region: str
    base_url: str
    upload_url_lifetime_seconds: int
    strict: bool
    keeps_replaced: bool

    def reading(self, domain_name: str) -> AbstractContextManager[session.Reading]:
        """See ``session.reading``."""
        return session.reading(self.store, domain_name, self.now)

    def writing(self, domain_name: str) -> AbstractContextManager[session.Writing]:
        """See ``session.writing``."""
        actor = self.principal.arn(self.account_id)
        return session.writing(self.store, domain_name, self.now, actor, keeps_replaced=self.keeps_replaced)
