"""Keep worker processes running next to the server: the API process never runs a job itself.

A worker learns of its server's death, however sudden, by the end of its standard input: the kernel closes the pipe.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

from openprofiles.logs import EventLogger

logger = EventLogger("openprofiles.server.supervise")

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
# A worker that ran this long is restarted without the longer pause of earlier crashes.
_STABLE_SECONDS = 10.0


class Supervisor:
    """Starts processes of one command and restarts each when it ends, after 0.2 to 5 seconds.

    Args:
        command: must end when its standard input ends, and at SIGTERM.
        count: how many processes; may be 0.
    """

    def __init__(self, command: Sequence[str], count: int) -> None:
        self._command = list(command)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._threads = [
            threading.Thread(target=self._keep_running, args=(number,), name=f"supervise worker {number}", daemon=True)
            for number in range(count)
        ]

    def start(self) -> None:
        """Start the processes; returns at once."""
        for thread in self._threads:
            thread.start()

    def all_alive(self) -> bool:
        """Check whether all processes are running."""
        with self._lock:
            running = [process for process in self._processes.values() if process.poll() is None]
        return len(running) == len(self._threads)

    def request_stop(self) -> None:
        """Send SIGTERM to the processes and stop restarting them; return at once."""
        with self._lock:
            self._stopping.set()
            for process in self._processes.values():
                process.terminate()

    def stop(self, timeout_seconds: float) -> None:
        """Stop the processes, wait for them, and kill those that take too long."""
        self.request_stop()
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            for number, process in self._processes.items():
                if process.poll() is None:
                    logger.warning("worker_killed", worker=number, pid=process.pid, timeout_seconds=timeout_seconds)
                    process.kill()
        for thread in self._threads:
            thread.join()

    def _keep_running(self, number: int) -> None:
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            process = self._start(number)
            if process is None:
                return
            started = time.monotonic()
            status = process.wait()
            process.stdin.close()  # type: ignore[union-attr]  # It is a pipe, by _start.
            if self._stopping.is_set():
                return
            if time.monotonic() - started >= _STABLE_SECONDS:
                pause_seconds = FIRST_PAUSE_SECONDS
            logger.error("worker_died", worker=number, pid=process.pid, exit_status=status, pause_seconds=pause_seconds)
            if self._stopping.wait(pause_seconds):
                return
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    def _start(self, number: int) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            # A session of its own: Ctrl-C in the terminal is for the server, which then ends its workers in order.
            process = subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)
            self._processes[number] = process
            return process


def stop_with_parent(stop: Callable[[], object]) -> None:
    """Call ``stop``, in another thread, when standard input ends: the parent process is gone."""

    def wait_for_end() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        stop()

    threading.Thread(target=wait_for_end, name="watch parent", daemon=True).start()
