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
from contextlib import suppress
from pathlib import Path

_STREAMS = 3
_MOST_BYTES = 1_000_000
_SPACE = socket.CMSG_SPACE(_STREAMS * array.array("i").itemsize)
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
                # A thread that a library starts when it is imported would not live in what is forked.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
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
        pid = int(self._socket.recv(_MOST_BYTES))
        texts = ["", ""]
        threads = [threading.Thread(target=_read_into, args=(texts, i, reader)) for i, reader in enumerate(readers)]
        for thread in threads:
            thread.start()
        has_ended, _, _ = select.select([self._socket], [], [], timeout_seconds)
        if not has_ended:
            os.kill(pid, signal.SIGKILL)
        status = int(self._socket.recv(_MOST_BYTES))
        for thread in threads:
            thread.join()
        if not has_ended:
            raise subprocess.TimeoutExpired(["openprofiles", *arguments], timeout_seconds, *texts)
        return subprocess.CompletedProcess(["openprofiles", *arguments], status, *texts)


class OfferedCommands:
    """A process that forks commands for whichever program names its address; it ends when this process ends."""

    def __init__(self, folder: Path) -> None:
        address = folder / "commands"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with listener:
            listener.bind(str(address))
            listener.listen(16)
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(listener.fileno()), "offer"],
                pass_fds=[listener.fileno()],
                cwd=Path(__file__).parents[1],
                stdin=subprocess.PIPE,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )
        # For the environment of programs, with that of forked loaders.
        self.variables = {"FORKED_COMMANDS": str(address)}

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


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
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in readable:
            break
        connection, _ = listener.accept()
        with connection:
            if os.fork() == 0:
                listener.close()
                order, ancillary, _, _ = connection.recvmsg(_MOST_BYTES, _SPACE)
                _become(array.array("i", ancillary[0][2]), **json.loads(order), connection=connection)
        # The time of a command is counted once it is waited for.
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
    with suppress(ChildProcessError):
        while True:
            os.wait()


def _serve(orders: socket.socket) -> None:
    _import_all()
    while True:
        order, ancillary, _, _ = orders.recvmsg(_MOST_BYTES, _SPACE)
        if not order:
            return
        streams = array.array("i", ancillary[0][2])
        pid = os.fork()
        if pid == 0:
            orders.close()
            _become(streams, **json.loads(order))
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
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.environ.clear()
        os.environ.update(variables)
        os.chdir(folder)
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
            # The shell that started it may have ended.
            with suppress(BrokenPipeError):
                connection.send(str(status).encode())
        os._exit(status)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as opened:
        (_offer if sys.argv[2:] else _serve)(opened)
