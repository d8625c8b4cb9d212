"""Slow down attempts to sign in with wrong secrets.

Nobody guesses a secret of 40 characters. But attempts take the server's time, and part of a secret may be known.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from openprofiles.credentials.throttle import MonotonicClock

_MOST_NAMES = 10_000


class WrongSecrets:
    """Allow each name some wrong attempts at once, and then one in each interval.

    Args:
        free_attempts: that may be wrong at once.
        interval_seconds: after which one more is allowed.
    """

    def __init__(
        self,
        free_attempts: int,
        interval_seconds: float,
        clock: MonotonicClock = time.monotonic,
        names: int = _MOST_NAMES,
    ) -> None:
        self._interval_seconds = interval_seconds
        self._slack_seconds = (free_attempts - 1) * interval_seconds
        self._clock = clock
        self._most_names = names
        # When all attempts of a name are forgotten; the name that tried last at the end.
        self._forgotten_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def seconds_to_wait(self, name: str) -> float:
        """Return the time until the next attempt is allowed; 0 if it is allowed now."""
        with self._lock:
            return max(0.0, self._forgotten_at.get(name, 0.0) - self._clock() - self._slack_seconds)

    def count(self, name: str) -> None:
        """Count an attempt, right or wrong."""
        with self._lock:
            self._move(name, self._interval_seconds)
            while len(self._forgotten_at) > self._most_names:
                self._forgotten_at.popitem(last=False)

    def forgive(self, name: str) -> None:
        """Forget an attempt with the right secret."""
        with self._lock:
            self._move(name, -self._interval_seconds)

    def _move(self, name: str, seconds: float) -> None:
        now = self._clock()
        self._forgotten_at[name] = max(now, self._forgotten_at.get(name, now)) + seconds
        self._forgotten_at.move_to_end(name)
