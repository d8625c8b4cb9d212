"""Describe what an operation refused; if there is no such domain, which one may be meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from openprofiles.cli.exit_statuses import CommandFault, MissingDomain, Refused

if TYPE_CHECKING:
    from openprofiles.store.connections import Store

_NOT_FOUND = "ResourceNotFoundException"
_MISSING_DOMAIN = re.compile(r"Domain (.+) does not exist\.")
_DOMAINS_LOOKED_AT = 1000
_DOMAINS_NAMED = 10


def refusal(code: str, message: str, domain_names: Callable[[], Sequence[str]]) -> CommandFault:
    """Make the error for an operation that refused its request.

    Args:
        domain_names: lists the domains that there are.
    """
    missing = _MISSING_DOMAIN.fullmatch(message) if code == _NOT_FOUND else None
    if missing is None:
        return Refused(message, code)
    return MissingDomain(describe_missing_domain(missing[1], domain_names()))


def describe_missing_domain(name: str, known: Sequence[str]) -> str:
    """Name the domains that may be meant, or else those that there are."""
    from openprofiles.uploads.mappings.likely_names import did_you_mean, names_like

    message = f"There is no domain {name}."
    if like := names_like(name, known):
        return message + did_you_mean(like)
    if not known:
        return message
    rest = " and more" if len(known) > _DOMAINS_NAMED else ""
    return f"{message} The domains are: {', '.join(known[:_DOMAINS_NAMED])}{rest}."


def domain_names(store: Store) -> list[str]:
    """List the first domains of a store."""
    from openprofiles.profiles.domains import list_domains

    page = list_domains(store, is_visible=lambda _: True, max_results=_DOMAINS_LOOKED_AT, next_token=None)
    return [domain.name for domain in page.domains]
