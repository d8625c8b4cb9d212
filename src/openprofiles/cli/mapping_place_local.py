"""``openprofiles mappings`` on the store itself: no server, no credentials."""

from __future__ import annotations

from openprofiles.cli.existing_domain import find_domain
from openprofiles.cli.importer import KeptMapping
from openprofiles.cli.mapping_place import MappingName
from openprofiles.clock import utc_now
from openprofiles.settings import Settings
from openprofiles.store.open import open_existing_store
from openprofiles.uploads.mappings import saved_mappings
from openprofiles.uploads.reading.file_choices import FileChoices


class LocalMappings:
    """The mappings of a domain of a store; see ``MappingPlace``."""

    def __init__(self, settings: Settings, domain_name: str) -> None:
        self._domain_name = domain_name
        self._store = open_existing_store(settings)

    def list_names(self) -> list[MappingName]:
        domain = find_domain(self._store, self._domain_name)
        found: list[MappingName] = []
        token: str | None = None
        while True:
            page = saved_mappings.list_mappings(self._store, domain, max_results=None, next_token=token)
            found += [MappingName(one.name, one.updated_at) for one in page.items]
            token = page.next_token
            if token is None:
                return found

    def read(self, name: str) -> KeptMapping:
        found = saved_mappings.get_mapping(self._store, find_domain(self._store, self._domain_name), name)
        return KeptMapping(found.fields, found.unique_key, found.columns, FileChoices.from_json(found.reading))

    def delete(self, name: str) -> None:
        saved_mappings.delete_mapping(self._store, find_domain(self._store, self._domain_name), name, utc_now())

    def close(self) -> None:
        self._store.close()
