"""Run commands in processes forked from one that has imported everything and opened nothing.

The tests run the program many hundred times, and half of what a short command takes is importing its libraries. What
runs here is ``cli.main.main`` in a process of its own, with its own arguments, environment, folder and standard
streams; only the start of the interpreter is left out. Servers, workers, loaders and whatever a test signals or kills
are started as a user starts them.
"""

from __future__ import annotations

import array
import atexit
import importlib
import json
import locale
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from acceptance.fork_server import (
    ENVIRONMENT,
    MOST_BYTES,
    ForkServer,
    fork_for_each,
    receive_order,
    send_status,
    take_over,
)

# What the commands import when they need it.
_IMPORTED_LATER = (
    "openprofiles.store.sqlite",
    "openprofiles.store.postgresql",
    "openprofiles.uploads.reading.file_sample",
    "boto3",
    "ctypes",
    "phonenumbers",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.dialects.postgresql",
)
# What an interpreter looks at when it starts, and nothing later.
_OF_THE_START = ("PYTHON", "LC_", "LANG")


def can_fork(variables: Mapping[str, str]) -> bool:
    """Return whether this environment starts the interpreter as this process's environment does."""
    return all(
        variables.get(name) == os.environ.get(name)
        for name in variables.keys() | os.environ.keys()
        if name.startswith(_OF_THE_START)
    )


class ForkedCommands:
    """The process that forks. It ends when this process ends."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).parents[1],
                env={**os.environ, **ENVIRONMENT},
            )
        atexit.register(self.close)

    def close(self) -> None:
        """End the process."""
        self._socket.close()
        self._process.wait()

    def run(
        self, arguments: Sequence[str], variables: Mapping[str, str], timeout_seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run ``openprofiles`` with these arguments to its end.

        Raises:
            subprocess.TimeoutExpired: it did not end in time, and was killed.
        """
        readers, writers = zip(os.pipe(), os.pipe(), strict=True)
        order = {"arguments": list(arguments), "variables": dict(variables), "folder": str(Path.cwd())}
        with Path(os.devnull).open("rb") as nothing:
            streams = array.array("i", [nothing.fileno(), *writers])
            self._socket.sendmsg([json.dumps(order).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        for writer in writers:
            os.close(writer)
        pid = int(self._socket.recv(MOST_BYTES))
        texts = ["", ""]
        threads = [threading.Thread(target=_read_into, args=(texts, i, reader)) for i, reader in enumerate(readers)]
        for thread in threads:
            thread.start()
        has_ended, _, _ = select.select([self._socket], [], [], timeout_seconds)
        if not has_ended:
            os.kill(pid, signal.SIGKILL)
        status = int(self._socket.recv(MOST_BYTES))
        for thread in threads:
            thread.join()
        if not has_ended:
            raise subprocess.TimeoutExpired(["openprofiles", *arguments], timeout_seconds, *texts)
        return subprocess.CompletedProcess(["openprofiles", *arguments], status, *texts)


class OfferedCommands:
    """A process that forks commands for whichever program names its address; it ends when this process ends."""

    def __init__(self, folder: Path) -> None:
        address = folder / "commands"
        self._server = ForkServer(address, __name__, "offer")
        # For the environment of programs, with that of forked loaders.
        self.variables = {"FORKED_COMMANDS": str(address)}

    def close(self) -> None:
        """End the process."""
        self._server.close()


def _read_into(texts: list[str], index: int, reader: int) -> None:
    with open(reader, encoding=locale.getpreferredencoding(do_setlocale=False)) as stream:
        texts[index] = stream.read()


def _import_all() -> None:
    for package in ("cli", "server", "worker"):
        for module in pkgutil.iter_modules(importlib.import_module(f"openprofiles.{package}").__path__):
            # Those are programs of their own.
            if module.name != "loader":
                importlib.import_module(f"openprofiles.{package}.{module.name}")
    for name in _IMPORTED_LATER:
        importlib.import_module(name)
    assert threading.active_count() == 1


def _offer(listener: socket.socket) -> None:
    _import_all()
    fork_for_each(listener, _become_offered)


def _become_offered(connection: socket.socket) -> None:
    received = receive_order(connection)
    # The program may have been killed before it sent its order.
    if received is None:
        os._exit(1)
    streams, order = received
    _become(streams, **order, connection=connection)


def _serve(orders: socket.socket) -> None:
    _import_all()
    while received := receive_order(orders):
        streams, order = received
        pid = os.fork()
        if pid == 0:
            orders.close()
            _become(streams, **order)
        for stream in streams:
            os.close(stream)
        orders.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        orders.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(
    streams: Sequence[int],
    arguments: list[str],
    variables: dict[str, str],
    folder: str,
    connection: socket.socket | None = None,
) -> None:
    """Become the program, and never return.

    Args:
        connection: gets the exit status.
    """
    status = 1
    try:
        take_over(streams, variables, folder)
        sys.argv = ["openprofiles", *arguments]
        from openprofiles.cli.main import main

        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 (an interpreter prints it, whatever it is)
        traceback.print_exc()
    finally:
        # As an interpreter ends.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        if connection is not None:
            send_status(connection, status)
        os._exit(status)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as opened:
        (_offer if sys.argv[2:] else _serve)(opened)
