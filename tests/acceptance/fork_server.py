"""Run a process that forks a child for each connection, and ends when the process that started it ends."""

from __future__ import annotations

import array
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_STREAMS = 3
# How long an order may be.
MOST_BYTES = 1_000_000
# For the process that forks: a thread that a library starts when it is imported would not live in what is forked.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}


class ForkServer:
    """The process that forks. Its module calls ``fork_for_each``."""

    def __init__(self, address: Path, module: str, *arguments: str) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with listener:
            listener.bind(str(address))
            listener.listen(16)
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(listener.fileno()), *arguments],
                pass_fds=[listener.fileno()],
                cwd=Path(__file__).parents[1],
                stdin=subprocess.PIPE,
                env={**os.environ, **ENVIRONMENT},
            )

    def close(self) -> None:
        """End the process, once what it forked has ended."""
        self._process.communicate()


def fork_for_each(listener: socket.socket, become: Callable[[socket.socket], None]) -> None:
    """Fork a child for each connection until standard input ends, then wait for the children.

    Args:
        become: runs in the child with its connection, and never returns.
    """
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in readable:
            break
        connection, _ = listener.accept()
        with connection:
            if os.fork() == 0:
                listener.close()
                become(connection)
        # The time of a child is counted once it is waited for.
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
    with suppress(ChildProcessError):
        while True:
            os.wait()


def receive_order(connection: socket.socket) -> tuple[array.array[int], dict[str, Any]] | None:
    """Return the standard streams and the order of one program, or None at the end of the connection."""
    space = socket.CMSG_SPACE(_STREAMS * array.array("i").itemsize)
    order, ancillary, _, _ = connection.recvmsg(MOST_BYTES, space)
    return (array.array("i", ancillary[0][2]), json.loads(order)) if order else None


def take_over(streams: Iterable[int], variables: Mapping[str, str], folder: str) -> None:
    """Give this process the standard streams, the environment and the folder of the program that it becomes."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)


def send_status(connection: socket.socket, status: int) -> None:
    """Report the exit status to the program that waits for it, unless that program has ended."""
    with suppress(BrokenPipeError):
        connection.send(str(status).encode())
