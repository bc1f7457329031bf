"""Staying below Payt's limit of ten requests per second and token.

A limiter hands out moments. ``reserve`` returns how many seconds to wait before the
next request may leave; the client does the waiting. Evenly spaced moments cannot
exceed the limit in any window, however many workers share the limiter. A busy machine
or network may still delay one request into the next ones' second: keep the rate
somewhat below the limit (the connection's default is eight of ten).
"""

import threading
import time


class NoLimit:
    """Lets everything through."""

    def reserve(self):
        return 0.0

    def hold(self, seconds):
        """Payt said stop: nobody sends for so many seconds."""


class SpacedLimiter:
    """One process' limiter: ``rate`` requests per second, evenly spaced."""

    def __init__(self, rate, clock=time.monotonic):
        self._gap = 1.0 / rate
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def reserve(self):
        with self._lock:
            now = self._clock()
            moment = max(now, self._next)
            self._next = moment + self._gap
        return moment - now

    def hold(self, seconds):
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)
