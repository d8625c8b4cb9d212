"""The domain that a command names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.missing_domain import describe_missing_domain
from openprofiles.errors import NotFound
from openprofiles.profiles.domains import list_domains
from openprofiles.profiles.session import Reading
from openprofiles.store.connections import Store

_DOMAINS_LOOKED_AT = 1000

AnySession = TypeVar("AnySession", bound=Reading)


@contextmanager
def of_existing_domain(
    store: Store, domain_name: str, session: AbstractContextManager[AnySession]
) -> Iterator[AnySession]:
    """Enter a session.

    Raises:
        CommandFault: there is no such domain; the message names those that may be meant.
    """
    with ExitStack() as entered:
        try:
            found = entered.enter_context(session)
        except NotFound as error:
            raise CommandFault(describe_missing_domain(domain_name, domain_names(store))) from error
        yield found


def domain_names(store: Store) -> list[str]:
    """List the first domains of a store."""
    page = list_domains(store, is_visible=lambda _: True, max_results=_DOMAINS_LOOKED_AT, next_token=None)
    return [domain.name for domain in page.domains]
