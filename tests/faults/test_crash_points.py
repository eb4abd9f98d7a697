"""The process dies at every named step of publishing and indexing; the next start mends it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest

from kb_app.store import articles
from search.crash import POINTS, STATUS, VARIABLE
from tests.faults.editor import Editor
from tests.faults.oracle import expected, problems
from tests.faults.places import answer_ids, command, opened, start_module, verified
from tests.faults.rounds import Round, rounds

TRIES = 12


def crash_while_publishing(place: Path, journal: Path, turn: Round, point: str) -> int:
    """How a process ended that published under orders to crash."""
    seed = f"{turn.seed}/{turn.test}/{turn.number}"
    return start_module(place, "busy", str(journal), seed, "2", **{VARIABLE: point}).wait(120)


def crash_while_indexing(place: Path, journal: Path, random: Random, point: str, lexical: str) -> list[int]:
    """How commands ended that brought files and index up to date under orders to crash, until one did.

    Some steps are part of a full build only, some of a small change only (which Whoosh does not know), some need
    generations to throw away.
    """
    ended: list[int] = []
    for _ in range(TRIES):
        edit(place, journal, random)
        arguments = random.choice((("sync",), ("index", "build")))
        ended.append(run(place, *arguments, **{VARIABLE: point, "KB_LEXICAL": lexical}).returncode)
        if ended[-1] == STATUS:
            break
    return ended


def run(place: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    done = command(place, *arguments, **more)
    assert done.returncode in (0, STATUS), done.stderr
    return done


def edit(place: Path, journal: Path, random: Random) -> None:
    """Publish another text for an article that has a file, and a new article."""
    kb = opened(place)
    with journal.open("a", encoding="utf-8") as file:
        editor = Editor(kb, file, random, 0, 1)
        editor.take()
        editor.publish(random.choice([key for key in editor.own if key.startswith("a_0000")]))
        editor.own.clear()
        editor.act()
    kb.close()


def mended(place: Path, journal: Path, random: Random, lexical: str) -> list[str]:
    """What is wrong after `kb sync`, the first thing that every start does."""
    run(place, "sync", KB_LEXICAL=lexical)
    kb = opened(place, KB_LEXICAL=lexical)
    try:
        found = problems(kb, [journal]) + verified(kb)
        for article_id, ways in expected([journal]).items():
            word = random.choice(ways).word
            if len(ways) == 1 and answer_ids(kb, word)[:1] != [article_id]:
                found.append(f"{article_id} is not found by {word}")
        return found
    finally:
        kb.close()


def crash_and_mend(point: str, made: Path, folder: Path, few: int) -> None:
    for turn in rounds(f"crash-{point}", few):
        with turn.logged() as found:
            place = Path(shutil.copytree(made, folder / str(turn.number)))
            (journal := folder / f"{turn.number}.jsonl").touch()
            random, lexical = turn.random, "whoosh" if turn.number % 3 == 0 and point != "index.clone" else "tantivy"
            if point.startswith("publish."):
                found["ended"] = [crash_while_publishing(place, journal, turn, point)]
            else:
                found["ended"] = crash_while_indexing(place, journal, random, point, lexical)
            assert found["ended"][-1] == STATUS, f"{point} is never reached"
            found["lexical"] = lexical
            assert mended(place, journal, random, lexical) == []


@pytest.mark.faults
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_this_point_is_mended_by_the_next_start(point: str, small_made: Path, tmp_path: Path) -> None:
    crash_and_mend(point, small_made, tmp_path, 5)


@pytest.mark.parametrize("point", ["publish.after_commit", "index.pointer"])
def test_a_crash_is_mended(point: str, small_made: Path, tmp_path: Path) -> None:
    crash_and_mend(point, small_made, tmp_path, 1)


def test_a_crash_before_the_commit_leaves_nothing_and_one_after_it_everything(small_made: Path, tmp_path: Path) -> None:
    for point, there in (("publish.before_commit", False), ("publish.after_commit", True)):
        place = Path(shutil.copytree(small_made, tmp_path / point))
        (journal := tmp_path / f"{point}.jsonl").touch()
        assert crash_while_publishing(place, journal, Round("commit", 1, "1"), point) == STATUS
        (ways,) = expected([journal]).values()
        kb = opened(place)
        with kb.database.read() as session:
            texts = [a.content.body for a in articles.every(session)]
        kb.close()
        assert any(ways[-1].word in text for text in texts) is there
