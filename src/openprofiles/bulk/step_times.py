"""Measure how long each step of a job takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from openprofiles.bulk.scratch import Scratch


class StepTimes:
    """Adds up the time of each step, over all loaders of a job that work on one scratch database.

    Of a loader that died, the step that it was in is missing.
    """

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._milliseconds: dict[str, int] = {}

    @property
    def milliseconds(self) -> Mapping[str, int]:
        """So far, by step, in the order in which they began."""
        return self._milliseconds

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time that the ``with`` block takes, also if it raises."""
        self._milliseconds[step] = self._scratch.recall(_fact(step)) or 0
        started = time.monotonic()
        try:
            yield
        finally:
            self._milliseconds[step] += round((time.monotonic() - started) * 1000)
        self._scratch.remember(_fact(step), self._milliseconds[step])


def _fact(step: str) -> str:
    return f"milliseconds of {step}"
