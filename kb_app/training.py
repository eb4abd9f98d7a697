"""Teach the encoder what people here ask, and which document answered it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from indexer.training import Progress
from indexer.training.adapting import HOW, AdaptConfig, AdaptReport, Lesson, adapt
from kb_app import indexing
from kb_app.errors import WrongSetting
from kb_app.kb import Kb
from kb_app.store import articles, tickets, traffic
from kb_app.store.database import TRAFFIC
from search.encoder import StaticEncoder

ANSWERED = ("helpful", "copied", "inserted", "sent")
NOT_ANSWERED = ("not_helpful", "flagged")
_LINK = re.compile(r"/articles/([\w%-]+)")

Answered = dict[str, list[str]]
"""Questions that a document answered, by its id."""


def adapt_encoder(kb: Kb, out: Path | None, seed: int, progress: Progress) -> AdaptReport:
    """Adapt the encoder in use to what is published, tickets and feedback; by default into KB_HOME/models.

    Raises `WrongSetting` when the encoder in use has no rows to train, SearchError when there is too little to learn.
    """
    encoder = kb.encoder
    if not isinstance(encoder, StaticEncoder):
        raise WrongSetting(
            f"KB_ENCODER={kb.settings.encoder!r} is no static encoder and cannot be adapted",
            "Use the shipped one: unset KB_ENCODER.",
        )
    how = replace(HOW, seed=seed)
    config = AdaptConfig(out or _next_folder(kb.settings.home / "models"), kb.analyzer.fold, how, progress=progress)
    return adapt(encoder, lessons(kb), config)


def lessons(kb: Kb) -> Iterator[Lesson]:
    """Everything that can be found, each with the questions it is known to have answered."""
    answered = _linked(kb)
    with kb.database.read(TRAFFIC) as session:
        for question, document in traffic.confirmed(session, ANSWERED, NOT_ANSWERED):
            answered.setdefault(document, []).append(question)
    with kb.database.read() as session:
        for record in indexing.records(session):
            yield Lesson(record, tuple(answered.get(record.document.id, ())))


def _linked(kb: Kb) -> Answered:
    """Questions of tickets in which the agent sent a link to an article."""
    answered: Answered = {}
    with kb.database.read() as session:
        known = {article.slug: article.facts.id for article in articles.published(session)}
        for ticket in tickets.every(session):
            said = "\n".join(turn["text"] for turn in ticket.turns if turn["speaker"] == "agent")
            for slug in dict.fromkeys(map(unquote, _LINK.findall(said))):
                if slug in known:
                    answered.setdefault(known[slug], []).append(ticket.question)
    return answered


def _next_folder(models: Path) -> Path:
    numbers = (found[1] for path in models.glob("adapted-*") if (found := re.fullmatch(r"adapted-(\d+)", path.name)))
    return models / f"adapted-{max(map(int, numbers), default=0) + 1}"
