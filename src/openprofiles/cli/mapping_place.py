"""What ``openprofiles mappings`` needs from the place of a domain's mappings: the store, or a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from openprofiles.cli.endpoint import check_endpoint_url, needs_client_packages
from openprofiles.cli.importer import KeptMapping

if TYPE_CHECKING:
    from openprofiles.settings import Settings


@dataclass(frozen=True, slots=True)
class MappingName:
    """A mapping by its name, and when it was last saved."""

    name: str
    saved_at: datetime


class MappingPlace(Protocol):
    """The mappings of one domain. Each method raises CommandFault or DomainError when it cannot be done."""

    def list_names(self) -> list[MappingName]:
        """List all mappings, by name."""

    def read(self, name: str) -> KeptMapping:
        """Read the mapping of this name."""

    def delete(self, name: str) -> None:
        """Delete the mapping of this name."""

    def close(self) -> None:
        """Close the store or the connections."""


@contextmanager
def open_mapping_place(settings: Settings, endpoint_url: str | None, domain: str) -> Iterator[MappingPlace]:
    """Open the mappings of the domain, on a server or in the store.

    Raises:
        CommandFault: there is no store, the address is not one, or a package is missing.
        SettingsError: the store cannot be used.
    """
    place: MappingPlace
    if endpoint_url is None:
        from openprofiles.cli.mapping_place_local import LocalMappings

        place = LocalMappings(settings, domain)
    else:
        with needs_client_packages():
            from openprofiles.cli.mapping_place_remote import RemoteMappings
        place = RemoteMappings(check_endpoint_url(endpoint_url), domain)
    try:
        yield place
    finally:
        place.close()
