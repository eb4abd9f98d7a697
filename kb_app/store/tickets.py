"""Resolved tickets, personal data already masked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kb_app.store.tables import TicketRow


@dataclass(frozen=True, slots=True)
class StoredTicket:
    """A ticket: what was asked, how it was resolved, and the public turns between."""

    id: str
    source: str
    external_id: str
    version: int
    subject: str
    question: str
    resolution: str
    turns: tuple[dict[str, Any], ...]
    category: str
    tags: tuple[str, ...]
    channel: str
    satisfaction: int | None
    opened_at: str
    resolved_at: str
    content_hash: str
    imported_at: str


def known(session: Session, source: str, external_ids: Iterable[str]) -> dict[str, StoredTicket]:
    """Those of `external_ids` that are stored, by external id."""
    query = select(TicketRow).where(TicketRow.source == source, TicketRow.external_id.in_(list(external_ids)))
    return {row.external_id: _stored(row) for row in session.scalars(query)}


def save(session: Session, ticket: StoredTicket) -> None:
    """Insert or replace a ticket."""
    values = {name: getattr(ticket, name) for name in StoredTicket.__dataclass_fields__}
    session.merge(TicketRow(**values | {"turns": list(ticket.turns), "tags": list(ticket.tags)}))


def get(session: Session, ticket_id: str) -> StoredTicket | None:
    """The ticket by id."""
    row = session.get(TicketRow, ticket_id)
    return _stored(row) if row else None


def versions(session: Session, ids: Iterable[str]) -> dict[str, int]:
    """The current version of some tickets; ids that are no ticket are left out."""
    query = select(TicketRow.id, TicketRow.version).where(TicketRow.id.in_(list(ids)))
    return {key: value for key, value in session.execute(query)}


def every(session: Session) -> Iterator[StoredTicket]:
    """All tickets in a stable order, read in batches."""
    for row in session.scalars(select(TicketRow).order_by(TicketRow.id)).yield_per(500):
        yield _stored(row)


def among(session: Session, ids: Iterable[str]) -> Iterator[StoredTicket]:
    """Those of some tickets that are stored."""
    for row in session.scalars(select(TicketRow).where(TicketRow.id.in_(list(ids))).order_by(TicketRow.id)):
        yield _stored(row)


def count(session: Session) -> int:
    """How many tickets are stored."""
    return session.scalar(select(func.count()).select_from(TicketRow)) or 0


def _stored(row: TicketRow) -> StoredTicket:
    values = {name: getattr(row, name) for name in StoredTicket.__dataclass_fields__}
    return StoredTicket(**values | {"turns": tuple(row.turns), "tags": tuple(row.tags)})
