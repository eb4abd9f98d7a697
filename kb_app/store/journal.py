"""The outbox and the audit log: written in the same transaction as the change they tell of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kb_app.store.tables import AuditRow, OutboxRow

GENESIS = "0" * 64


class Topic(StrEnum):
    """What a change is about."""

    ARTICLE = "article"
    TICKET = "ticket"
    INDEX = "index"


DOCUMENTS = (Topic.ARTICLE, Topic.TICKET)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit log."""

    id: int
    at: str
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


def announce(session: Session, topic: Topic, subject: str, at: str) -> None:
    """Put a change into the outbox."""
    session.add(OutboxRow(topic=topic.value, subject=subject, created_at=at))


def last_outbox_id(session: Session) -> int:
    """The newest change, 0 when there is none."""
    return session.scalar(select(func.max(OutboxRow.id))) or 0


def changed(session: Session, after: int, most: int) -> list[tuple[int, Topic, str]]:
    """(id, topic, subject) of the first `most` changes after one, in order."""
    query = select(OutboxRow.id, OutboxRow.topic, OutboxRow.subject).where(OutboxRow.id > after)
    rows = session.execute(query.order_by(OutboxRow.id).limit(most))
    return [(row.id, Topic(row.topic), row.subject) for row in rows]


def wants_rebuild(session: Session, after: int) -> bool:
    """Whether somebody asked for a full build of the index after a change."""
    query = select(OutboxRow.id).where(OutboxRow.id > after, OutboxRow.topic == Topic.INDEX.value).limit(1)
    return session.scalar(query) is not None


def waiting_since(session: Session, after: int) -> str:
    """When the first change after one was made, "" when there is none."""
    query = select(OutboxRow.created_at).where(OutboxRow.id > after).order_by(OutboxRow.id).limit(1)
    return session.scalar(query) or ""


def record(session: Session, at: str, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Add a line to the audit log, chained to the one before."""
    session.flush()
    previous = session.scalar(select(AuditRow.hash).order_by(AuditRow.id.desc()).limit(1)) or GENESIS
    row = AuditRow(at=at, actor=actor, action=action, subject=subject, detail=detail, previous=previous)
    row.hash = _chain(row)
    session.add(row)
    session.flush()


def entries(session: Session) -> Iterator[Entry]:
    """The audit log, oldest first."""
    for row in session.scalars(select(AuditRow).order_by(AuditRow.id)).yield_per(500):
        yield Entry(row.id, row.at, row.actor, row.action, row.subject, row.detail)


def broken_links(session: Session) -> list[int]:
    """Ids of audit rows that were changed, or whose predecessor is not the row it was."""
    broken, previous, last = [], GENESIS, 0
    for row in session.scalars(select(AuditRow).order_by(AuditRow.id)).yield_per(500):
        # Ids are given out once and in order: a gap is a row that was removed before the next one was written.
        if row.previous != previous or row.hash != _chain(row) or row.id != last + 1:
            broken.append(row.id)
        previous, last = row.hash, row.id
    return broken


def _chain(row: AuditRow) -> str:
    fields = [row.previous, row.at, row.actor, row.action, row.subject, row.detail]
    return hashlib.sha256(json.dumps(fields, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
