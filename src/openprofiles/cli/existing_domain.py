"""The domain that a command names."""

from __future__ import annotations

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.missing_domain import describe_missing_domain
from openprofiles.errors import NotFound
from openprofiles.profiles.domains import get_domain, list_domains
from openprofiles.profiles.records import Domain
from openprofiles.store.connections import Store

_DOMAINS_LOOKED_AT = 1000


def find_domain(store: Store, name: str) -> Domain:
    """Find the domain of this name.

    Raises:
        CommandFault: there is none; the message names those that may be meant.
    """
    try:
        return get_domain(store, name)
    except NotFound as error:
        raise CommandFault(describe_missing_domain(name, domain_names(store))) from error


def domain_names(store: Store) -> list[str]:
    """List the first domains of a store."""
    page = list_domains(store, is_visible=lambda _: True, max_results=_DOMAINS_LOOKED_AT, next_token=None)
    return [domain.name for domain in page.domains]
