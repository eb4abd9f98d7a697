"""Being told to stop by a signal."""

from __future__ import annotations

import signal
import time

SLICE = 0.1
"""Seconds after which a wait looks whether it is still wanted."""


class Stop:
    """Set once, from anywhere, a signal handler included.

    A `threading.Event` would not do: a handler that runs while the main thread is inside the event's lock waits for
    that lock, and so for itself, for ever.
    """

    def __init__(self) -> None:
        self._asked = False

    def set(self, *_signal: object) -> None:
        """Ask to stop."""
        self._asked = True

    def is_set(self) -> bool:
        """Whether somebody asked."""
        return self._asked

    def wait(self, seconds: float) -> bool:
        """Wait until asked, at most `seconds`; whether somebody asked."""
        deadline = time.monotonic() + seconds
        while not self._asked and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, SLICE))
        return self._asked

    def on_signals(self) -> Stop:
        """Let SIGTERM and SIGINT ask."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.set)
        return self
