"""What the database must hold after a crash, told from the journals of the editors alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kb_app.kb import Kb
from kb_app.store import journal
from tests.faults.editor import AUTHOR


@dataclass(frozen=True, slots=True)
class Act:
    """One publication or archiving, as an editor told it."""

    id: str
    word: str
    state: str


@dataclass
class Told:
    """What one editor told: acts that are done, in order, and the one it was at when it ended, if any."""

    done: list[Act] = field(default_factory=list)
    begun: Act | None = None
    held: int = 0


def read_journal(path: Path) -> Told:
    """Read a journal; a last line that is cut off was never told."""
    told = Told()
    for line in path.read_bytes().split(b"\n")[:-1]:
        said = json.loads(line)
        what = said.pop("what")
        if what == "held":
            told.held += 1
        elif what == "begin":
            told.begun = Act(**said)
        else:
            told.done.append(Act(**said))
            told.begun = None
    return told


@dataclass(frozen=True, slots=True)
class Expected:
    """How an article must stand: the word of its text, its state, and what else would be right too."""

    word: str
    state: str


_UNTOUCHED = Expected("", "published")


def expected(journals: Sequence[Path]) -> dict[str, list[Expected]]:
    """By article: how it must stand, or how it may if the act that was cut short went through."""
    result: dict[str, list[Expected]] = {}
    for told in map(read_journal, journals):
        for act in told.done:
            result[act.id] = _after(result.get(act.id, [_UNTOUCHED]), act)
        if told.begun:
            before = result.get(told.begun.id, [_UNTOUCHED, Expected("", "missing")])
            result[told.begun.id] = [*before, *_after(before, told.begun)]
    return result


def published_words(journals: Sequence[Path]) -> dict[str, str]:
    """The word of every article that certainly is published, by id."""
    found = expected(journals)
    return {key: ways[0].word for key, ways in found.items() if len(ways) == 1 and ways[0].state == "published"}


def problems(kb: Kb, journals: Sequence[Path]) -> list[str]:
    """Every acknowledged act that is not there, every half-written article, every hole in the audit log."""
    with sqlite3.connect(kb.settings.home / "knowledge.sqlite") as connection:
        connection.row_factory = sqlite3.Row
        found = [f"sqlite: {row[0]}" for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        found += [f"foreign key: {tuple(row)}" for row in connection.execute("PRAGMA foreign_key_check")]
        found += [*_lost(connection, journals), *_half_written(connection), *_without_audit(connection)]
    connection.close()
    with kb.database.read() as session:
        found += [f"audit chain broken at {number}" for number in journal.broken_links(session)]
    return found


def _after(ways: Sequence[Expected], act: Act) -> list[Expected]:
    if act.state == "published":
        return [Expected(act.word, "published")]
    return [Expected(way.word, "archived") for way in ways]


def _lost(connection: sqlite3.Connection, journals: Sequence[Path]) -> Iterator[str]:
    """Acts that were acknowledged: their version or audit row, and where the article stands now."""
    versions = {(row["article_id"], row["reason"]) for row in connection.execute("SELECT * FROM article_versions")}
    reasons = {json.loads(row["detail"]).get("reason") for row in connection.execute("SELECT detail FROM audit")}
    for path in journals:
        for act in read_journal(path).done:
            there = (act.id, act.word) in versions if act.state == "published" else act.word in reasons
            if not there:
                yield f"lost: {act}"
    stands = {row["id"]: row for row in connection.execute(_CURRENT)}
    for key, ways in expected(journals).items():
        row = stands.get(key)
        state, text = (row["state"], row["markdown"]) if row else ("missing", "")
        if not any(state == way.state and way.word in text for way in ways):
            yield f"{key} is {state} with {text[:40]!r}, not {ways}"


_CURRENT = (
    "SELECT a.id, a.state, v.markdown FROM articles a "
    "LEFT JOIN article_versions v ON v.article_id = a.id AND v.number = a.version"
)


def _half_written(connection: sqlite3.Connection) -> Iterator[str]:
    query = "SELECT a.id, a.version, COUNT(v.id), MAX(v.number) FROM articles a LEFT JOIN article_versions v ON v.article_id = a.id GROUP BY a.id"
    for key, version, count, last in connection.execute(query):
        if not version == count == last:
            yield f"{key} has version {version} and {count} texts up to {last}"
    for row in connection.execute("SELECT * FROM article_versions WHERE author = ?", (AUTHOR,)):
        word = row["reason"]
        fields = ("title", "summary", "tags", "questions", "html_public", "html_internal")
        wrong = [name for name in fields if word not in row[name]]
        if wrong or row["markdown"].count(word) != 8 or not row["markdown"].endswith(f"完 {word}"):
            yield f"{row['article_id']} version {row['number']} is half written: {wrong or 'markdown'}"


def _without_audit(connection: sqlite3.Connection) -> Iterator[str]:
    audited = {
        (row["subject"], json.loads(row["detail"]).get("version"))
        for row in connection.execute("SELECT subject, detail FROM audit")
    }
    for key, number in connection.execute("SELECT article_id, number FROM article_versions"):
        if (key, number) not in audited:
            yield f"{key} version {number} has no audit row"
    announced = {row[0] for row in connection.execute("SELECT subject FROM outbox")}
    for (key,) in connection.execute("SELECT id FROM articles"):
        if key not in announced:
            yield f"{key} was never announced to the index"
