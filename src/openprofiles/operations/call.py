"""What a handler may touch: nothing else is global."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from openprofiles.master_key import MasterKey
from openprofiles.profiles import session
from openprofiles.settings import Settings
from openprofiles.store.connections import Store


class Principal(Protocol):
    """Who calls. Actions and the domain of the request are authorised before a handler runs."""

    def arn(self, account_id: str, /) -> str:
        """Return the ARN of the caller."""

    def may_see_domain(self, domain_name: str, /) -> bool:
        """Return whether the caller may see a domain; other domains do not exist for it."""

    def may_do(self, action: str, /) -> bool:
        """Return whether the caller may also do this."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation.

    Attributes:
        settings: of the server, or of the command that calls in process.
        store: the profile database.
        read_master_key: returns what the keys of uploaded files and the signatures of upload URLs come from.
        principal: who calls.
        request_id: also in the answer, for logs.
        region: of the caller; part of ARNs.
        now: when the request came, aware, in whole milliseconds.
        base_url: how clients reach this server, without a slash at the end; upload URLs begin with it.
    """

    settings: Settings
    store: Store
    read_master_key: Callable[[], MasterKey]
    principal: Principal
    request_id: str
    region: str
    now: datetime
    base_url: str

    @property
    def master_key(self) -> MasterKey:
        """What the keys of uploaded files come from."""
        return self.read_master_key()

    @property
    def account_id(self) -> str:
        """The account of this server; part of ARNs."""
        return self.settings.account_id

    @property
    def strict(self) -> bool:
        """Whether callers are held to AWS's own limits."""
        return self.settings.compat_strict

    def reading(self, domain_name: str) -> AbstractContextManager[session.Reading]:
        """See ``session.reading``."""
        return session.reading(self.store, domain_name, self.now)

    def writing(self, domain_name: str) -> AbstractContextManager[session.Writing]:
        """See ``session.writing``."""
        actor = self.principal.arn(self.account_id)
        keeps_replaced = self.settings.replaced_values_days > 0
        return session.writing(self.store, domain_name, self.now, actor, keeps_replaced=keeps_replaced)
