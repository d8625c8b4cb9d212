"""Run programs, and measure the memory of their processes."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.05
# All memory except mapped files: heap, stacks, anonymous and shared memory.
_OWN_MEMORY = re.compile(r"^(?:RssAnon|RssShmem):\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """The cost of one run of a program."""

    seconds: float
    processor_seconds: float
    peak_bytes: int
    output: str


def run(command: Sequence[str | Path], *, may_fail: bool = False, environment: Mapping[str, str] | None = None) -> Run:
    """Run a program to its end.

    Raises:
        RuntimeError: it failed; the message is what it wrote.
    """
    started, processor_started = time.perf_counter(), processor_seconds()
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    with MemoryWatch(process.pid) as watch:
        output, errors = process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode and not may_fail:
        raise RuntimeError(f"{command} ended with {process.returncode}:\n{output}{errors}")
    return Run(seconds, processor_seconds() - processor_started, watch.peak_bytes, output)


def processor_seconds() -> float:
    """Return the processor time of all descendants of this process that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class MemoryWatch:
    """Samples the memory of a process and its descendants. ``peak_bytes`` is the largest sum, without mapped files."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self.peak_bytes = max(self.peak_bytes, sum(map(own_memory_bytes, family(self._pid))))


def family(pid: int) -> list[int]:
    """List a process and its descendants."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def own_memory_bytes(pid: int) -> int:
    with suppress(OSError):
        return 1024 * sum(int(kilobytes) for kilobytes in _OWN_MEMORY.findall(Path(f"/proc/{pid}/status").read_text()))
    return 0
