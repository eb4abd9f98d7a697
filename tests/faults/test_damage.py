"""Any damage to any file of an index is noticed, put aside and mended; no answer ever comes from it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from kb_app import indexing
from kb_app.kb import Kb
from search.engine import Engine
from search.errors import SearchError
from search.generation import current_number
from search.types import Audience, Query, everything
from tests.conftest import NOW
from tests.faults.places import opened, verified
from tests.faults.rounds import rounds
from tests.kb_app.served import Served

HOWS = ("flip", "truncate", "delete", "empty", "grow")
QUESTIONS = ("退款多久到账", "怎么修改收货地址", "发票怎么开", "忘记密码", "tuikuan", "账号 实名")

Answers = list[list[tuple[str, int]]]


def damage(path: Path, how: str, random: Random) -> None:
    """Change a file in place, as a failing disk does: every name of it is damaged."""
    data = path.read_bytes()
    if how == "delete":
        path.unlink()
    elif how == "flip" and data:
        at = random.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :])
    elif how == "truncate" and data:
        path.write_bytes(data[: random.randrange(len(data))])
    elif how == "empty" and data:
        path.write_bytes(b"")
    else:
        path.write_bytes(data + b"\x00")


def files_of(kb: Kb) -> list[Path]:
    """Every file of the current generation, and the pointer to it."""
    root = kb.settings.index_root
    folder = root / str(current_number(root))
    return [root / "current", *(path for path in sorted(folder.rglob("*")) if path.is_file())]


def answers(engine: Engine) -> Answers:
    """What some questions are answered with: documents and versions, best first."""
    asked = (Query(text, Audience.INTERNAL, NOW, below_threshold=True) for text in QUESTIONS)
    found = (engine.answer(query, everything).hits for query in asked)
    return [[(hit.document.id, hit.document.version) for hit in hits] for hits in found]


def answers_now(kb: Kb) -> Answers | None:
    """The answers of a process that starts now; None when it refuses the index."""
    try:
        return answers(Engine(kb.settings.index_root, kb.analyzer, kb.encoder))
    except SearchError as error:
        assert "kb index build" in error.hint, error
        return None


def damage_often(name: str, few: int, made: Path, folder: Path, lexical: str) -> None:
    for turn in rounds(name, few):
        with turn.logged() as found:
            place = Path(shutil.copytree(made, folder / str(turn.number)))
            kb = opened(place, KB_LEXICAL=lexical)
            try:
                indexing.catch_up(kb)
                intact = answers(kb.engine)
                random = turn.random
                path, how = random.choice(files_of(kb)), HOWS[turn.number % len(HOWS)]
                found |= {"file": str(path.relative_to(place)), "how": how}
                damage(path, how, random)
                assert answers_now(kb) in (None, intact)
                _mends(place, intact, lexical)
            finally:
                kb.close()
        shutil.rmtree(place)


def _mends(place: Path, intact: Answers, lexical: str) -> None:
    """What the worker does when it starts."""
    kb = opened(place, KB_LEXICAL=lexical)
    try:
        indexing.catch_up(kb)
        assert verified(kb) == []
        assert answers(kb.engine) == intact
        assert answers_now(kb) == intact
    finally:
        kb.close()


@pytest.mark.faults
@pytest.mark.parametrize("lexical", ["tantivy", "whoosh"])
def test_any_damage_is_noticed_and_mended(lexical: str, small_made: Path, tmp_path: Path) -> None:
    damage_often(f"damage-{lexical}", 50, small_made, tmp_path, lexical)


def test_some_damage_is_noticed_and_mended(small_made: Path, tmp_path: Path) -> None:
    damage_often("damage-few", 3, small_made, tmp_path, "tantivy")


def served_answers(served: Served, key: str) -> Sequence[object]:
    asked = [served.ask(key, text)["hits"] for text in QUESTIONS]
    return [[(hit["id"], hit.get("version")) for hit in hits] for hits in asked]


@pytest.mark.faults
def test_files_that_are_damaged_under_a_server_give_no_wrong_answer_then_or_after_its_restart(small: Path) -> None:
    key = (small / "key").read_text("ascii")
    served = Served(small, KB_PROCESSES="2")
    intact = served_answers(served, key)
    try:
        for turn in rounds("damage-served", 6):
            with turn.logged() as found:
                kb = opened(small)
                path, how = turn.random.choice(files_of(kb)), ("delete", "flip", "truncate")[turn.number % 3]
                kb.close()
                found |= {"file": str(path.relative_to(small)), "how": how}
                # Beside, then over: a file that is in use keeps its bytes, as when it is restored or copied over.
                (beside := path.with_name(f"{path.name}.damaged")).write_bytes(path.read_bytes())
                damage(beside, how, turn.random)
                path.unlink()
                if beside.exists():
                    beside.rename(path)
                assert served_answers(served, key) == intact
                served.stop(signal.SIGTERM)
                served = Served(small, KB_PROCESSES="2")
                assert served_answers(served, key) == intact
                kb = opened(small)
                assert verified(kb) == []
                kb.close()
    finally:
        served.stop()
