"""Evaluations through the command line: figures, saved runs, comparison, plots, question sets that are wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from kb_app.evaluating import load_set
from kb_app.plots import confidence_plot
from tests.kb_app.test_commands import data, kb, refused

QUESTIONS: list[dict[str, Any]] = [
    {"query": "退款多久能到账", "relevant": ["refund-arrival"], "tags": ["keyword"]},
    {"query": "寄件单怎么取消", "relevant": ["cancel-send-order"], "tags": ["colloquial"]},
    {"query": "白鲸会员怎么退费", "relevant": ["public"], "tags": ["keyword", "made"]},
    {"query": "今天食堂还有红烧肉吗", "relevant": [], "tags": ["unanswerable"]},
]


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    return write(tmp_path / "asked.jsonl", QUESTIONS)


def write(path: Path, questions: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(q, ensure_ascii=False) + "\n" for q in questions), "utf-8")
    return path


def test_figures_by_tag_and_half(place: Path, asked: Path) -> None:
    printed = data(kb(place, "eval", str(asked), "--json"))["sets"]["asked.jsonl"]
    assert set(printed) == {"lexical", "dense", "hybrid", "abstained", "trust"}
    assert set(printed["hybrid"]) == {"all", "keyword", "colloquial", "made"}
    assert set(printed["hybrid"]["all"]) == {"recall@1", "recall@5", "recall@10", "mrr", "ndcg@10"}
    assert printed["hybrid"]["made"]["recall@1"]["mean"] == 1
    trust = printed["trust"]
    assert list(trust["risk"]) == [f"{step / 10}" for step in range(10, 0, -1)]
    assert trust["risk"]["1.0"] >= 0.25
    assert trust["constant"] <= 0.25
    assert trust["abstained"]["mean"] in (0, 1)


def test_a_run_is_kept_with_what_made_it(place: Path, asked: Path) -> None:
    done = kb(place, "eval", str(asked), "--save", "first")
    assert done.exit_code == 0, done.output
    assert str(place / "home" / "runs" / "first.json") in done.stderr
    assert "wrong first answers" in done.stdout
    assert "expected calibration error" in done.stdout
    kept = json.loads((place / "home" / "runs" / "first.json").read_text("utf-8"))
    status = data(kb(place, "index", "status", "--json"))
    assert kept["generation"] == status["number"]
    assert kept["encoder"].startswith("zhida-static-")
    assert kept["analyser"]
    (one,) = kept["sets"]
    assert (one["name"], one["sha256"]) == ("asked.jsonl", load_set(asked).sha256)
    made = one["questions"]["白鲸会员怎么退费"]["hybrid"]
    assert (made["ranks"], made["first"]) == ([1], "public")
    assert made["decision"] in ("answer", "candidates", "abstain")
    assert 0 <= made["confidence"] <= 1


def test_every_run_is_kept_under_the_time_unless_it_has_a_name(place: Path, asked: Path) -> None:
    names = [data(kb(place, "eval", str(asked), "--json"))["run"] for _ in range(2)]
    assert sorted(p.stem for p in (place / "home" / "runs").glob("*.json")) == sorted(set(names))
    assert len(set(names)) == 2


def test_against_an_earlier_run_the_changed_question_is_named(place: Path, asked: Path) -> None:
    kb(place, "eval", str(asked), "--save", "before")
    same = data(kb(place, "eval", str(asked), "--against", "before", "--json"))["against"][0]
    assert (same["better"], same["worse"], same["same_set"], same["questions"]) == ([], [], True, 4)
    assert same["differences"]["recall@1"] == {"mean": 0, "low": 0, "high": 0}
    article = place / "articles" / "shipping" / "cancel-send-order.md"
    article.write_text(article.read_text("utf-8").replace("state: published", "state: archived", 1), "utf-8")
    assert kb(place, "sync").exit_code == 0
    done = kb(place, "eval", str(asked), "--against", "before", "--json")
    changed = data(done)["against"][0]
    assert [(c["query"], c["before"], c["after"]) for c in changed["worse"]] == [("寄件单怎么取消", 1, None)]
    assert changed["worse"][0]["first_before"] == "cancel-send-order"
    assert changed["worse"][0]["first_after"] not in ("cancel-send-order", "")
    assert changed["better"] == []
    assert changed["differences"]["recall@1"]["mean"] == pytest.approx(-1 / 3)
    assert "no published article is called cancel-send-order" in done.stderr
    text = kb(place, "eval", str(asked), "--against", str(place / "home" / "runs" / "before.json")).stdout
    assert re.search(r"worse: 1\n +1 → - +寄件单怎么取消 +first: cancel-send-order → \S", text)
    assert "better: 0" in text
    assert re.search(r"recall@1 -0\.333 \[-\d\.\d{3}, [+-]0\.000\]", text)


def test_sets_that_grew_are_compared_by_the_questions_they_share(place: Path, asked: Path) -> None:
    kb(place, "eval", str(asked), "--save", "before")
    write(asked, [*QUESTIONS[1:], {"query": "银行卡怎么换", "relevant": []}])
    found = data(kb(place, "eval", str(asked), "--against", "before", "--json"))["against"][0]
    assert (found["questions"], found["same_set"]) == (3, False)
    assert "only shared questions" in kb(place, "eval", str(asked), "--against", "before").stdout
    other = write(asked.with_name("other.jsonl"), QUESTIONS)
    refused(kb(place, "eval", str(other), "--against", "before"), "none of these questions", "same question sets")


def test_runs_that_cannot_be_used(place: Path, asked: Path) -> None:
    kb(place, "eval", str(asked), "--save", "kept")
    refused(kb(place, "eval", str(asked), "--save", "kept"), "already a run named kept")
    refused(kb(place, "eval", str(asked), "--save", "../out"), "cannot name a run", "letters")
    refused(kb(place, "eval", str(asked), "--against", "lost"), "no run 'lost'", "kept")
    (place / "home" / "runs" / "bad.json").write_text('{"format": 99}', "utf-8")
    refused(kb(place, "eval", str(asked), "--against", "bad"), "no saved run", "99")
    assert not list(place.glob("*out*"))


def test_an_id_stands_for_its_article(place: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "ids.jsonl", [{"query": "白鲸会员怎么退费", "relevant": ["a_public01"]}])
    done = kb(place, "eval", str(path), "--json")
    assert data(done)["sets"]["ids.jsonl"]["hybrid"]["all"]["recall@1"]["mean"] == 1
    assert "no published article" not in done.stderr


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("not json", "not JSON"),
        ('["a list"]', "not an object"),
        ('{"relevant": []}', "query must be a text"),
        ('{"query": " ", "relevant": []}', "query must be a text"),
        ('{"query": 7, "relevant": []}', "query must be a text"),
        ('{"query": "x"}', "relevant is missing"),
        ('{"query": "x", "relevant": "refund-arrival"}', "relevant must be a list"),
        ('{"query": "x", "relevant": [1]}', "relevant must be a list"),
        ('{"query": "x", "relevant": [], "tags": "keyword"}', "tags must be a list"),
    ],
)
def test_a_wrong_line_is_named_with_how_to_mend_it(place: Path, tmp_path: Path, line: str, part: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(f'\ufeff{{"query": "x", "relevant": []}}\n\n{line}\n', "utf-8")
    refused(kb(place, "eval", str(path)), f"{path}:3: ", part, "A line looks like")
    assert not (place / "home" / "runs").exists()


def test_sets_that_are_empty_not_text_or_alike(place: Path, asked: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n", "utf-8")
    refused(kb(place, "eval", str(tmp_path / "empty.jsonl")), "no questions")
    (tmp_path / "gb.jsonl").write_bytes('{"query": "退款", "relevant": []}'.encode("gb18030"))
    refused(kb(place, "eval", str(tmp_path / "gb.jsonl")), "not UTF-8", "Save")
    refused(kb(place, "eval", str(asked), str(asked)), "two question sets are called asked.jsonl")


def test_a_plot_is_svg_by_itself(place: Path, asked: Path, tmp_path: Path) -> None:
    target = tmp_path / "plot.svg"
    assert kb(place, "eval", str(asked), "--plot", str(target)).exit_code == 0
    text = target.read_text("utf-8")
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in text
    assert "Risk and coverage" in text
    assert not re.search(r"<script|href=|url\(|@import", text)


def test_a_plot_shows_the_curves_where_they_are() -> None:
    sure, right = [0.2] * 10 + [0.8] * 10, [0.0] * 10 + [1.0] * 10
    root = ElementTree.fromstring(confidence_plot(sure, right, "a < b"))
    space = "{http://www.w3.org/2000/svg}"
    shown = [title.text for title in root.iter(f"{space}title")]
    assert shown[0] == "a < b"
    assert shown[1] == "confidence 0.20, right 0.00, 2 questions"
    assert shown[-1] == "confidence 0.80, right 1.00, 2 questions"
    risk, _ = root.iter(f"{space}polyline")
    heights = [float(point.split(",")[1]) for point in risk.attrib["points"].split()]
    floor = max(heights)
    assert heights[:25] == [floor] * 25
    assert heights[-1] == pytest.approx(floor - 130)
    assert heights[25:] == [pytest.approx(heights[-1])] * 25
