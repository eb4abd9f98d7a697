"""A process that publishes, edits and archives without end, and tells what it begins and what is done.

`python -m tests.faults.editor JOURNAL SEED PLACE OF`: articles belong to one editor each, PLACE of OF. On standard input
`g` lets it go and `h` holds it, which is acknowledged by a line in the journal; the end ends it.
"""

from __future__ import annotations

import json
import os
import select
import string
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TextIO

from indexer.articles import ArticleFile
from kb_app import publishing
from kb_app.kb import Kb, open_kb
from kb_app.publishing import Origin
from kb_app.settings import load_settings
from kb_app.store import articles
from kb_app.store.articles import State
from search.types import Audience

AUTHOR = "editor"


def token(random: Random) -> str:
    """A word that no other text has."""
    return "".join(random.choices("bcdfghjklmnpqrstvwxz", k=12))


def article(article_id: str, word: str, category: str = "faults") -> ArticleFile:
    """An article that holds its word in every field, so that a half-written one shows."""
    return ArticleFile(
        id=article_id,
        title=f"停电以后怎么办 {word}",
        body=f"先看 {word}。\n\n## 再看 {word}\n\n" + f"一行 {word}\n\n" * 5 + f"完 {word}",
        category=category,
        summary=f"摘要 {word}",
        tags=(word,),
        questions=(f"{word} 怎么办",),
        audience=Audience.PUBLIC,
    )


@dataclass
class Editor:
    """Does one random thing at a time; every act is told before it begins and after it is done."""

    kb: Kb
    journal: TextIO
    random: Random
    place: int
    of: int
    own: list[str] = field(default_factory=list)

    def act(self) -> None:
        """Publish a new article, give one another text, or archive one."""
        kind = self.random.choices(("new", "edit", "archive"), (3, 5, 1))[0]
        if kind == "new" or not self.own:
            self.publish(self._new_id())
        elif kind == "edit":
            self.publish(self.random.choice(self.own))
        else:
            self.archive(self.random.choice(self.own))

    def publish(self, article_id: str) -> None:
        """Store a version with a new word."""
        word = token(self.random)
        self._tell("begin", article_id, word, "published")
        with self.kb.database.read() as session:
            stored = articles.get(session, article_id)
        content = article(article_id, word, stored.content.category if stored else "faults")
        slug = stored.slug if stored else article_id.replace("_", "-")
        publishing.publish(self.kb, slug, content, Origin(AUTHOR, word))
        self._tell("done", article_id, word, "published")
        if article_id not in self.own:
            self.own.append(article_id)

    def archive(self, article_id: str) -> None:
        """Take an article out; the reason is a word, which finds its audit row."""
        word = token(self.random)
        self._tell("begin", article_id, word, "archived")
        with self.kb.database.write() as session:
            publishing.archive(session, self.kb, article_id, Origin(AUTHOR, word))
        self._tell("done", article_id, word, "archived")

    def take(self) -> None:
        """Make every published article that belongs here one's own."""
        with self.kb.database.read() as session:
            found = [a.facts.id for a in articles.every(session) if a.facts.state is State.PUBLISHED]
        self.own = [key for key in found if _owner(key, self.of) == self.place]

    def _new_id(self) -> str:
        while True:
            new = "a_" + "".join(self.random.choices(string.ascii_lowercase + string.digits, k=8))
            if _owner(new, self.of) == self.place:
                return new

    def _tell(self, what: str, article_id: str, word: str, state: str) -> None:
        line = {"what": what, "id": article_id, "word": word, "state": state}
        # One write: what has been told survives the death of this process.
        os.write(self.journal.fileno(), json.dumps(line).encode() + b"\n")


def _owner(article_id: str, of: int) -> int:
    return zlib.crc32(article_id.encode()) % of


def main(journal: str, seed: str, place: int, of: int) -> None:
    """Follow the orders on standard input."""
    kb = open_kb(load_settings())
    with Path(journal).open("a", encoding="utf-8") as file:
        editor = Editor(kb, file, Random(seed), place, of)
        editor.take()
        going = False
        _tell_held(file)
        while order := _order(0.0 if going else None):
            if order == "h":
                _tell_held(file)
            going = order != "h"
            if going:
                editor.act()
                select.select([], [], [], editor.random.uniform(0.0, 0.4))
    kb.close()


def _tell_held(journal: TextIO) -> None:
    os.write(journal.fileno(), b'{"what": "held"}\n')


def _order(wait: float | None) -> str:
    """`g` or `h`, "same" when there is no new order, "" at the end."""
    if not select.select([0], [], [], wait)[0]:
        return "same"
    return os.read(0, 1).decode()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
