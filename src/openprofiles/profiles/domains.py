"""Domains: created, read, changed, listed, tagged and deleted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from openprofiles.errors import InvalidRequest
from openprofiles.facts import domain_config
from openprofiles.facts.records import Domain
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.session import Reading, Writing
from openprofiles.store import domains as domain_rows
from openprofiles.store import profile_words
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

    It takes the store, since no session can be in a domain that does not exist.

    Args:
        config: see ``domain_config``.
        phone_region: ISO 3166 country of its phone numbers without a country code; fixed from now on.

    Raises:
        InvalidRequest: a domain of this name exists, or the configuration contradicts itself.
    """
    checked_config = domain_config.new_config(config)
    with store.write() as connection:
        made = domain_rows.insert_domain(
            connection,
            name,
            config=checked_config,
            tags=tags,
            default_expiration_days=default_expiration_days,
            phone_region=phone_region,
            now=now,
        )
        profile_words.follow_domain(connection, made.domain_id, now)
        return made


def count_profiles(session: Reading) -> int:
    """Count the profiles of a domain that have not expired."""
    domain = session.domain
    return domain.profile_count - profile_rows.count_expired_profiles(session.connection, domain.domain_id, session.now)


def get_indexed_paths(session: Reading) -> frozenset[str]:
    """Return the fields, other than standard keys, by which upload jobs find profiles."""
    return domain_rows.read_indexed_paths(session.connection, session.domain.domain_id)


def update_domain(
    session: Writing,
    *,
    default_expiration_days: int | None = None,
    config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Domain:
    """Change the given settings and keep the others.

    A new expiration applies to later writes. Tags replace the old ones.

    Raises:
        InvalidRequest: the configuration contradicts itself, or would switch the data store off.
    """
    before = session.domain
    after = dataclasses.replace(
        before,
        default_expiration_days=default_expiration_days or before.default_expiration_days,
        config=domain_config.changed_config(before.config, config or {}),
        tags=before.tags if tags is None else tags,
        updated_at=session.now,
    )
    domain_rows.update_domain(session.connection, after)
    return after


def list_domains(
    store: Store, *, is_visible: Callable[[str], bool], max_results: int, next_token: str | None
) -> DomainPage:
    """List one page of the domains that the caller may see, by name.

    It takes the store, since a session is in one domain.

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


def delete_domain(session: Writing) -> None:
    """Delete a domain, free its name, and ask its running jobs to stop.

    The worker removes the data later, in ``store.removal.remove_deleted_domain_step``.
    """
    domain_rows.mark_deleted(session.connection, session.domain.domain_id, session.now)


def tag_domain(session: Writing, tags: Mapping[str, str]) -> None:
    """Add tags, or change the values of existing ones.

    Raises:
        InvalidRequest: the domain would have more than 50 tags.
    """
    domain = session.domain
    merged = {**domain.tags, **tags}
    if len(merged) > MAX_TAGS:
        raise InvalidRequest(
            f"Domain {domain.name} would have {len(merged)} tags; a resource has at most {MAX_TAGS}. Remove some first."
        )
    # LastUpdatedAt stays: a tag is not part of the configuration. Our choice; AWS does not say.
    domain_rows.update_domain(session.connection, dataclasses.replace(domain, tags=merged))


def untag_domain(session: Writing, tag_keys: Collection[str]) -> None:
    """Remove tags; unknown keys are ignored."""
    kept = {key: value for key, value in session.domain.tags.items() if key not in tag_keys}
    domain_rows.update_domain(session.connection, dataclasses.replace(session.domain, tags=kept))
