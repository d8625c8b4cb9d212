"""Calls of core functions, each in a session of its own, as handlers make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Concatenate, ParamSpec, TypeVar

from openprofiles.clock import from_milliseconds
from openprofiles.facts.records import Domain, Profile
from openprofiles.master_key import MasterKey
from openprofiles.profiles import profiles
from openprofiles.profiles.profiles import FoundProfiles, ProfileChange
from openprofiles.profiles.session import Reading, Writing, reading, writing
from openprofiles.store.connections import Store
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs
from openprofiles.uploads.jobs import JobRequest

ACTOR = "arn:aws:iam::000000000000:user/tester"

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class At:
    """Calls at one time."""

    now: datetime

    def read(
        self,
        store: Store,
        domain: Domain | str,
        function: Callable[Concatenate[Reading, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call a function that reads."""
        with reading(store, domain if isinstance(domain, str) else domain.name, self.now) as session:
            return function(session, *args, **kwargs)

    def write(
        self,
        store: Store,
        domain: Domain | str,
        function: Callable[Concatenate[Writing, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call a function that writes."""
        with writing(store, domain if isinstance(domain, str) else domain.name, self.now, ACTOR) as session:
            return function(session, *args, **kwargs)


# Where the time does not matter.
_some_time = At(from_milliseconds(1_780_000_000_123))
read = _some_time.read
write = _some_time.write


def get_domain(store: Store, name: str) -> Domain:
    return read(store, name, lambda session: session.domain)


def create_job(
    store: Store,
    domain: Domain | str,
    master_key: MasterKey,
    request: JobRequest,
    now: datetime,
    *,
    strict: bool = False,
    private_addresses: bool = True,
) -> UploadJob:
    checked = jobs.check_request(request, strict=strict, private_addresses=private_addresses)
    return At(now).write(store, domain, jobs.create_job, master_key, checked)


def create_profile(store: Store, domain_name: str, change: ProfileChange, now: datetime) -> Profile:
    return At(now).write(store, domain_name, profiles.create_profile, change)


def update_profile(
    store: Store,
    domain_name: str,
    profile_id: str,
    change: ProfileChange,
    now: datetime,
    *,
    only_revision: int | None = None,
) -> Profile:
    update = profiles.update_profile
    return At(now).write(store, domain_name, update, profile_id, change, only_revision=only_revision)


def delete_profile(store: Store, domain_name: str, profile_id: str, now: datetime) -> None:
    At(now).write(store, domain_name, profiles.delete_profile, profile_id)


def add_profile_key(
    store: Store, domain_name: str, profile_id: str, key_name: str, values: Sequence[str], now: datetime
) -> None:
    At(now).write(store, domain_name, profiles.add_profile_key, profile_id, key_name, values)


def delete_profile_key(
    store: Store, domain_name: str, profile_id: str, key_name: str, values: Sequence[str], now: datetime
) -> None:
    At(now).write(store, domain_name, profiles.delete_profile_key, profile_id, key_name, values)


def get_profiles(store: Store, domain_name: str, profile_ids: Sequence[str], now: datetime) -> FoundProfiles:
    return At(now).read(store, domain_name, profiles.get_profiles, profile_ids)


def get_profile(store: Store, domain_name: str, profile_id: str, now: datetime) -> Profile:
    return At(now).read(store, domain_name, profiles.get_profile, profile_id)
