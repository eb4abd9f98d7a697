"""Write the knowledge base out."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from indexer.articles import article_text
from indexer.markdown import for_audience
from kb_app.access import ANYBODY, may_see
from kb_app.errors import BadInput
from kb_app.kb import Kb
from kb_app.store import articles
from kb_app.store.articles import StoredArticle
from search.types import Audience, Kind

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\x00")


def export(kb: Kb, target: Path, form: str, audience: Audience) -> int:
    """Write every article that `audience` may have as a zip of Markdown or as JSON Lines; how many."""
    if target.is_dir():
        raise BadInput(f"{target} is a folder", "Name a file.")
    with kb.database.read() as session:
        found = [
            _for(article, audience) for article in articles.every(session) if _allowed(article, audience, kb.clock())
        ]
    write = {"md-zip": _write_zip, "jsonl": _write_jsonl}[form]
    write(target, found, kb.settings.timezone)
    return len(found)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV file that spreadsheets open without running formulas."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    path.write_text(text.getvalue(), "utf-8-sig")


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not text.lstrip("-").isdigit() else text


def _allowed(article: StoredArticle, audience: Audience, now: float) -> bool:
    return audience is Audience.INTERNAL or may_see(ANYBODY, article.facts, now)


def _for(article: StoredArticle, audience: Audience) -> StoredArticle:
    return replace(article, content=replace(article.content, body=for_audience(article.content.body, audience)))


def _write_zip(target: Path, found: list[StoredArticle], timezone: str) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for article in found:
            archive.writestr(_name(article), article_text(article.content, timezone))


def _write_jsonl(target: Path, found: list[StoredArticle], timezone: str) -> None:
    target.write_text("".join(_lines(found, timezone)), "utf-8")


def _lines(found: list[StoredArticle], timezone: str) -> Iterator[str]:
    for article in found:
        record = {
            "id": article.facts.id,
            "slug": article.slug,
            "version": article.facts.version,
            "updated_at": article.updated_at,
            "text": article_text(article.content, timezone),
        }
        yield json.dumps(record, ensure_ascii=False) + "\n"


def _name(article: StoredArticle) -> str:
    folder = f"scripts/{article.content.category}" if article.facts.kind is Kind.SCRIPT else article.content.category
    return f"{folder}/{article.slug}.md"
