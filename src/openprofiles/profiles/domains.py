"""Domains: created, read, changed, listed, tagged and deleted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from openprofiles.errors import InvalidRequest
from openprofiles.pages import read_token, write_token
from openprofiles.profiles import domain_config
from openprofiles.profiles.records import Domain
from openprofiles.store import domains as domain_rows
from openprofiles.store import profiles as profile_rows
from openprofiles.store.connections import Store

MAX_TAGS = 50

_LIST_NAME = "ListDomains"


@dataclass(frozen=True, slots=True)
class DomainPage:
    """One page of a list of domains; ``next_token`` is None on the last."""

    domains: tuple[Domain, ...]
    next_token: str | None


def create_domain(
    store: Store,
    name: str,
    *,
    default_expiration_days: int,
    config: Mapping[str, Any],
    tags: Mapping[str, str],
    phone_region: str,
    now: datetime,
) -> Domain:
    """Create a domain. The name of a deleted domain is free at once.

    Args:
        config: see ``domain_config``.
        phone_region: ISO 3166 country of its phone numbers without a country code; fixed from now on.

    Raises:
        InvalidRequest: a domain of this name exists, or the configuration contradicts itself.
    """
    checked_config = domain_config.new_config(config)
    with store.write() as connection:
        return domain_rows.insert_domain(
            connection,
            name,
            config=checked_config,
            tags=tags,
            default_expiration_days=default_expiration_days,
            phone_region=phone_region,
            now=now,
        )


def get_domain(store: Store, name: str) -> Domain:
    """Return the domain of this name.

    Raises:
        NotFound: the domain does not exist.
    """
    with store.read() as connection:
        return domain_rows.read_domain(connection, name)


def get_domain_with_profile_count(store: Store, name: str, now: datetime) -> tuple[Domain, int]:
    """Return the domain of this name and the number of its unexpired profiles.

    Raises:
        NotFound: the domain does not exist.
    """
    with store.read() as connection:
        domain = domain_rows.read_domain(connection, name)
        expired_count = profile_rows.count_expired_profiles(connection, domain.domain_id, now)
        return domain, domain.profile_count - expired_count


def get_indexed_paths(store: Store, domain: Domain) -> frozenset[str]:
    """Return the fields, other than standard keys, by which upload jobs find profiles."""
    with store.read() as connection:
        return domain_rows.read_indexed_paths(connection, domain.domain_id)


def update_domain(
    store: Store,
    name: str,
    *,
    default_expiration_days: int | None,
    config: Mapping[str, Any],
    tags: Mapping[str, str] | None,
    now: datetime,
) -> Domain:
    """Change the given settings and keep the others.

    A new expiration applies to later writes. Tags replace the old ones.

    Raises:
        NotFound: there is no such domain.
        InvalidRequest: the configuration contradicts itself, or would switch the data store off.
    """
    with store.write() as connection:
        before = domain_rows.read_domain(connection, name, for_change=True)
        after = dataclasses.replace(
            before,
            default_expiration_days=default_expiration_days or before.default_expiration_days,
            config=domain_config.changed_config(before.config, config),
            tags=before.tags if tags is None else tags,
            updated_at=now,
        )
        domain_rows.update_domain(connection, after)
        return after


def list_domains(
    store: Store, *, is_visible: Callable[[str], bool], max_results: int, next_token: str | None
) -> DomainPage:
    """List one page of the domains that the caller may see, by name.

    Args:
        is_visible: whether the caller may see the domain of a name. A page is full although others lie between.

    Raises:
        InvalidRequest: the token is not one of this list's.
    """
    last_name = "" if next_token is None else str(read_token(_LIST_NAME, next_token, (str,))[0])
    visible: list[Domain] = []
    with store.read() as connection:
        while batch := domain_rows.read_domains(connection, last_name, max_results + 1):
            visible += [domain for domain in batch if is_visible(domain.name)]
            if len(visible) > max_results:
                page = tuple(visible[:max_results])
                return DomainPage(page, write_token(_LIST_NAME, [page[-1].name]))
            last_name = batch[-1].name
    return DomainPage(tuple(visible), None)


def delete_domain(store: Store, name: str, now: datetime) -> None:
    """Delete a domain, free its name, and ask its running upload job to stop.

    The worker removes the data later, in ``store.removal.remove_deleted_domain_step``.

    Raises:
        NotFound: there is no such domain.
    """
    with store.write() as connection:
        domain = domain_rows.read_domain(connection, name, for_change=True)
        domain_rows.mark_deleted(connection, domain.domain_id, now)


def tag_domain(store: Store, name: str, tags: Mapping[str, str]) -> None:
    """Add tags, or change the values of existing ones.

    Raises:
        NotFound: there is no such domain.
        InvalidRequest: it would have more than 50 tags.
    """
    with store.write() as connection:
        domain = domain_rows.read_domain(connection, name, for_change=True)
        merged = {**domain.tags, **tags}
        if len(merged) > MAX_TAGS:
            raise InvalidRequest(
                f"Domain {name} would have {len(merged)} tags; a resource has at most {MAX_TAGS}. Remove some first."
            )
        # LastUpdatedAt stays: a tag is not part of the configuration. Our choice; AWS does not say.
        domain_rows.update_domain(connection, dataclasses.replace(domain, tags=merged))


def untag_domain(store: Store, name: str, tag_keys: Collection[str]) -> None:
    """Remove tags; unknown keys are ignored.

    Raises:
        NotFound: there is no such domain.
    """
    with store.write() as connection:
        domain = domain_rows.read_domain(connection, name, for_change=True)
        kept = {key: value for key, value in domain.tags.items() if key not in tag_keys}
        domain_rows.update_domain(connection, dataclasses.replace(domain, tags=kept))
