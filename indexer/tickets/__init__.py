"""Resolved tickets from files: one reader per format, all giving the same rows, already masked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from indexer.tickets import jsonl
from indexer.tickets.types import Row, Ticket, Turn

__all__ = ["Row", "Ticket", "Turn", "read_tickets"]


def read_tickets(path: Path) -> Iterator[Row]:
    """The rows of a ticket file."""
    return jsonl.read(path)
