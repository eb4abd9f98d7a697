"""Store a version of an article: the text, the audit line and the outbox row in one transaction."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, replace

from indexer.articles import ArticleFile
from indexer.markdown import for_audience
from kb_app.clock import stamp
from kb_app.kb import Kb
from kb_app.store import articles, journal
from kb_app.store.articles import Html, NewVersion, State
from kb_app.store.database import Session
from search.crash import crash_point
from search.types import Audience, Kind

_ALPHABET = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Origin:
    """Who changes an article, why, and the file it came from, if any."""

    author: str
    reason: str
    source_path: str | None = None
    file_hash: str | None = None


def new_id(kind: Kind) -> str:
    """A permanent public id."""
    prefix = "s" if kind is Kind.SCRIPT else "a"
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(8))


def render(kb: Kb, content: ArticleFile) -> Html:
    """Both renderings of an article; `RenderRefused` when it cannot be rendered safely."""
    if content.kind is Kind.SCRIPT:
        return Html("", "")
    public = kb.renderer.render(for_audience(content.body, Audience.PUBLIC)).html
    has_internal = for_audience(content.body, Audience.PUBLIC) != content.body
    return Html(public, kb.renderer.render(content.body).html if has_internal else public)


def save_version(session: Session, kb: Kb, slug: str, content: ArticleFile, html: Html, origin: Origin) -> int:
    """Store `content` (which has its id) as the newest version; its number."""
    at = stamp(kb.clock)
    number = articles.save(
        session,
        NewVersion(
            article_id=content.id,
            slug=slug,
            content=content,
            html=html,
            author=origin.author,
            reason=origin.reason,
            at=at,
            source_path=origin.source_path,
            synced_hash=origin.file_hash,
        ),
    )
    journal.record(session, at, origin.author, f"article.{content.state.value}", content.id, version=number)
    journal.announce(session, journal.Topic.ARTICLE, content.id, at)
    return number


def publish(kb: Kb, slug: str, content: ArticleFile, origin: Origin) -> str:
    """Render and store an article in a transaction of its own; its id."""
    content = content if content.id else replace(content, id=new_id(content.kind))
    html = render(kb, content)
    with kb.database.write() as session:
        save_version(session, kb, slug, content, html, origin)
        crash_point("publish.before_commit")
    crash_point("publish.after_commit")
    return content.id


def archive(session: Session, kb: Kb, article_id: str, origin: Origin) -> None:
    """Take an article out of every answer; its versions stay."""
    at = stamp(kb.clock)
    articles.set_state(session, article_id, State.ARCHIVED, at)
    journal.record(session, at, origin.author, "article.archived", article_id, reason=origin.reason)
    journal.announce(session, journal.Topic.ARTICLE, article_id, at)
