"""The place of a domain's upload jobs and mappings: the store itself, or a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from openprofiles.cli.exit_statuses import CommandFault

if TYPE_CHECKING:
    from openprofiles.cli.place_local import LocalPlace
    from openprofiles.cli.place_remote import RemotePlace
    from openprofiles.settings import Settings

# A store or a server. Both have the same methods, which ``LocalPlace`` explains; each raises CommandFault or a
# DomainError when it cannot be done. Those that ``openprofiles.client.Client`` has too take and return the same, so the
# code above them knows only the documents of the API.
Place: TypeAlias = "LocalPlace | RemotePlace"

NEW_DOMAIN_EXPIRATION_DAYS = 1098


@dataclass(frozen=True, slots=True)
class ImportDomain:
    """The domain that a file goes to.

    Attributes:
        expiration_days: how long its profiles live after they were last touched.
        was_created: whether it was missing and has been made.
        phone_region: the country (ISO 3166) of its phone numbers without a country code; None if it is not known yet.
    """

    name: str
    expiration_days: int
    was_created: bool
    phone_region: str | None


def open_place(settings: Settings, endpoint_url: str | None, *, for_import: bool = False) -> Place:
    """Open the server at this address, or else the store that the settings name.

    Args:
        for_import: create a store that does not exist, and use it as a worker does.

    Raises:
        CommandFault: there is no store, the address is not one, or a package is missing.
        SettingsError: the store cannot be used.
    """
    if endpoint_url is None:
        from openprofiles.cli.place_local import LocalPlace

        return LocalPlace(settings, for_import=for_import)
    with _needs_client_packages():
        from openprofiles.cli.place_remote import RemotePlace
    return RemotePlace(_check_endpoint_url(endpoint_url))


def _check_endpoint_url(url: str) -> str:
    """Return the address as it was given.

    Raises:
        CommandFault: it is not an address.
    """
    message = f"--endpoint-url {url} is not a valid address. Write an address such as http://127.0.0.1:8420."
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise CommandFault(message) from error
    if not is_address:
        raise CommandFault(message)
    return url


@contextmanager
def _needs_client_packages() -> Iterator[None]:
    """Guard the import of a module that uses boto3, which servers do not need.

    Raises:
        CommandFault: a package is missing; the message says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise CommandFault(
            f"--endpoint-url needs the Python package {error.name}. Install it with: pip install 'openprofiles[client]'"
        ) from error
