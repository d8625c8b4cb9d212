"""Ctrl-C as a question that a command answers when it can."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """How often Ctrl-C was pressed."""

    def __init__(self) -> None:
        self.count = 0


@contextmanager
def counted_interrupts() -> Iterator[Interrupts]:
    """Count in the ``with`` block how often Ctrl-C is pressed; the second time raises KeyboardInterrupt.

    An exception that a signal raises wherever the program is can be lost, in a destructor for one.
    """
    interrupts = Interrupts()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        interrupts.count += 1
        if interrupts.count > 1:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
