"""The priority of a loader: normal at first, later lower than that of a server.

A short load should not wait for other programs of the machine, and a long one should not slow down a server.
``benchmarks/README.md`` has the measurements behind the niceness.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

YIELDING_NICENESS = 5
QUICK_SECONDS = 3.0

_THREADS = Path("/proc/self/task")
_AUTOGROUP = Path("/proc/self/autogroup")
_SHORTEST_PAUSE_SECONDS = 0.05
_AUTOGROUP_ATTEMPTS = 20


def yield_when_long(quick_seconds: float = QUICK_SECONDS) -> None:
    """Lower the priority of this process once it has used this much more processor time."""
    threading.Thread(target=_yield_after, args=(time.process_time() + quick_seconds,), daemon=True).start()


def _yield_after(processor_time: float) -> None:
    processors = os.cpu_count() or 1
    while (left := processor_time - time.process_time()) > 0:
        time.sleep(max(left / processors, _SHORTEST_PAUSE_SECONDS))
    lower_priority(YIELDING_NICENESS)


def lower_priority(niceness: int) -> None:
    """Give all threads of this process, and its session, this niceness; threads that have a higher one keep it."""
    if not _THREADS.exists():
        # Elsewhere than on Linux, a niceness is that of the whole process.
        os.setpriority(os.PRIO_PROCESS, 0, max(niceness, os.getpriority(os.PRIO_PROCESS, 0)))
        return
    done: set[int] = set()
    # A new thread has the niceness of the one that starts it, so the threads that are new to the last look are the
    # only ones that can still lack it.
    while new := {int(thread.name) for thread in _THREADS.iterdir()} - done:
        for thread in new:
            with suppress(ProcessLookupError):
                # A program started with ``nice`` must not become less nice, and only root may do that.
                if os.getpriority(os.PRIO_PROCESS, thread) < niceness:
                    os.setpriority(os.PRIO_PROCESS, thread, niceness)
        done |= new
    _lower_session_priority(niceness)


def _lower_session_priority(niceness: int) -> None:
    # Linux with autogroups shares the processors among sessions first, and a niceness counts within one alone: a loader
    # has a session of its own, which would get as much as the server's. Kernels without autogroups have no such file.
    for _ in range(_AUTOGROUP_ATTEMPTS):
        try:
            _AUTOGROUP.write_text(str(niceness))
        except BlockingIOError:
            # The kernel takes ten such changes a second from all of its users together.
            time.sleep(_SHORTEST_PAUSE_SECONDS)
        except OSError:
            return
        else:
            return
