"""The server of a data folder: at most one, known by a lock that it holds while it lives.

Its address is in ``endpoint.json``. A killed server leaves that file behind, but not the lock, so the file counts only
while the lock is held.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from openprofiles.data_folder import write_private_file
from openprofiles.disk_faults import disk_fault
from openprofiles.lock_files import open_lock_file
from openprofiles.settings import Settings, SettingsError

LOCK_NAME = ".server.lock"
# Someone who only looks holds the lock for a moment, and so does a child of a killed server until it has started.
_PATIENCE_SECONDS = 0.5
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server of a data folder listens."""

    url: str
    pid: int
    region: str


@contextmanager
def only_server(settings: Settings) -> Iterator[None]:
    """Register this process as the data folder's server for the block. The folder must exist.

    Raises:
        SettingsError: another server runs on it.
    """
    descriptor = open_lock_file(settings.data_folder / LOCK_NAME)
    if descriptor is None:
        yield
        return
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _take(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise _already_runs(settings)
            time.sleep(_POLL_SECONDS)
        # That of a server that was killed.
        _remove_endpoint(settings)
        try:
            yield
        finally:
            _remove_endpoint(settings)
    finally:
        os.close(descriptor)


def refuse_second_server(settings: Settings) -> None:
    """Refuse a data folder on which a server runs; make nothing.

    Raises:
        SettingsError: one does; the message has its address.
    """
    if has_server(settings):
        raise _already_runs(settings)


def write_endpoint(settings: Settings, url: str) -> None:
    """Write down where the server listens. The caller is ``only_server``."""
    document = {"url": url, "pid": os.getpid(), "region": settings.region}
    write_private_file(settings.endpoint_path, (json.dumps(document) + "\n").encode())


def find_running_server(settings: Settings) -> Endpoint:
    """Find the server that runs on the data folder at this moment.

    Raises:
        SettingsError: no server runs there, or it does not take requests yet.
    """
    endpoint = _read_endpoint(settings) if has_server(settings) else None
    if endpoint is None:
        raise SettingsError(
            f"No server is running on the data folder {settings.data_folder}. Start one with: openprofiles serve "
            f"--data {shlex.quote(str(settings.data_folder))}"
        )
    return endpoint


def _remove_endpoint(settings: Settings) -> None:
    """Remove the address; on a disk that takes no writes it stays, and without the lock it does not count."""
    try:
        settings.endpoint_path.unlink(missing_ok=True)
    except OSError as error:
        if disk_fault(error) is None:
            raise


def has_server(settings: Settings) -> bool:
    """Return whether a server runs on the data folder at this moment.

    Raises:
        SettingsError: the data folder cannot be read.
    """
    try:
        descriptor = os.open(settings.data_folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise SettingsError(
            f"The data folder {settings.data_folder} cannot be read: {error.strerror}. Name another with --data."
        ) from error
    try:
        return not _take(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _already_runs(settings: Settings) -> SettingsError:
    endpoint = _read_endpoint(settings)
    where = "" if endpoint is None else f" at {endpoint.url} (process {endpoint.pid})"
    return SettingsError(
        f"A server is already running on the data folder {settings.data_folder}{where}. Stop it first, or use "
        "--data to start this server on another folder."
    )


def _read_endpoint(settings: Settings) -> Endpoint | None:
    try:
        document = json.loads(settings.endpoint_path.read_bytes())
        return Endpoint(str(document["url"]), int(document["pid"]), str(document["region"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{settings.endpoint_path} is damaged. Remove it and start the server again.") from error
