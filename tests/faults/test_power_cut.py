"""The power goes at any write: what was acknowledged is there, and the index opens or is built anew by itself."""

from __future__ import annotations

import ctypes.util
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.faults.oracle import problems, published_words, read_journal
from tests.faults.places import answer_ids, command, opened, refuses_clearly, start_module, verified
from tests.faults.rounds import Round, rounds
from tests.kb_app.conftest import ROOT

ACTS = 9
NEVER = 10**9
CONTROLS = 6

_MISSING = [
    what
    for what, there in (
        ("/dev/fuse", os.access("/dev/fuse", os.R_OK | os.W_OK)),
        ("fusermount3 (Debian: fuse3)", shutil.which("fusermount3")),
        ("libfuse3", ctypes.util.find_library("fuse3")),
        ("mfusepy", importlib.util.find_spec("mfusepy")),
    )
    if not there
]
pytestmark = pytest.mark.skipif(bool(_MISSING), reason=f"cutting the power needs {', '.join(_MISSING)}")


@dataclass(frozen=True, slots=True)
class Cut:
    """What a power cut left: the place, the journal of what was acknowledged before, and how it went."""

    place: Path
    journal: Path
    fate: str
    changes: int
    lexical: str


@contextmanager
def mounted(source: Path, cut: Path, plan: dict[str, Any]) -> Iterator[Path]:
    """`source` on a disk that loses its power as planned."""
    (mount := source.with_name("mounted")).mkdir()
    arguments = [str(source), str(mount), str(cut), json.dumps(plan)]
    process = subprocess.Popen([sys.executable, "-m", "tests.faults.powered", *arguments], cwd=ROOT)
    try:
        deadline = time.monotonic() + 20
        while not os.path.ismount(mount):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield mount
    finally:
        subprocess.run(["fusermount3", "-u", str(mount)], check=True)
        process.wait(30)


def power_cut(made: Path, folder: Path, seed: str, plan: dict[str, Any], lexical: str = "tantivy") -> Cut:
    """Edit and index on a disk that loses its power as planned."""
    shutil.copytree(made, source := folder / "source")
    cut, journal = folder / "cut", folder / "journal.jsonl"
    journal.touch()
    with mounted(source, cut, plan) as mount, (folder / "busy.log").open("w") as log:
        process = start_module(mount, "busy", str(journal), seed, str(ACTS), stderr=log, KB_LEXICAL=lexical)
        status = process.wait(120)
    told = json.loads(cut.with_suffix(".json").read_text("utf-8"))
    assert status == (0 if plan["at"] == NEVER else 1), (folder / "busy.log").read_text("utf-8")
    return Cut(cut, journal, told["fate"], told["changes"], lexical)


@pytest.fixture(scope="session")
def all_changes(small_made: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many changes the disk sees when the power stays."""
    folder = tmp_path_factory.mktemp("uncut")
    cut = power_cut(small_made, folder, "1", {"at": NEVER, "seed": "1", "honest": True})
    assert len(read_journal(cut.journal).done) == ACTS
    return cut.changes


def one_cut(turn: Round, made: Path, folder: Path, changes: int, honest: bool = True, lexical: str = "tantivy") -> Cut:
    seed = f"{turn.seed}/{turn.test}/{turn.number}"
    plan = {"at": turn.random.randint(1, changes * 9 // 10), "seed": seed, "honest": honest}
    folder.mkdir()
    return power_cut(made, folder, "1" if turn.number % 2 else seed, plan, lexical)


def damage(cut: Cut, random: Random) -> list[str]:
    """What is wrong after a start on what the cut left."""
    done = command(cut.place, "sync", KB_LEXICAL=cut.lexical)
    unclear = refuses_clearly(done)
    if done.returncode or unclear:
        return [unclear or done.stderr]
    kb = opened(cut.place, KB_LEXICAL=cut.lexical)
    try:
        found = problems(kb, [cut.journal]) + verified(kb)
        words = published_words([cut.journal])
        if not found and words:
            article_id = random.choice(sorted(words))
            found += [] if answer_ids(kb, words[article_id])[:1] == [article_id] else [f"{article_id} is not found"]
        return found
    finally:
        kb.close()


def cut_often(name: str, few: int, made: Path, folder: Path, changes: int, lexical: str) -> None:
    for turn in rounds(name, few):
        with turn.logged() as found:
            cut = one_cut(turn, made, folder / str(turn.number), changes, lexical=lexical)
            found |= {"fate": cut.fate, "changes": cut.changes, "acknowledged": len(read_journal(cut.journal).done)}
            assert damage(cut, turn.random) == []
        shutil.rmtree(folder / str(turn.number))


@pytest.mark.faults
@pytest.mark.parametrize("lexical", ["tantivy", "whoosh"])
def test_a_power_cut_takes_nothing_acknowledged(
    lexical: str, small_made: Path, tmp_path: Path, all_changes: int
) -> None:
    cut_often(f"power-{lexical}", 25, small_made, tmp_path, all_changes, lexical)


@pytest.mark.faults
def test_a_disk_that_lies_about_syncing_loses_what_was_acknowledged(
    small_made: Path, tmp_path: Path, all_changes: int
) -> None:
    """The control: were this to pass unharmed, the test above would prove nothing."""
    harmed = 0
    for number in range(1, CONTROLS + 1):
        turn = Round("power-control", number, "1")
        cut = one_cut(turn, small_made, tmp_path / str(number), all_changes, honest=False)
        harmed += bool(damage(cut, turn.random))
    assert harmed
