"""Ask the knowledge base and tell it what became of the answer."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from indexer.redaction import Redactor
from kb_app.access import Principal, may_be_offered, visible_to
from kb_app.clock import stamp
from kb_app.errors import BadInput, Unavailable
from kb_app.kb import Kb
from kb_app.store import articles, traffic
from kb_app.store.articles import StoredArticle
from kb_app.store.database import TRAFFIC, Session
from kb_app.store.traffic import AskedQuestion, Feedback
from search.errors import SearchError
from search.types import Answer, Kind, Mode, Query

LONGEST_QUERY = 1000
LONGEST_CONTEXT = 20
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """What was sent, before it becomes a search: see the native API for the fields."""

    text: str
    mode: Mode = Mode.FINAL
    context: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    categories: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    channel: str = ""
    top_k: int = 8
    below_threshold: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer with what the database adds to its hits, by document id."""

    query_id: str
    answer: Answer
    articles: Mapping[str, StoredArticle] = field(default_factory=dict)
    uses: Mapping[str, int] = field(default_factory=dict)
    scripts: Mapping[str, StoredArticle] = field(default_factory=dict)
    """The script tied to an article, by the article's id."""


def ask(kb: Kb, question: Question, principal: Principal) -> Asked:
    """Answer a question for a principal. Finished questions are logged, masked; half-typed ones never."""
    query = _query(kb, question, principal)
    with kb.turn:
        asked = _decorated(kb, Asked(f"q_{secrets.token_hex(8)}", _answer(kb, query, principal)), principal)
    if question.mode is Mode.FINAL:
        _log_question(kb, asked, query.text, principal)
    return asked


def _answer(kb: Kb, query: Query, principal: Principal) -> Answer:
    try:
        return kb.engine.answer(query, visible_to(principal, kb.database, query.now))
    except SearchError as error:
        raise Unavailable(str(error), error.hint) from error


def note(kb: Kb, feedback: Feedback) -> None:
    """Store what somebody did with a hit, with personal data masked."""
    redactor = Redactor()
    masked = replace(feedback, text=redactor.mask(feedback.text), note=redactor.mask(feedback.note))
    with kb.database.write(TRAFFIC) as session:
        traffic.add_feedback(session, masked)


def _query(kb: Kb, question: Question, principal: Principal) -> Query:
    text = _clean(question.text)
    kinds = tuple(kind for kind in question.kinds or principal.kinds if kind in principal.kinds)
    if question.kinds and not kinds:
        raise BadInput("none of these kinds may be searched with this key", "Ask for article, script or announcement.")
    return Query(
        text=text,
        audience=principal.audience,
        now=int(kb.clock()),
        mode=question.mode,
        context=tuple(line[:LONGEST_QUERY] for line in question.context[-LONGEST_CONTEXT:]),
        kinds=kinds,
        categories=question.categories,
        products=question.products,
        tags=question.tags,
        channel=question.channel,
        top_k=question.top_k,
        below_threshold=question.below_threshold or principal.is_staff,
    )


def _clean(text: str) -> str:
    # Half of a character can be sent as JSON, but neither stored nor searched for.
    text = _LONE_SURROGATE.sub("\ufffd", text).strip()
    if not text:
        raise BadInput("the query is empty", f"Send 1 to {LONGEST_QUERY} characters.")
    if len(text) > LONGEST_QUERY:
        error = BadInput(
            f"the query has {len(text)} characters, the limit is {LONGEST_QUERY}",
            "Send the sentence that asks, not the whole conversation; earlier messages go into `context`.",
        )
        error.code = "query_too_long"
        raise error
    return text


def _decorated(kb: Kb, asked: Asked, principal: Principal) -> Asked:
    ids = [hit.document.id for hit in asked.answer.hits]
    if not ids:
        return asked
    with kb.database.read() as session:
        found = articles.among(session, ids)
        tied = _tied(session, found, principal, kb.clock())
    asked = replace(asked, articles=found, scripts=tied)
    if not principal.is_staff:
        return asked
    with kb.database.read(TRAFFIC) as session:
        return replace(asked, uses=traffic.used(session, ids))


def _tied(
    session: Session, found: Mapping[str, StoredArticle], principal: Principal, now: float
) -> dict[str, StoredArticle]:
    """The first script that may be seen for each article, by any of the names a script can call it."""
    owner = {name: key for key, article in found.items() for name in articles.names_of(article)}
    tied: dict[str, StoredArticle] = {}
    for script in articles.scripts_of(session, list(owner)):
        if may_be_offered(principal, script.facts, now):
            tied.setdefault(owner[script.content.source], script)
    return tied


def _log_question(kb: Kb, asked: Asked, text: str, principal: Principal) -> None:
    answer = asked.answer
    row = AskedQuestion(
        id=asked.query_id,
        at=stamp(kb.clock),
        principal=principal.id,
        text=Redactor().mask(text),
        decision=answer.decision.value,
        confidence=answer.confidence,
        hits=tuple(hit.document.id for hit in answer.hits),
        total_ms=answer.timing_ms["total"],
    )
    try:
        with kb.database.write(TRAFFIC) as session:
            traffic.log_question(session, row)
    except Exception:
        # The customer is waiting: an answer is worth more than its log line, but the loss is told.
        _log.exception("question %s was answered but not logged", asked.query_id)
