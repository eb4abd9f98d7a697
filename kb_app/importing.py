"""Bring resolved tickets in: masked before they are stored, the same ticket once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from indexer.tickets import Row, Ticket, read_tickets
from kb_app.clock import stamp
from kb_app.errors import BadInput
from kb_app.kb import Kb
from kb_app.store import journal, tickets
from kb_app.store.database import Session
from kb_app.store.tickets import StoredTicket

BATCH = 500
"""Rows that one transaction takes in."""


@dataclass
class TicketReport:
    """What an import did; `skipped` holds (row, reason) of every row that was left out."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Keyed:
    ticket: Ticket
    content_hash: str


def import_tickets(
    kb: Kb, path: Path, source: str, advance: Callable[[int], None] = lambda _rows: None
) -> TicketReport:
    """Import a file of tickets under a source name; running it again changes nothing."""
    if not path.is_file():
        raise BadInput(f"{path} is not a file", "Name a file of tickets in JSON Lines.")
    report = TicketReport()
    done = 0
    for rows in _in_batches(read_tickets(path)):
        _store(kb, source, rows, report)
        done += len(rows)
        advance(done)
    return report


def ticket_id(source: str, external_id: str) -> str:
    """The permanent id of a ticket: the same for the same source and external id."""
    return "t_" + hashlib.sha256(f"{source}\x00{external_id}".encode()).hexdigest()[:12]


def _in_batches(rows: Iterable[Row]) -> Iterable[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _store(kb: Kb, source: str, rows: list[Row], report: TicketReport) -> None:
    report.skipped += [(row.number, f"{row.problem} {row.hint}".strip()) for row in rows if row.ticket is None]
    # The last row of a ticket wins, as it would had the rows come in two imports.
    keyed = {row.ticket.external_id: _Keyed(row.ticket, _hash(row.ticket)) for row in rows if row.ticket}
    with kb.database.write() as session:
        known = tickets.known(session, source, keyed)
        for external_id, entry in keyed.items():
            _store_one(session, kb, source, entry, known.get(external_id), report)


def _store_one(
    session: Session, kb: Kb, source: str, entry: _Keyed, old: StoredTicket | None, report: TicketReport
) -> None:
    if old and old.content_hash == entry.content_hash:
        report.unchanged += 1
        return
    at = stamp(kb.clock)
    stored = _stored(source, entry, old.version + 1 if old else 1, at)
    tickets.save(session, stored)
    journal.announce(session, journal.Topic.TICKET, stored.id, at)
    report.changed += old is not None
    report.added += old is None


def _stored(source: str, entry: _Keyed, version: int, at: str) -> StoredTicket:
    ticket = entry.ticket
    return StoredTicket(
        id=ticket_id(source, ticket.external_id),
        source=source,
        external_id=ticket.external_id,
        version=version,
        subject=ticket.subject,
        question=ticket.question,
        resolution=ticket.resolution,
        turns=tuple(asdict(turn) for turn in ticket.turns),
        category=ticket.category,
        tags=ticket.tags,
        channel=ticket.channel,
        satisfaction=ticket.satisfaction,
        opened_at=ticket.opened_at,
        resolved_at=ticket.resolved_at,
        content_hash=entry.content_hash,
        imported_at=at,
    )


def _hash(ticket: Ticket) -> str:
    return hashlib.sha256(json.dumps(asdict(ticket), ensure_ascii=False, sort_keys=True).encode()).hexdigest()
