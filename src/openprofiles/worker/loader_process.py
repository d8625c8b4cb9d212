"""The processes in which loaders run, one of them started before there is a job for it.

A loader needs a third of a second to load its libraries, most of the time of a small job. So one is started in advance
while no load runs; a job that comes while another runs, or right after it, starts its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

from openprofiles.worker.loader_arguments import LoaderArguments

LoaderProcess = subprocess.Popen[bytes]


class LoaderProcesses:
    """Starts loaders. Each ends when its standard input is closed, so at the latest with this process."""

    def __init__(self) -> None:
        self._waiting: LoaderProcess | None = None

    def prepare(self) -> LoaderProcess:
        """Start a spare loader, unless one was started already; return it."""
        if self._waiting is None:
            self._waiting = self._start()
        return self._waiting

    def begin(self, arguments: LoaderArguments) -> LoaderProcess:
        """Start the job in the spare loader, or in a new one."""
        process, self._waiting = self._waiting, None
        if process is None or process.poll() is not None:
            if process is not None:
                close_input(process)
            process = self._start()
        assert process.stdin is not None, "it was started with a pipe"
        # If it has died in the meantime, its exit status shows that.
        with suppress(BrokenPipeError):
            process.stdin.write(arguments.to_line())
            process.stdin.flush()
        return process

    def close(self) -> None:
        """End the one that waits."""
        if self._waiting is not None:
            self._waiting.kill()
            self._waiting.wait()
            close_input(self._waiting)
            self._waiting = None

    def _start(self) -> LoaderProcess:
        return subprocess.Popen(
            [sys.executable, "-m", "openprofiles.worker.loader"],
            stdin=subprocess.PIPE,
            # It multiplies no matrices; the threads that numpy keeps for that cost memory and turn idly.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            # Ctrl-C in the terminal is for the worker, which then ends its loaders in order.
            start_new_session=True,
        )


def close_input(process: LoaderProcess) -> None:
    """Close the pipe to a loader that has ended."""
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()
