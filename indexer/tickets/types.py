"""A ticket as every reader gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Speaker = Literal["customer", "agent"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One public message, masked."""

    speaker: Speaker
    text: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """A resolved ticket, masked. `question` is what the customer wrote first, `resolution` how it ended."""

    external_id: str
    subject: str
    question: str
    resolution: str
    turns: tuple[Turn, ...]
    category: str
    tags: tuple[str, ...]
    channel: str
    satisfaction: int | None
    opened_at: str
    resolved_at: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file, numbered from 1: a ticket, or why there is none and how to mend it."""

    number: int
    ticket: Ticket | None = None
    problem: str = ""
    hint: str = ""
