"""`kb model train --from-tickets`: what it learns from, what it says, and what it leaves behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from indexer.training.adapting import AdaptReport, Change
from kb_app import importing, training
from kb_app.kb import Kb, open_kb
from kb_app.store import articles, traffic
from kb_app.store.database import TRAFFIC
from kb_app.store.traffic import AskedQuestion, Feedback
from search.encoder import SHIPPED_FOLDER, StaticEncoder, load_encoder
from search.quality import Figure
from tests.kb_app.conftest import NOW, ROOT, settings_for
from tests.kb_app.test_commands import data, refused
from tests.kb_app.test_commands import kb as command

SAMPLES = ROOT / "kb_app" / "samples" / "tickets.jsonl"
TICKETS = 120


@pytest.fixture(scope="module")
def taught(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The knowledge base with some of the sample tickets."""
    place = tmp_path_factory.mktemp("taught") / "kb"
    shutil.copytree(made, place)
    lines = SAMPLES.read_text("utf-8").splitlines()[:TICKETS]
    (place / "some.jsonl").write_text("\n".join(lines), "utf-8")
    opened = open_kb(settings_for(place / "home", place / "articles"), lambda: NOW)  # type: ignore[arg-type]
    importing.import_tickets(opened, place / "some.jsonl", "some")
    opened.close()
    return place


@pytest.fixture(scope="module")
def trained(taught: Path) -> Result:
    """As ever, but for fewer and smaller steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "HOW", replace(training.HOW, steps=6, batch=64, threads=1))
        return command(taught, "model", "train", "--from-tickets", "--json")


def test_it_writes_a_model_and_says_what_to_do_next(taught: Path, trained: Result) -> None:
    told = data(trained)
    folder = taught / "home" / "models" / "adapted-1"
    assert Path(told["out"]) == folder
    assert f"KB_ENCODER={folder.resolve()} kb index build" in trained.stderr
    assert "training: 6\n" in trained.stderr
    assert told["questions"]["learnt"] > told["questions"]["held out"] > 0
    assert told["changes"]["asked"]["difference"]["high"] >= 0
    assert told["base"] in (folder / "README.md").read_text("utf-8")
    assert _vocabulary(folder) == _vocabulary(SHIPPED_FOLDER)


def _vocabulary(folder: Path) -> dict[str, int]:
    encoder = load_encoder(str(folder))
    assert isinstance(encoder, StaticEncoder)
    return encoder.tokenizer.get_vocab()


def test_the_index_is_built_with_it_and_answers(taught: Path, trained: Result, tmp_path: Path) -> None:
    told = data(trained)
    place = tmp_path / "kb"
    shutil.copytree(taught, place)
    built = data(command(place, "index", "build", "--json", KB_ENCODER=told["out"]))
    assert built["encoder"] == told["id"]
    answered = data(command(place, "search", "退款多久能到账", "--json", KB_ENCODER=told["out"]))
    assert answered["degraded"] == []
    assert answered["hits"][0]["title"]


def test_too_few_tickets_are_refused_with_a_hint(place: Path) -> None:
    done = command(place, "model", "train", "--from-tickets", "--json")
    refused(done, "1 different questions", "50", "kb import tickets")
    assert not (place / "home" / "models").exists()


def test_data_and_tickets_are_wrong_use(place: Path) -> None:
    done = command(place, "model", "train", "--from-tickets", "--data", str(place))
    assert done.exit_code == 2
    assert "--data" in done.stderr


def test_only_static_encoders_can_be_adapted(place: Path) -> None:
    refused(command(place, "model", "train", "--from-tickets", KB_ENCODER="none"), "'none'", "unset KB_ENCODER")


def test_a_worse_result_is_told_and_fails(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = dict.fromkeys(("recall@1", "recall@5", "mrr"), Figure(0.5, 0.4, 0.6))
    change = Change(60, figures, figures, Figure(-0.2, -0.3, -0.1))
    report = AdaptReport(None, "base-1", "adapted-1", 9, {"learnt": 1}, {}, {"asked": change}, 1.0)
    monkeypatch.setattr(training, "adapt_encoder", lambda *_: report)
    done = command(place, "model", "train", "--from-tickets", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["out"] is None
    assert "base-1 stays in use" in done.stderr
    assert "KB_ENCODER" not in done.stderr


def ask(kb: Kb, number: int, text: str, *events: tuple[str, str]) -> None:
    with kb.database.write(TRAFFIC) as session:
        traffic.log_question(session, AskedQuestion(f"q_{number}", "2026-01-01", "u", text, "answer", 0.9, (), 1.0))
        for hit, event in events:
            traffic.add_feedback(session, Feedback("2026-01-01", "u", f"q_{number}", hit, event))


def answered(kb: Kb) -> dict[str, tuple[str, ...]]:
    return {lesson.record.document.id: lesson.answered for lesson in training.lessons(kb) if lesson.answered}


def test_used_answers_are_learnt_and_disliked_ones_are_not(kb: Kb) -> None:
    ask(kb, 1, "问一", ("a_public01", "copied"), ("a_internal", "opened"))
    ask(kb, 2, "问二", ("a_public01", "helpful"), ("a_internal", "helpful"), ("a_internal", "not_helpful"))
    ask(kb, 3, "问一", ("a_public01", "sent"), ("s_public01", "inserted"))
    ask(kb, 4, "问四", ("a_public01", "flagged"), ("a_draft001", "helpful"), ("a_gone0001", "helpful"))
    assert answered(kb) == {"a_public01": ("问一", "问二"), "s_public01": ("问一",)}


def ticket(number: int, *messages: tuple[str, str]) -> dict[str, Any]:
    said = [{"from": who, "text": text} for who, text in messages]
    at = "2026-03-01T10:00:00+08:00"
    return {"id": f"L{number}", "subject": "s", "status": "resolved", "created_at": at, "messages": said}


def test_an_article_that_the_agent_linked_has_answered(kb: Kb, tmp_path: Path) -> None:
    with kb.database.read() as session:
        slug = articles.get(session, "a_public01").slug  # type: ignore[union-attr]
    link = f"见 https://kb.example/articles/{slug}#late 就好"
    rows = [
        ticket(1, ("customer", "怎么退呢"), ("agent", link), ("agent", f"再发一次 {link}")),
        ticket(2, ("customer", f"我看了 /articles/{slug} 不懂"), ("agent", "您说说哪里不懂")),
        ticket(3, ("customer", "在哪"), ("agent", "/articles/no-such-article 里有")),
    ]
    path = tmp_path / "linked.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    importing.import_tickets(kb, path, "linked")
    assert answered(kb) == {"a_public01": ("怎么退呢",)}


@pytest.fixture
def numbered(tmp_path: Path) -> Iterator[Path]:
    for name in ("adapted-2", "adapted-10", "adapted-x", "other-99"):
        (tmp_path / name).mkdir()
    yield tmp_path


def test_the_next_folder_has_the_next_number(numbered: Path) -> None:
    assert training._next_folder(numbered).name == "adapted-11"
    assert training._next_folder(numbered / "none").name == "adapted-1"
