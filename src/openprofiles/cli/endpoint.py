"""``--endpoint-url``: the server that a command works through, and what it needs for that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from openprofiles.cli.exit_statuses import CommandFault


def check_endpoint_url(url: str) -> str:
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
def needs_client_packages() -> Iterator[None]:
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
