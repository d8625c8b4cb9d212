"""Run the program in processes forked from one that has imported everything and opened nothing.

The tests run the program many hundred times, and half of what a short command takes is importing its libraries. What
runs here is ``cli.main.main`` in a process of its own, with its own arguments, environment, folder and standard
streams; only the start of the interpreter is left out. What a test kills, or whose processes it looks at, is started as
a user starts it.
"""

from __future__ import annotations

import array
import atexit
import gc
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
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from acceptance.fork_server import MOST_BYTES, ForkServer, fork_for_each, receive_order, send_status, take_over

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
    """The process that forks, for this process and for any program that names its address.

    It ends when this process ends.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._address = Path(self._folder.name) / "commands"
        self._server = ForkServer(self._address, __name__)
        atexit.register(self._server.close)
        # For the environment of programs that start commands, or servers and workers; with that of forked loaders.
        self.commands = {"FORKED_COMMANDS": str(self._address)}
        self.servers = {"FORKED_SERVERS": str(self._address)}

    def run(
        self, arguments: Sequence[str], variables: Mapping[str, str], timeout_seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run ``openprofiles`` with these arguments to its end.

        Raises:
            subprocess.TimeoutExpired: it did not end in time, and was killed.
        """
        readers, writers = zip(os.pipe(), os.pipe(), strict=True)
        order = {"arguments": list(arguments), "variables": dict(variables), "folder": str(Path.cwd())}
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.connect(str(self._address))
            with Path(os.devnull).open("rb") as nothing:
                streams = array.array("i", [nothing.fileno(), *writers])
                connection.sendmsg([json.dumps(order).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
            for writer in writers:
                os.close(writer)
            texts = ["", ""]
            threads = [threading.Thread(target=_read_into, args=(texts, i, reader)) for i, reader in enumerate(readers)]
            for thread in threads:
                thread.start()
            pid = int(connection.recv(MOST_BYTES))
            has_ended, _, _ = select.select([connection], [], [], timeout_seconds)
            if not has_ended:
                os.kill(pid, signal.SIGKILL)
            status = connection.recv(MOST_BYTES)
        for thread in threads:
            thread.join()
        if not has_ended:
            raise subprocess.TimeoutExpired(["openprofiles", *arguments], timeout_seconds, *texts)
        # Nothing comes from a process that was killed.
        return subprocess.CompletedProcess(["openprofiles", *arguments], int(status or -signal.SIGKILL), *texts)


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


def _serve(listener: socket.socket) -> None:
    _import_all()
    # Otherwise each child would copy what the collector looks at.
    gc.collect()
    gc.freeze()
    fork_for_each(listener, _become)
    # DuckDB's driver would print which of the frozen objects are left.
    gc.unfreeze()


def _become(connection: socket.socket) -> None:
    """Become the program, and never return."""
    status = 1
    try:
        received = receive_order(connection)
        # The program that asked for this one may have been killed before it sent its order.
        if received is None:
            os._exit(status)
        streams, order = received
        take_over(streams, order["variables"], order["folder"])
        connection.send(str(os.getpid()).encode())
        threading.Thread(target=_die_with, args=(connection,), daemon=True).start()
        sys.argv = ["openprofiles", *order["arguments"]]
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
        send_status(connection, status)
        os._exit(status)


def _die_with(connection: socket.socket) -> None:
    """Kill this process when the one that stands for it is killed: nothing but the end comes from there."""
    connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as opened:
        _serve(opened)
