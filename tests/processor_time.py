"""A pytest plugin that shows which test files take the most processor time.

What counts is the processor time, user and system, of the process that runs the test and of all its descendants:
servers, workers and loaders that live on after the test are read from ``/proc``, and those that have ended are in the
figures of their parents.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

SHOWN_FILES = 10
_PROPERTY = "processor_seconds"
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process and all its descendants have taken so far."""
    return sum(_own_seconds(one) for one in _family(pid))


def _own_seconds(pid: int) -> float:
    """Return the time of a process and of its children that have ended and were waited for."""
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        # utime, stime, cutime and cstime: fields 14 to 17 of proc(5), counted from the third.
        return sum(map(int, fields[11:15])) / _TICKS_PER_SECOND
    return 0.0


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                for child in (task / "children").read_bytes().split():
                    yield from _family(int(child))


class ProcessorTime:
    """Measures each test in the process that runs it, and adds up the figures in the process that reports."""

    def __init__(self) -> None:
        self._seen = 0.0
        self._seconds_of_file: defaultdict[str, float] = defaultdict(float)

    def pytest_collection_finish(self) -> None:
        """Exclude the time for importing the tests."""
        self._seen = processor_seconds(os.getpid())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "teardown":
            now = processor_seconds(os.getpid())
            # A process that ends before its children takes their times along.
            report.user_properties.append((_PROPERTY, max(0.0, now - self._seen)))
            self._seen = now
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the figure of a test; with xdist, it comes from a different process."""
        if report.when == "teardown":
            seconds = sum(float(str(value)) for name, value in report.user_properties if name == _PROPERTY)
            self._seconds_of_file[report.location[0]] += seconds

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the most expensive files."""
        files = sorted(self._seconds_of_file.items(), key=lambda one: -one[1])
        if len(files) > 1:
            terminalreporter.section("most processor time", sep="-")
            for path, seconds in files[:SHOWN_FILES]:
                terminalreporter.write_line(f"{seconds:8.1f} s  {path}")
            terminalreporter.write_line(f"{sum(seconds for _, seconds in files):8.1f} s  all tests")
