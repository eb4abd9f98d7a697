"""The disk fills up at any moment: a clear word, nothing half written, the old index still answers, and it recovers."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from random import Random
from urllib.error import HTTPError

import pytest

from tests.faults.oracle import problems
from tests.faults.places import (
    answer_ids,
    command,
    differences,
    is_root,
    opened,
    refuses_clearly,
    start_module,
    verified,
    write_articles,
)
from tests.faults.rounds import rounds
from tests.faults.scarce import fill, little_disk, make_room, may_not_grow
from tests.kb_app.conftest import TICKET
from tests.kb_app.served import Served

QUESTION = "退款多久到账"
ACTIONS = ("import articles", "import tickets", "rebuild", "sync", "publish")
mounts = pytest.mark.skipif(not is_root(), reason="a disk of its own is mounted by root only")


def prepare(place: Path) -> None:
    """Things to import, beside the disk that will be full."""
    write_articles(place / "more", 60, 20_000)
    rows = [TICKET.replace('"T1"', f'"T{number}"') for number in range(300)]
    (place / "tickets.jsonl").write_text("".join(rows), "utf-8")


def act(action: str, place: Path, beside: Path, limit: int | None, random: Random) -> tuple[bool, str]:
    """Do one thing: whether it was refused, and what is wrong with how, "" when nothing."""
    prefix = may_not_grow(limit) if limit else []
    arguments = {
        "import articles": ("import", "articles", str(beside / "more"), "--name", "more"),
        "import tickets": ("import", "tickets", str(beside / "tickets.jsonl"), "--name", "more"),
        "rebuild": ("index", "build"),
        "sync": ("sync",),
    }
    if action in arguments:
        done = command(place, *arguments[action], prefix=prefix)
        return done.returncode != 0, refuses_clearly(done)
    with (beside / "publish.log").open("w") as log:
        seed = str(random.random())
        journal = str(beside / "journal.jsonl")
        process = start_module(place, "busy", journal, seed, "6", stderr=log, prefix=prefix)
        code = process.wait(120)
    return code != 0, "" if code in (0, 1) else f"publishing ended with {code}"


def still_answers(place: Path) -> list[str]:
    """What the index that is there answers, on the full disk."""
    kb = opened(place)
    try:
        return answer_ids(kb, QUESTION)
    finally:
        kb.close()


def recovered(place: Path, beside: Path) -> list[str]:
    """What is wrong once there is room again and somebody repeats the import."""
    for arguments in (("sync",), ("import", "articles", str(beside / "more"), "--name", "more")):
        done = command(place, *arguments)
        if done.returncode:
            return [done.stderr]
    kb = opened(place)
    try:
        return problems(kb, [beside / "journal.jsonl"]) + verified(kb)
    finally:
        kb.close()


def leftovers(place: Path) -> list[str]:
    """Half-made things that nothing will ever clear away."""
    index = place / "home" / "index"
    return [path.name for path in index.iterdir() if path.name.endswith(".building")]


@mounts
@pytest.mark.faults
def test_a_full_disk_is_told_and_survived(small_made: Path, tmp_path: Path) -> None:
    refused, turns = 0, list(rounds("full", 20))
    prepare(tmp_path)
    for turn in turns:
        with turn.logged() as found, little_disk(tmp_path / f"disk-{turn.number}", 64) as disk:
            place = Path(shutil.copytree(small_made, disk / "place"))
            (tmp_path / "journal.jsonl").write_bytes(b"")
            random, action = turn.random, ACTIONS[turn.number % len(ACTIONS)]
            left = int(4096 * 2 ** random.uniform(0, 9))
            found |= {"action": action, "left": left}
            before = still_answers(place)
            write_articles(place / "articles" / "news", 30, 30_000)
            fill(disk, left)
            found["refused"], unclear = act(action, place, tmp_path, None, random)
            assert unclear == ""
            refused += found["refused"]
            assert still_answers(place)[:1] == before[:1]
            make_room(disk)
            assert recovered(place, tmp_path) == []
            assert leftovers(place) == []
    assert refused or len(turns) < 10, "the disk was never too small"


@pytest.mark.faults
def test_files_that_may_not_grow_are_told_and_survived(small_made: Path, tmp_path: Path) -> None:
    prepare(tmp_path)
    for turn in rounds("no-growth", 5):
        with turn.logged() as found:
            place = Path(shutil.copytree(small_made, tmp_path / f"place-{turn.number}"))
            (tmp_path / "journal.jsonl").write_bytes(b"")
            random, action = turn.random, ACTIONS[turn.number % len(ACTIONS)]
            limit = int(4096 * 2 ** random.uniform(0, 8))
            found |= {"action": action, "limit": limit}
            before = still_answers(place)
            write_articles(place / "articles" / "news", 30, 30_000)
            found["refused"], unclear = act(action, place, tmp_path, limit, random)
            assert unclear == ""
            assert still_answers(place)[:1] == before[:1]
            assert recovered(place, tmp_path) == []
            assert leftovers(place) == []


@mounts
@pytest.mark.faults
def test_a_server_on_a_full_disk_goes_on_answering_and_catches_up(small_made: Path, tmp_path: Path) -> None:
    with little_disk(tmp_path / "disk", 64) as disk:
        place = Path(shutil.copytree(small_made, disk / "place"))
        key = (place / "key").read_text("ascii")
        (journal := tmp_path / "journal.jsonl").touch()
        served = Served(place, KB_PROCESSES="2")
        try:
            before = served.ask(key, QUESTION)["hits"]
            for turn in rounds("full-served", 4):
                with turn.logged() as found:
                    random = turn.random
                    found["left"] = left = int(4096 * 2 ** random.uniform(0, 6))
                    fill(disk, left)
                    with (tmp_path / "log").open("w") as log:
                        # Two acts: the worker of the server does the indexing.
                        start_module(place, "busy", str(journal), str(random.random()), "2", stderr=log).wait(120)
                    for _ in range(10):
                        hits = served.ask(key, QUESTION)["hits"]
                        assert [hit["id"] for hit in hits][:1] == [hit["id"] for hit in before][:1]
                    make_room(disk)
                    _caught_up(place)
                    kb = opened(place)
                    assert problems(kb, [journal]) == []
                    kb.close()
        except HTTPError as error:
            raise AssertionError(f"{error}: {error.read()!r}\n{served.said[-4000:]}") from error
        finally:
            served.stop()


def _caught_up(place: Path) -> None:
    deadline = time.monotonic() + 30
    while differences(place):
        assert time.monotonic() < deadline, differences(place)
