"""How far an import is: a live bar on a terminal, a line now and then elsewhere. Always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from openprofiles.cli.job_state import JobState

SECONDS_BETWEEN_LINES = 5.0

_ACTIVITIES = {"stage": "Reading", "report": "Loading", "create": "Loading", "update": "Loading"}
_INDEXING = ("unindex", "index")


class ProgressDisplay:
    """Shows the states it is given. Use it as a context manager.

    Args:
        clock: seconds that never go back.
    """

    def __init__(
        self, stream: TextIO | None = None, *, lines: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``lines``: whether to print lines where no live bar can be shown."""
        self._stream = stream or sys.stderr
        self._clock = clock
        self._is_live = self._stream.isatty()
        self._prints_lines = lines and not self._is_live
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=Console(file=self._stream),
            transient=True,
            disable=not self._is_live,
        )
        self._task = self._bar.add_task("", total=None, numbers="")
        self._started: float | None = None
        self._printed_at = 0.0
        self._printed_activity: str | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show_sending(self, sent_bytes: int, size_bytes: int) -> None:
        """The file is on its way."""
        self._show("Sending", f"{sent_bytes / 1e6:,.1f} of {size_bytes / 1e6:,.1f} MB", sent_bytes, size_bytes)

    def show_waiting(self) -> None:
        """No worker has taken the job up yet: one has to start, or other jobs have to end first."""
        self._show("Waiting for the worker", "", 0, None)

    def show_job(self, state: JobState) -> None:
        """The job has not ended."""
        if state.status == "CREATED":
            self._show("Waiting for the job to be started", "", 0, None)
            return
        if state.phase is None and not state.done_count:
            self.show_waiting()
            return
        phase = state.phase or "create"
        if phase in _INDEXING:
            self._show("Indexing for search", f"{state.done_count:,} rows loaded, {state.position:,} keys", 0, None)
        elif phase == "stage":
            self._show("Reading", f"{state.position:,} rows", 0, None)
        else:
            if self._started is None:
                self._started = self._clock()
            self._show(
                _ACTIVITIES.get(phase, "Loading"), self._describe_rows(state), state.done_count, state.record_count
            )

    def show_undo(self, done_count: int, profile_count: int | None) -> None:
        """A job is being taken back; ``profile_count`` is None until it is known."""
        if profile_count is None:
            self.show_waiting()
        else:
            self._show("Taking back", f"{done_count:,} of {profile_count:,} profiles", done_count, profile_count)

    def _describe_rows(self, state: JobState) -> str:
        text = f"{state.done_count:,}" + (f" of {state.record_count:,} rows" if state.record_count else " rows")
        seconds = self._clock() - (self._started or 0.0)
        if seconds < 1 or not state.done_count:
            return text
        rows_per_second = state.done_count / seconds
        text += f", {rows_per_second:,.0f} rows per second"
        if state.record_count:
            text += f", {(state.record_count - state.done_count) / rows_per_second:.0f} s left"
        return text

    def _show(self, activity: str, numbers: str, done: int, total: int | None) -> None:
        if self._is_live:
            self._bar.update(self._task, description=activity, completed=done, total=total, numbers=numbers)
        elif self._prints_lines:
            now = self._clock()
            if activity != self._printed_activity or now - self._printed_at >= SECONDS_BETWEEN_LINES:
                self._printed_activity, self._printed_at = activity, now
                print(f"{activity}: {numbers}" if numbers else activity, file=self._stream, flush=True)
