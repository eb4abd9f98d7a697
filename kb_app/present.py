"""Answers and articles as JSON, each caller getting the fields that are theirs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import nh3

from indexer.markdown import for_audience
from kb_app.access import Principal
from kb_app.answering import Asked
from kb_app.store.articles import StoredArticle
from search.types import FOREVER, Hit, Kind, Script

STAFF_FIELDS = frozenset({"verified_by", "verified_at", "evidence"})
"""Fields of a hit that a bot's key never gets; `why.matched_question` is one more."""


def answer_json(asked: Asked, principal: Principal, with_html: bool) -> dict[str, Any]:
    """An answer for a principal."""
    answer = asked.answer
    return {
        "query_id": asked.query_id,
        "decision": answer.decision.value,
        "dialogue": {"act": "question", "text": "", "options": []},
        "confidence": answer.confidence,
        "degraded": list(answer.degraded),
        "completions": list(answer.completions),
        "hits": [_hit(hit, asked, principal, with_html) for hit in answer.hits],
        "timing_ms": dict(answer.timing_ms),
        "index": {"generation": answer.generation, "documents": answer.documents},
    }


def article_json(article: StoredArticle, principal: Principal) -> dict[str, Any]:
    """An article as the principal may read it: without internal blocks for others than staff."""
    content = article.content
    return {
        "id": article.facts.id,
        "kind": content.kind.value,
        "slug": article.slug,
        "title": content.title,
        "summary": content.summary,
        "category": content.category,
        "tags": list(content.tags),
        "product": content.product,
        "audience": content.audience.name.lower(),
        "state": content.state.value,
        "version": article.facts.version,
        "valid_until": iso(content.valid_until),
        "updated_at": article.updated_at,
        "url": url(content.kind, article.slug, ""),
        "html": article.html_internal if principal.is_staff else article.html_public,
        "markdown": for_audience(content.body, principal.audience),
        "script": script_json(article) if content.kind is Kind.SCRIPT else None,
    }


def script_json(article: StoredArticle) -> dict[str, Any]:
    """A script's text, variables and variants."""
    content = article.content
    return _script(Script(content.body, tuple(v.name for v in content.variables), content.channels))


def url(kind: Kind, slug: str, anchor: str) -> str:
    """Where a document is read."""
    folder = "tickets" if kind is Kind.TICKET else "articles"
    return f"/{folder}/{slug}" + (f"#h-{anchor}" if anchor else "")


def iso(seconds: int) -> str | None:
    """Epoch seconds as ISO 8601 in UTC, None for never."""
    return None if seconds >= FOREVER else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _hit(hit: Hit, asked: Asked, principal: Principal, with_html: bool) -> dict[str, Any]:
    document = hit.document
    article = asked.articles.get(document.id)
    fields = {
        "id": document.id,
        "kind": document.kind.value,
        "title": document.title,
        "section": hit.section,
        "url": url(document.kind, document.slug, hit.anchor),
        "answer": hit.answer,
        "highlights": [list(span) for span in hit.highlights],
        "html": _html(hit) if with_html else None,
        "below_threshold": hit.below_threshold,
        "confidence": hit.confidence,
        "score": hit.score,
        "why": _why(hit, principal),
        "category": document.category,
        "tags": list(document.tags),
        "audience": hit.audience.name.lower(),
        "state": article.facts.state.value if article else "published",
        "version": document.version,
        "verified_by": article.verified_by if article else None,
        "verified_at": article.verified_at if article else None,
        "valid_until": iso(document.valid_until),
        "updated_at": document.updated_at,
        "script": _hit_script(document.script, asked.scripts.get(document.id)),
        "evidence": {"tickets": 0, "used": asked.uses.get(document.id, 0)},
    }
    return {key: value for key, value in fields.items() if principal.is_staff or key not in STAFF_FIELDS}


def _hit_script(own: Script | None, tied: StoredArticle | None) -> dict[str, Any] | None:
    """A script hit's own text, or that of the script tied to an article."""
    if own:
        return _script(own)
    return script_json(tied) if tied else None


def _why(hit: Hit, principal: Principal) -> dict[str, Any]:
    why = hit.why
    shown: dict[str, Any] = {
        "terms": list(why.terms),
        "synonyms": [list(pair) for pair in why.synonyms],
        "pinyin": list(why.pinyin),
        "corrected": why.corrected,
        "lexical_rank": why.lexical_rank,
        "semantic_rank": why.semantic_rank,
    }
    return shown | ({"matched_question": why.matched_question} if principal.is_staff else {})


def _script(script: Script) -> dict[str, Any]:
    return {"text": script.text, "variables": list(script.variables), "variants": dict(script.variants)}


def _html(hit: Hit) -> str:
    """The answering sentences as paragraphs; text only, so escaping is all that is needed."""
    return "".join(f"<p>{nh3.clean_text(line)}</p>" for line in hit.answer.splitlines())
