"""Run the checks of the code in parallel with the tests, and print the time that they took.

``make test``, ``make test-long`` and ``make check`` are this script. Its arguments go to pytest.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
# One after the other, in parallel with pytest.
CHECKS = ("lint", "types", "imports")
# Three at a time on two cores, since one is often waiting for a lease to expire or a page to be painted. All tests of a
# file run in the same process, with one server; tests/conftest.py decides the order of the files.
PYTEST = (f"{sys.prefix}/bin/pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")

_PR_SET_CHILD_SUBREAPER = 36
# A process that closes its pipes ends a moment later.
_ORPHAN_SECONDS = 3.0


@dataclass
class Part:
    """A command and its result."""

    name: str
    process: subprocess.Popen[bytes]
    # None if it writes to the output of this script.
    output: IO[bytes] | None
    begun: float
    seconds: float = 0.0
    status: int = 0


def main() -> int:
    """Run all parts; return exit status 0 if all have passed."""
    begun = time.monotonic()
    _adopt_orphans()
    # Each part also receives the interrupt, and ends by itself.
    signal.signal(signal.SIGINT, lambda *_: None)
    # The options of the outer make must not reach the inner one.
    os.environ.pop("MAKEFLAGS", None)
    checks = iter(CHECKS)
    pytest = _start("tests", PYTEST + tuple(sys.argv[1:]), None)
    running = [pytest, _start_check(next(checks))]
    ended: list[Part] = []
    while running:
        pid, status = os.wait()
        for part in [one for one in running if one.process.pid == pid]:
            running.remove(part)
            ended.append(part)
            part.seconds = time.monotonic() - part.begun
            part.process.returncode = part.status = os.waitstatus_to_exitcode(status)
            if part is not pytest and (name := next(checks, None)):
                running.append(_start_check(name))
    left = _wait_for_orphans()
    _report(ended)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{used.ru_utime + used.ru_stime:.0f} s of processor time, user and system, of all processes; "
        f"{time.monotonic() - begun:.0f} s of wall time."
    )
    if left:
        print("The tests left processes behind. They are still running and are not counted.")
    return int(any(part.status for part in ended))


def _start_check(name: str) -> Part:
    return _start(name, ("make", "--no-print-directory", name), tempfile.TemporaryFile())


def _start(name: str, command: tuple[str, ...], output: IO[bytes] | None) -> Part:
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT if output else None
    )
    return Part(name, process, output, time.monotonic())


def _report(parts: list[Part]) -> None:
    for part in parts:
        if part.status and part.output is not None:
            print(f"\n{f' {part.name} ':-^80}", flush=True)
            part.output.seek(0)
            sys.stdout.buffer.write(part.output.read())
    print()
    for part in parts:
        print(f"{part.name:8} {'failed' if part.status else 'passed'} in {part.seconds:.0f} s")


def _adopt_orphans() -> None:
    """Adopt the children of killed processes, so that their time is counted."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl failed")


def _wait_for_orphans() -> bool:
    """Add the times of orphans, which get some seconds to end; return whether others still run."""
    deadline = time.monotonic() + _ORPHAN_SECONDS
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0) or time.monotonic() < deadline:
            time.sleep(0.01)
    except ChildProcessError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
