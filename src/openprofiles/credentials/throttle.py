"""Rates of requests: one token bucket per credential, in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

MonotonicClock = Callable[[], float]


class TokenBucket:
    """Allows a rate of requests, in bursts of at most one second's requests.

    Each server process counts by itself: two servers on one store let twice the rate through.
    """

    def __init__(self, requests_per_second: float, clock: MonotonicClock = time.monotonic) -> None:
        self.requests_per_second = requests_per_second
        self._clock = clock
        # Below one a second a single request must still fit.
        self._capacity = max(1.0, requests_per_second)
        self._tokens = self._capacity
        self._filled_at = clock()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take one token; return False if none is left and the request must be refused."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self.requests_per_second)
            self._filled_at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
