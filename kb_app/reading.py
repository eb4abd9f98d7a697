"""What readers ask for by name: articles, tickets, lists, and whether the service is ready."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from kb_app import indexing
from kb_app.access import Principal, may_be_offered, may_see, visible_to
from kb_app.errors import KbError, NotFound
from kb_app.kb import Kb
from kb_app.store import articles, tickets
from kb_app.store.articles import Category, StoredArticle
from kb_app.store.tickets import StoredTicket
from search.errors import SearchError
from search.types import Kind, Query

LISTED = 50


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether questions can be answered, and the state of each part."""

    ready: bool
    checks: dict[str, Any]


def article(kb: Kb, article_id: str, principal: Principal) -> StoredArticle:
    """An article by id; `NotFound` also when it exists but may not be seen."""
    with kb.database.read() as session:
        return _seen(kb, articles.get(session, article_id), principal)


def article_by_slug(kb: Kb, slug: str, principal: Principal) -> StoredArticle:
    """An article by its slug or one it had before; `NotFound` also when it may not be seen."""
    with kb.database.read() as session:
        return _seen(kb, articles.by_slug(session, slug), principal)


def ticket(kb: Kb, ticket_id: str, principal: Principal) -> StoredTicket:
    """A ticket by id, for staff."""
    with kb.database.read() as session:
        found = tickets.get(session, ticket_id)
    if found is None or not principal.is_staff:
        raise NotFound("there is no such ticket")
    return found


def scripts_of(kb: Kb, article: StoredArticle, principal: Principal) -> list[StoredArticle]:
    """The scripts tied to an article."""
    with kb.database.read() as session:
        found = articles.scripts_of(session, articles.names_of(article))
    return [script for script in found if may_see(principal, script.facts, kb.clock())]


def scripts(kb: Kb, text: str, principal: Principal) -> list[StoredArticle]:
    """Scripts that match, best first; without text the first ones by id."""
    with kb.database.read() as session:
        if text.strip():
            ids = _found(kb, text, principal)
            found = [script for key in ids if (script := articles.get(session, key))]
        else:
            found = [a for a in articles.published(session) if a.facts.kind is Kind.SCRIPT]
    return [script for script in found if may_be_offered(principal, script.facts, kb.clock())][:LISTED]


def categories(kb: Kb, principal: Principal) -> list[tuple[Category, int]]:
    """Categories with the number of documents the principal may read; others than staff get no name of an empty one."""
    now = kb.clock()
    with kb.database.read() as session:
        counts = Counter(a.content.category for a in articles.published(session) if may_see(principal, a.facts, now))
        found = [(category, counts[category.slug]) for category in articles.categories(session)]
    return [(category, count) for category, count in found if count or principal.is_staff]


def category(kb: Kb, slug: str) -> Category:
    """A category by slug; one that nobody named is called by its slug."""
    with kb.database.read() as session:
        found = {category.slug: category for category in articles.categories(session)}
    return found.get(slug, Category(slug, slug, slug))


def readiness(kb: Kb) -> Readiness:
    """Check the database, the index and the encoder. Being some changes behind is no reason not to answer."""
    checks: dict[str, Any] = {}
    ready = True
    try:
        status = indexing.status(kb)
        index = kb.engine.index()
        checks["index"] = {
            "generation": index.manifest.number,
            "documents": index.manifest.documents,
            "behind": max(0, status.outbox_id - index.manifest.outbox_id),
            "waiting_since": status.waiting_since,
        }
    except (SearchError, KbError) as error:
        ready = False
        checks["index"] = {"problem": type(error).__name__}
    checks["encoder"] = "ok" if kb.encoder else "none"
    return Readiness(ready, checks)


def _seen(kb: Kb, found: StoredArticle | None, principal: Principal) -> StoredArticle:
    if found is None or not may_see(principal, found.facts, kb.clock()):
        raise NotFound("there is no such article", "It may have been renamed or archived; search for it.")
    return found


def _found(kb: Kb, text: str, principal: Principal) -> list[str]:
    now = int(kb.clock())
    query = Query(text[:1000], principal.audience, now, kinds=(Kind.SCRIPT,), top_k=LISTED, below_threshold=True)
    answer = kb.engine.answer(query, visible_to(principal, kb.database, now))
    return [hit.document.id for hit in answer.hits]
