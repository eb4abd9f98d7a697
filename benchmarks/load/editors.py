"""Editors who save, as a process of their own: `python -m benchmarks.load.editors`, KB_HOME in the environment.

Every line of output is an `Edited` as JSON. Times are of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import string
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from indexer.articles import ArticleFile, State
from kb_app import publishing
from kb_app.kb import Kb, open_kb
from kb_app.publishing import Origin
from kb_app.settings import load_settings
from kb_app.store import articles
from kb_app.store.articles import StoredArticle
from search.types import Kind

ARCHIVED = 0.2
"""How often an editor archives what they saved last instead of saving the next article."""
LETTERS = 10
SIGN = "编号 "
"""What stands before the word, both as a question that is often asked and as the last paragraph."""
ORIGIN = Origin("load", "load test")
_printing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Edited:
    """A change that was acknowledged at `at`, or the `error` instead; `word` is only in that version."""

    act: str
    article: str
    version: int
    word: str
    at: float
    seconds: float
    error: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--editors", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--every", type=float, required=True, help="seconds between two changes of an editor")
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    kb = open_kb(load_settings())
    try:
        _edit_all(kb, given)
    finally:
        kb.close()


def marked(content: ArticleFile, word: str) -> ArticleFile:
    """The article with `word` as a question and at its end, in place of the word of the last save."""
    body, asked = content.body.partition(f"\n\n{SIGN}")[0].rstrip(), [q for q in content.questions if SIGN not in q]
    return replace(content, body=f"{body}\n\n{SIGN}{word}\n", questions=(*asked, f"{SIGN}{word}"))


def new_word() -> str:
    """A word that no text holds, nor that of an earlier run."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(LETTERS))


def _edit_all(kb: Kb, given: argparse.Namespace) -> None:
    texts, until = _texts(kb), time.monotonic() + given.seconds
    editors = [
        threading.Thread(
            target=_edit,
            args=(kb, texts[number :: given.editors], random.Random(f"{given.seed} {number}"), given.every, until),
        )
        for number in range(given.editors)
    ]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join()


def _texts(kb: Kb) -> list[str]:
    """Ids of the articles that readers see today."""
    now = kb.clock()
    with kb.database.read() as session:
        found = [article.facts for article in articles.published(session)]
    return [f.id for f in found if f.kind is Kind.ARTICLE and f.valid_from <= now < f.valid_until]


def _edit(kb: Kb, ids: Sequence[str], chance: random.Random, every: float, until: float) -> None:
    """One editor: articles in turn, each with a new word; now and then the last one is archived."""
    last: Edited | None = None
    time.sleep(chance.uniform(0, every))
    for turn in range(sys.maxsize):
        if time.monotonic() >= until:
            return
        if last and last.act == "save" and not last.error and chance.random() < ARCHIVED:
            last = _archive(kb, last)
        else:
            last = _save(kb, ids[turn % len(ids)], new_word())
        _tell(last)
        time.sleep(chance.uniform(0.5, 1.5) * every)


def _save(kb: Kb, article_id: str, word: str) -> Edited:
    before = _read(kb, article_id)
    content = replace(marked(before.content, word), state=State.PUBLISHED)
    started, error = time.monotonic(), ""
    try:
        publishing.publish(kb, before.slug, content, ORIGIN)
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    ended = time.monotonic()
    return Edited("save", article_id, before.facts.version + 1, word, ended, ended - started, error)


def _archive(kb: Kb, last: Edited) -> Edited:
    started, error = time.monotonic(), ""
    try:
        with kb.database.write() as session:
            publishing.archive(session, kb, last.article, ORIGIN)
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    ended = time.monotonic()
    return Edited("archive", last.article, last.version, last.word, ended, ended - started, error)


def _read(kb: Kb, article_id: str) -> StoredArticle:
    with kb.database.read() as session:
        found = articles.get(session, article_id)
    assert found is not None
    return found


def _tell(edited: Edited) -> None:
    with _printing:
        print(json.dumps(asdict(edited)), flush=True)


if __name__ == "__main__":
    main()
