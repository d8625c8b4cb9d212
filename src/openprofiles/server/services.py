"""The objects that all routes of a server process share."""

from __future__ import annotations

from dataclasses import dataclass

from openprofiles.clock import Clock, utc_now
from openprofiles.credentials.authenticate import Authenticator
from openprofiles.master_key import MasterKey
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
