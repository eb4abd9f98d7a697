"""SIGKILL at any moment: no acknowledged write is lost, and a restart mends everything without a person."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from kb_app.kb import Kb
from tests.faults.oracle import problems, published_words, read_journal
from tests.faults.places import differences, make_place, opened, start_module
from tests.faults.rounds import Round, patience, rounds
from tests.kb_app.served import Served, gone

EDITORS = 4
READY_SECONDS = 10.0
MENDED_SECONDS = 30.0
VICTIMS = ("server", "web", "worker", "editor")


class Editors:
    """Four editors in processes of their own, which can be held and let go together."""

    def __init__(self, place: Path, seed: str) -> None:
        self._place = place
        self._seed = seed
        self._started = 0
        self.journals: list[Path] = []
        self._running: dict[int, tuple[subprocess.Popen[bytes], Path]] = {}
        for number in range(EDITORS):
            self._start(number)
        self._await_started()

    def go(self) -> None:
        for process, _ in self._running.values():
            _order(process, b"g")

    def hold(self) -> None:
        """Wait until each has ended what it was doing."""
        held = {path: read_journal(path).held for _, path in self._running.values()}
        for process, _ in self._running.values():
            _order(process, b"h")
        self._await_held(held)

    def kill_one(self, random: Random) -> None:
        process, _ = self._running[random.randrange(EDITORS)]
        process.kill()

    def replace_dead(self) -> None:
        """A dead editor's articles go to a new one; what it had told stays told."""
        for number, (process, _) in list(self._running.items()):
            if process.poll() is not None:
                assert process.stdin
                process.stdin.close()
                self._start(number)
        self._await_started()

    def _await_started(self) -> None:
        paths = [path for _, path in self._running.values()]
        self._await_held({path: 0 for path in paths if not read_journal(path).held})

    def _await_held(self, before: dict[Path, int]) -> None:
        deadline = time.monotonic() + 60
        while any(read_journal(path).held == count for path, count in before.items()):
            died = [process.returncode for process, _ in self._running.values() if process.poll() is not None]
            assert not died, f"an editor ended by itself with {died}"
            assert time.monotonic() < deadline, "an editor hangs"
            time.sleep(0.02)

    def stop(self) -> None:
        for process, _ in self._running.values():
            process.kill()
            process.wait()
            assert process.stdin
            process.stdin.close()

    def _start(self, number: int) -> None:
        self._started += 1
        journal = self._place / f"editor-{self._started}.jsonl"
        journal.touch()
        arguments = (str(journal), f"{self._seed}/{self._started}", str(number), str(EDITORS))
        self._running[number] = (start_module(self._place, "editor", *arguments, stdin=subprocess.PIPE), journal)
        self.journals.append(journal)


def _order(process: subprocess.Popen[bytes], order: bytes) -> None:
    assert process.stdin
    try:
        process.stdin.write(order)
        process.stdin.flush()
    except BrokenPipeError:
        process.wait()


class Killing:
    """A server under fire."""

    def __init__(self, place: Path, seed: str, slack: float) -> None:
        self._place = place
        self._slack = slack
        self._key = (place / "key").read_text("ascii")
        self._server = self._serve()
        self.editors = Editors(place, seed)

    def round(self, turn: Round, found: dict[str, Any]) -> None:
        """Let the editors go, kill something, and see that everything is as it must be."""
        random = turn.random
        victim = VICTIMS[turn.number % len(VICTIMS)]
        self.editors.go()
        time.sleep(random.uniform(0.1, 2.0))
        found["victim"] = victim
        self._kill(victim, random)
        killed = time.monotonic()
        if victim == "server":
            self._server = self._serve()
        self._await_ready(killed)
        found["ready"] = round(time.monotonic() - killed, 2)
        time.sleep(random.uniform(0.0, 0.5))
        self._check(found, random)

    def stop(self) -> None:
        self.editors.stop()
        self._server.stop()

    def _serve(self) -> Served:
        return Served(self._place, KB_PROCESSES="2", KB_LEXICAL="tantivy")

    def _kill(self, victim: str, random: Random) -> None:
        if victim == "editor":
            self.editors.kill_one(random)
        elif victim == "server":
            self._server.process.kill()
            self._server.process.wait()
        else:
            found = [pid for pid, line in self._server.children().items() if f" kb_app {victim} " in line]
            pid = random.choice(found)
            subprocess.run(["kill", f"-{signal.SIGKILL}", str(pid)], check=True)
            assert gone([pid], 10)

    def _await_ready(self, since: float) -> None:
        while not _ready(self._server.url):
            assert time.monotonic() - since < READY_SECONDS * self._slack, self._server.said[-3000:]
            time.sleep(0.05)
        assert time.monotonic() - since < READY_SECONDS * self._slack

    def _check(self, found: dict[str, Any], random: Random) -> None:
        self.editors.replace_dead()
        self.editors.hold()
        held = time.monotonic()
        kb = opened(self._place, KB_LEXICAL="tantivy")
        try:
            assert problems(kb, self.editors.journals) == []
            self._mended(found, held)
            self._finds(kb, found, random)
        finally:
            kb.close()

    def _mended(self, found: dict[str, Any], since: float) -> None:
        """`kb index verify` has nothing to say within half a minute."""
        while different := differences(self._place):
            assert time.monotonic() - since < MENDED_SECONDS * self._slack, (different[:5], self._server.said[-3000:])
        found["mended"] = round(time.monotonic() - since, 2)
        assert time.monotonic() - since < MENDED_SECONDS * self._slack

    def _finds(self, kb: Kb, found: dict[str, Any], random: Random) -> None:
        """The newest text of an acknowledged article is found over HTTP."""
        words = published_words(self.editors.journals)
        found["acknowledged"] = sum(len(read_journal(path).done) for path in self.editors.journals)
        if not words:
            return
        article_id = random.choice(sorted(words))
        deadline = time.monotonic() + 10 * self._slack
        while not self._first_is(article_id, words[article_id]):
            assert time.monotonic() < deadline, (article_id, self._server.ask(self._key, words[article_id]))
            time.sleep(0.1)

    def _first_is(self, article_id: str, word: str) -> bool:
        hits = self._server.ask(self._key, word)["hits"]
        return bool(hits) and hits[0]["id"] == article_id and word in json.dumps(hits[0])


def _ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/readyz", timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


@contextmanager
def killing(place: Path, seed: str, slack: float) -> Iterator[Killing]:
    started = Killing(place, seed, slack)
    try:
        yield started
    finally:
        started.stop()


def kill_loop(name: str, place: Path, few: int, slack: float = 1.0) -> None:
    turns = list(rounds(name, few))
    if not turns:
        return
    with killing(place, f"{turns[0].seed}/{name}/{turns[0].number}", slack * patience()) as under_fire:
        for turn in turns:
            with turn.logged() as found:
                under_fire.round(turn, found)


@pytest.mark.faults
def test_nothing_acknowledged_is_lost_whatever_is_killed(middle: Path) -> None:
    kill_loop("kill", middle, 55)


@pytest.mark.faults
def test_nothing_acknowledged_is_lost_among_ten_thousand_articles(tmp_path: Path) -> None:
    kill_loop("kill-10000", make_place(tmp_path / "large", 10_000, KB_LEXICAL="tantivy"), 5)


def test_nothing_acknowledged_is_lost_in_a_few_kills(small: Path) -> None:
    # Beside other tests nothing is promised about time.
    kill_loop("kill-few", small, 4, slack=6.0)
