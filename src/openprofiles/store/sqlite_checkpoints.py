"""Checkpoint the write-ahead log of SQLite during a load, in a separate thread.

SQLite itself would do it within the commits of the writer, so that the next chunk would wait for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

# A load of few rows ends before the log is long.
_COMMITS_BEFORE_FIRST = 20
# Commits between two moments at which the log is moved as a whole, so that it can begin again. Each is a few MB.
_COMMITS_PER_ROUND = 6


class Checkpointer:
    """Call ``after_commit`` after each commit; it waits now and then, so the log does not grow without bound.

    The thread begins after some commits.

    A checkpoint that fails loses nothing, since everything is in the log. The next ``after_commit`` raises its error.
    """

    def __init__(self, checkpoint: Callable[[], None]) -> None:
        self._checkpoint = checkpoint
        self._change = threading.Condition()
        self._is_wanted = False
        self._is_busy = False
        self._has_ended = False
        self._error: BaseException | None = None
        self._commit_count = 0
        self._thread: threading.Thread | None = None

    def after_commit(self) -> None:
        """Have what was committed moved."""
        self._commit_count += 1
        if self._thread is None:
            if self._commit_count < _COMMITS_BEFORE_FIRST:
                return
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        with self._change:
            self._is_wanted = True
            self._change.notify_all()
            if self._commit_count % _COMMITS_PER_ROUND == 0:
                self._change.wait_for(lambda: not (self._is_wanted or self._is_busy))
            error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """End after the checkpoint that runs."""
        with self._change:
            self._has_ended = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._change:
                self._is_busy = False
                self._change.notify_all()
                self._change.wait_for(lambda: self._is_wanted or self._has_ended)
                if self._has_ended:
                    return
                self._is_wanted, self._is_busy = False, True
            try:
                self._checkpoint()
            except BaseException as error:  # noqa: BLE001 (raised again by the next commit)
                with self._change:
                    self._error = error
