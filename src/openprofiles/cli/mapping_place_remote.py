"""``openprofiles mappings --endpoint-url``: through a server, with ``openprofiles.client``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import boto3

from openprofiles.cli.importer import KeptMapping, read_kept_mapping
from openprofiles.cli.mapping_place import MappingName
from openprofiles.cli.server_faults import known_domain, server_errors_in_words
from openprofiles.client import Client
from openprofiles.clock import from_milliseconds

_DEFAULT_REGION = "us-east-1"


class RemoteMappings:
    """The mappings of a domain of a server; see ``MappingPlace``."""

    def __init__(self, endpoint_url: str, domain_name: str) -> None:
        self._endpoint_url = endpoint_url.rstrip("/")
        self._domain_name = domain_name
        session = boto3.Session()
        with server_errors_in_words(self._endpoint_url):
            self._client = session.client(
                "customer-profiles",
                endpoint_url=self._endpoint_url,
                region_name=session.region_name or _DEFAULT_REGION,
            )
            self._own = Client(session, self._endpoint_url)

    def list_names(self) -> list[MappingName]:
        with self._asking():
            return [
                MappingName(one["MappingName"], from_milliseconds(round(one["UpdatedAt"] * 1000)))
                for one in self._own.list_mappings(self._domain_name)
            ]

    def read(self, name: str) -> KeptMapping:
        with self._asking():
            found = self._own.get_mapping(self._domain_name, name)
        return read_kept_mapping(found)

    def delete(self, name: str) -> None:
        with self._asking():
            self._own.delete_mapping(self._domain_name, name)

    def close(self) -> None:
        self._client.close()
        self._own.close()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        with server_errors_in_words(self._endpoint_url), known_domain(self._client, self._domain_name):
            yield
