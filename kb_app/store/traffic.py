"""The query log and feedback, in their own file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from kb_app.store.tables import FeedbackRow, QueryRow

USES = ("copied", "inserted", "sent")
"""The events by which a hit was of use."""


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A finished question and how it was answered; `text` is masked."""

    id: str
    at: str
    principal: str
    text: str
    decision: str
    confidence: float
    hits: tuple[str, ...]
    total_ms: float


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody did with a hit; `text` and `note` are masked."""

    at: str
    principal: str
    query_id: str
    hit_id: str
    event: str
    text: str = ""
    note: str = ""


def log_question(session: Session, asked: AskedQuestion) -> None:
    """Store a finished question."""
    values = {name: getattr(asked, name) for name in AskedQuestion.__dataclass_fields__}
    session.add(QueryRow(**values | {"hits": list(asked.hits)}))


def question(session: Session, query_id: str) -> AskedQuestion | None:
    """The logged question by id."""
    row = session.get(QueryRow, query_id)
    if row is None:
        return None
    values = {name: getattr(row, name) for name in AskedQuestion.__dataclass_fields__}
    return AskedQuestion(**values | {"hits": tuple(row.hits)})


def add_feedback(session: Session, feedback: Feedback) -> None:
    """Store an event."""
    session.add(FeedbackRow(**{name: getattr(feedback, name) for name in Feedback.__dataclass_fields__}))


def used(session: Session, hit_ids: Sequence[str]) -> dict[str, int]:
    """How often each of these hits was of use."""
    return {key: count for key, count in session.execute(_uses().where(FeedbackRow.hit_id.in_(hit_ids)))}


def all_uses(session: Session) -> dict[str, int]:
    """How often each hit ever was of use."""
    return {key: count for key, count in session.execute(_uses())}


def _uses() -> Select[tuple[str, int]]:
    query = select(FeedbackRow.hit_id, func.count()).where(FeedbackRow.event.in_(USES))
    return query.group_by(FeedbackRow.hit_id)


def confirmed(session: Session, good: Sequence[str], bad: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(question, id of the hit) where some event was `good` and none `bad`, in a stable order."""
    disliked = func.max(case((FeedbackRow.event.in_(bad), 1), else_=0))
    query = (
        select(QueryRow.text, FeedbackRow.hit_id)
        .join(FeedbackRow, FeedbackRow.query_id == QueryRow.id)
        .where(FeedbackRow.event.in_([*good, *bad]))
        .group_by(QueryRow.text, FeedbackRow.hit_id)
        .having(disliked == 0)
        .order_by(QueryRow.text, FeedbackRow.hit_id)
    )
    for row in session.execute(query).yield_per(500):
        yield row.text, row.hit_id
