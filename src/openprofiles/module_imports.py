"""Import the modules of a program that runs for long."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_imports() -> Iterator[None]:
    """Exclude modules imported in the block from garbage collection.

    They stay until the end anyway. To search them for garbage takes a fifth of the start and of the end of a server,
    and again some milliseconds at moments while it answers requests.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
