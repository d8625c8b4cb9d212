"""Shows the progress of an import: a live bar on a terminal, lines elsewhere. Always on standard error."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from openprofiles.member_names import attributes_of
from openprofiles.uploads.progress import Progress as StepProgress
from openprofiles.uploads.progress import describe_amount, describe_step

SECONDS_BETWEEN_LINES = 5.0

_NUMBER_IN_BRACES = re.compile(r"\{([0-9.]+)\}")


class ProgressDisplay:
    """Shows the states it is given. Use it as a context manager.

    Args:
        clock: seconds that never go back.
    """

    def __init__(
        self, stream: TextIO | None = None, *, lines: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Show progress; ``lines``: whether to print lines where no live bar can be shown."""
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
        self._printed_at = 0.0
        self._printed_activity: str | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show_sending(self, sent_bytes: int, size_bytes: int, activity: str = "Sending") -> None:
        """Show how much of the file was sent."""
        self._show(activity, f"{sent_bytes / 1e6:,.1f} of {size_bytes / 1e6:,.1f} MB", sent_bytes, size_bytes)

    def show_waiting(self) -> None:
        """Show that the job waits for a worker or for other jobs."""
        self._show("Waiting for the worker", "", 0, None)

    def show_job(self, progress: Mapping[str, Any]) -> None:
        """Show the progress of a job that has not ended."""
        if progress["Status"] == "CREATED":
            self._show("Waiting for the job to be started", "", 0, None)
            return
        # A worker has begun with it, and the server reports it.
        if "Progress" not in progress:
            self.show_waiting()
            return
        step = StepProgress(**attributes_of(progress["Progress"]))
        amount = _NUMBER_IN_BRACES.sub(lambda found: f"{Decimal(found[1]):,}", describe_amount(step))
        self._show(describe_step(step), amount, step.share, 1.0)

    def show_undo(self, done_count: int, profile_count: int | None) -> None:
        """Show the progress of an undo; ``profile_count`` is None until it is known."""
        if profile_count is None:
            self.show_waiting()
        else:
            self._show("Undoing", f"{done_count:,} of {profile_count:,} profiles", done_count, profile_count)

    def _show(self, activity: str, numbers: str, done: float, total: float | None) -> None:
        if self._is_live:
            self._bar.update(self._task, description=activity, completed=done, total=total, numbers=numbers)
        elif self._prints_lines:
            now = self._clock()
            if activity != self._printed_activity or now - self._printed_at >= SECONDS_BETWEEN_LINES:
                self._printed_activity, self._printed_at = activity, now
                # A load continues when nobody reads about it any more.
                with suppress(BrokenPipeError):
                    print(f"{activity}: {numbers}" if numbers else activity, file=self._stream, flush=True)
