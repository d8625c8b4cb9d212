"""Give tests of other projects a running service on an empty store, a boto3 client for it, and files of customers.

pytest loads this module wherever openprofiles is installed, so it imports little until a test uses a fixture.
``docs/testing.md`` is the guide.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from openprofiles.aws_environment import aws_environment, without_proxy

if TYPE_CHECKING:
    import boto3

    from openprofiles.file_load import LoadResult

_REGION = "us-east-1"
_READY = "openprofiles listens on "
_STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Service:
    """A running service of its own, which ends with the tests.

    Attributes:
        endpoint_url: its address on this machine.
        access_key_id, secret_access_key: the key of the administrator, who may do everything.
    """

    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    region_name: str = _REGION

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables with which AWS SDKs and the AWS CLI use this service."""
        return aws_environment(self.endpoint_url, self.access_key_id, self.secret_access_key, self.region_name)

    def session(self) -> boto3.Session:
        """Return a boto3 session with the administrator's key.

        Raises:
            pytest.UsageError: boto3 is not installed.
        """
        try:
            import boto3
        except ImportError:
            raise pytest.UsageError(
                "The fixtures of openprofiles need boto3. Install it: pip install 'openprofiles[client]'"
            ) from None
        return boto3.Session(
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            region_name=self.region_name,
        )


class LoadCustomers(Protocol):
    """Loads a file of customers; see ``load_customers``."""

    def __call__(
        self, path: str | os.PathLike[str], domain: str, *, unique_key: str | None = None, **options: Any
    ) -> LoadResult:
        """Load a file into a domain; the options are those of ``Client.load_file``."""


@pytest.fixture(scope="session")
def openprofiles_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service for all tests, on a free port of this machine; with pytest-xdist, each worker has its own.

    Raises:
        RuntimeError: it has not started; the message has its log.
    """
    folder = tmp_path_factory.mktemp("openprofiles")
    data_folder, log_path = folder / "data", folder / "server.log"
    # A setting in the environment is for another server.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("OPENPROFILES_")}
    command = [sys.executable, "-P", "-m", "openprofiles", "serve", "--data", str(data_folder), "--port", "0"]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            # If the tests are killed, the server stops, because its standard input ends.
            [*command, "--stop-with-parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**variables, "OPENPROFILES_REGION": _REGION},
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.startswith(_READY):
            raise RuntimeError(f"The server has not started. Its log:\n{log_path.read_text(errors='replace')}")
        service = _service(line.removeprefix(_READY).strip(), data_folder)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in without_proxy(service.endpoint_url).items():
                patch.setenv(name, value)
            yield service
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def openprofiles_service(openprofiles_server: Service) -> Service:
    """Return the running service, without any domain."""
    client = _client(openprofiles_server)
    # Each page is the first one of those that are left.
    while names := [domain["DomainName"] for domain in client.list_domains()["Items"]]:
        for name in names:
            client.delete_domain(DomainName=name)
    return openprofiles_server


@pytest.fixture
def customer_profiles(openprofiles_service: Service) -> Any:
    """Return a boto3 client of Customer Profiles for a service without any domain."""
    return _client(openprofiles_service)


@pytest.fixture
def load_customers(openprofiles_service: Service) -> Iterator[LoadCustomers]:
    """Return a function that loads a file of customers, and waits for its end."""
    session = openprofiles_service.session()
    from openprofiles.client import Client

    client = Client(session, openprofiles_service.endpoint_url)

    def load(path: str | os.PathLike[str], domain: str, *, unique_key: str | None = None, **options: Any) -> LoadResult:
        return client.load_file(path, domain, unique_key=unique_key, **{"progress": False, **options})

    yield load
    client.close()


def _service(endpoint_url: str, data_folder: Path) -> Service:
    credential = json.loads((data_folder / "admin-credential.json").read_bytes())
    return Service(endpoint_url, credential["access_key_id"], credential["secret_access_key"])


@cache
def _shared_session(service: Service) -> boto3.Session:
    """Return a session for all clients: reading the description of the API takes 0.2 s."""
    return service.session()


def _client(service: Service) -> Any:
    return _shared_session(service).client("customer-profiles", endpoint_url=service.endpoint_url)
