"""Calls to the file system fail now and then: a clear word, nothing half written, and the next run mends it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.oracle import problems
from tests.faults.places import command, opened, refuses_clearly, verified, write_articles
from tests.faults.rounds import rounds
from tests.kb_app.conftest import ROOT, TICKET
from tests.kb_app.served import environment

ERRORS = (errno.EIO, errno.ENOSPC)
PROBABILITY = 0.01
TRIES = 5
pytestmark = pytest.mark.skipif(not shutil.which("fiu-run"), reason="failing calls need fiu-run (Debian: fiu-utils)")


def failing(place: Path, plan: dict[str, float], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`kb ARGUMENTS` while calls fail."""
    fiu = ["fiu-run", "-x", "-f", "", sys.executable, "-m", "tests.faults.failing", json.dumps(plan)]
    return subprocess.run(
        [*fiu, *arguments], cwd=ROOT, env=environment(place), capture_output=True, text=True, timeout=300
    )


@pytest.mark.faults
def test_failing_calls_are_told_and_survived(small_made: Path, tmp_path: Path) -> None:
    write_articles(tmp_path / "more", 20, 20_000)
    rows = [TICKET.replace('"T1"', f'"T{number}"') for number in range(100)]
    (tmp_path / "tickets.jsonl").write_text("".join(rows), "utf-8")
    actions = (
        ("sync",),
        ("index", "build"),
        ("import", "articles", str(tmp_path / "more"), "--name", "more"),
        ("import", "tickets", str(tmp_path / "tickets.jsonl"), "--name", "more"),
    )
    refused, turns = 0, list(rounds("io", 20))
    for turn in turns:
        with turn.logged() as found:
            random = turn.random
            place = Path(shutil.copytree(small_made, tmp_path / f"place-{turn.number}"))
            write_articles(place / "articles" / "news", 10, 30_000)
            number = random.choice(ERRORS)
            plan = {"errno": number, "probability": PROBABILITY, "seed": random.randrange(1 << 31)}
            arguments = actions[turn.number % len(actions)]
            done = failing(place, plan, *arguments)
            found |= {"action": " ".join(arguments[:2]), "errno": os.strerror(number), "code": done.returncode}
            assert refuses_clearly(done) == ""
            refused += done.returncode != 0
            _mends(place, arguments)
            shutil.rmtree(place)
    assert refused or len(turns) < 10, "no call ever failed"


def _mends(place: Path, arguments: tuple[str, ...]) -> None:
    for again in (arguments, ("sync",)):
        done = command(place, *again)
        assert done.returncode == 0, done.stderr
    kb = opened(place)
    try:
        assert problems(kb, []) + verified(kb) == []
    finally:
        kb.close()
