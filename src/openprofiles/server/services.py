"""The objects that all routes of a server process share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from openprofiles.clock import Clock, utc_now
from openprofiles.credentials.authenticate import Authenticator
from openprofiles.credentials.principal import Principal
from openprofiles.master_key import MasterKey
from openprofiles.profiles.session import Reading, Writing, reading, writing
from openprofiles.server.metrics import Metrics
from openprofiles.settings import Settings
from openprofiles.store.connections import Store
from openprofiles.uploads.arrival.files import Files


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that handlers work with; all may be used from any thread."""

    settings: Settings
    store: Store
    master_key: MasterKey
    files: Files
    authenticator: Authenticator
    metrics: Metrics
    clock: Clock = utc_now

    def reading(self, domain_name: str) -> AbstractContextManager[Reading]:
        """See ``session.reading``."""
        return reading(self.store, domain_name, self.clock())

    def writing(self, domain_name: str, principal: Principal) -> AbstractContextManager[Writing]:
        """See ``session.writing``."""
        actor = principal.arn(self.settings.account_id)
        keeps_replaced = self.settings.replaced_values_days > 0
        return writing(self.store, domain_name, self.clock(), actor, keeps_replaced=keeps_replaced)
