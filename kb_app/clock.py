"""Time as the application writes it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Epoch seconds now; tests pass their own."""


def stamp(clock: Clock) -> str:
    """Now in UTC, ISO 8601 to the second."""
    return datetime.fromtimestamp(clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
