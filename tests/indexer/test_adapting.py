"""Adapting an encoder: better on what is held out or nothing written, reproducible, and without a word of anybody's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.records import Record
from indexer.training import FitConfig, OwnData
from indexer.training.adapting import AdaptConfig, AdaptReport, Change, Lesson, _Page, _ranks, _Split, adapt
from indexer.training.export import save_model
from indexer.training.vocabulary import Vocabulary, make_tokenizer
from search.encoder import StaticEncoder, load_encoder
from search.errors import SearchError
from search.quality import Figure
from search.types import Audience, Document, Kind

ASKED = "甲乙丙丁戊己庚辛"
ANSWERS = "子丑寅卯辰巳午未"
FILLERS = "呀啊呢吧嘛哦哈嗯"
SECRET = "芝麻开门"
HOW = FitConfig(steps=60, batch=64, rate=1e-2, turn_rate=0.0, dropout=0.0, mistyped=0.0, unrelated=2, threads=1)


@pytest.fixture()
def base(tmp_path: Path) -> StaticEncoder:
    """An encoder that knows every character and no connection between them."""
    characters = sorted(set(ASKED + ANSWERS + FILLERS + SECRET + "马牛羊风雨雪办题"))
    tokenizer = make_tokenizer(Vocabulary({"[UNK]": 0.0} | {c: 1.0 for c in characters}, {}))
    rows = np.random.default_rng(1).standard_normal((len(characters) + 1, 32)).astype(np.float32)
    rows[0] = 0
    save_model(tmp_path / "base", tokenizer, rows)
    encoder = load_encoder(str(tmp_path / "base"))
    assert isinstance(encoder, StaticEncoder)
    return encoder


@pytest.fixture()
def own(tmp_path: Path) -> OwnData:
    folder = tmp_path / "own"
    folder.mkdir()
    intents = [{"title": f"{c}办", "utterances": [f"{c}题"], "answer": f"{c}办。"} for c in "马牛羊"]
    lines = (json.dumps(intent, ensure_ascii=False) for intent in intents)
    (folder / "intents.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "unrelated.txt").write_text("风\n雨\n雪\n", encoding="utf-8")
    return OwnData(folder, tmp_path / "none")


def record(number: int, kind: Kind, title: str, questions: tuple[str, ...], body: str) -> Record:
    document = Document(f"d_{number}", 1, kind, title, f"d-{number}", "c", Audience.INTERNAL)
    return Record(document, questions, body)


def lessons(answers: str = ANSWERS) -> list[Lesson]:
    """Whoever asks with a character is answered with its partner; fillers make the questions differ."""
    made = []
    for number, (asked, answer) in enumerate(zip(ASKED, answers, strict=True)):
        questions = tuple(f"{asked}{first}{second}" for first in FILLERS for second in FILLERS[:4])
        made.append(Lesson(record(number, Kind.ARTICLE, answer, (), f"{answer}办。"), questions))
    secret = record(99, Kind.TICKET, SECRET, (f"{SECRET}138001380001",), f"{SECRET}马。")
    return [*made, Lesson(secret)]


Adapt = Callable[..., AdaptReport]


@pytest.fixture()
def run(base: StaticEncoder, own: OwnData, tmp_path: Path) -> Adapt:
    def adapted(
        name: str = "out", given: list[Lesson] | None = None, how: FitConfig = HOW, **more: object
    ) -> AdaptReport:
        config = AdaptConfig(tmp_path / name, lambda text: text, how, own, **more)  # type: ignore[arg-type]
        return adapt(base, lessons() if given is None else given, config)

    return adapted


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_held_out_questions_find_their_answers_afterwards(run: Adapt, tmp_path: Path) -> None:
    report = run()
    change = report.changes["asked"]
    assert change.questions >= 5
    assert change.before["mrr"].mean < 0.6 < 0.9 < change.after["mrr"].mean
    assert change.difference.mean == pytest.approx(change.after["mrr"].mean - change.before["mrr"].mean)
    assert report.out == tmp_path / "out"
    assert load_encoder(str(tmp_path / "out")).id == report.id
    assert sum(report.questions.values()) == len(ASKED) * 32 + 1
    assert report.groups["intents (own)"] == 3


def test_the_same_lessons_give_the_same_bytes_and_another_seed_others(run: Adapt, tmp_path: Path) -> None:
    for name, seed in (("a/model", 7), ("b/model", 7), ("c/model", 8)):
        run(name, how=replace(HOW, seed=seed))
    assert files(tmp_path / "a" / "model") == files(tmp_path / "b" / "model")
    assert files(tmp_path / "a" / "model")["model.safetensors"] != files(tmp_path / "c" / "model")["model.safetensors"]


def test_no_word_of_anybody_is_in_the_folder(run: Adapt, base: StaticEncoder, tmp_path: Path) -> None:
    run()
    written = files(tmp_path / "out")
    # The tokenizer knows single characters alone, and those it knew before.
    assert written["tokenizer.json"] == (tmp_path / "base" / "tokenizer.json").read_bytes()
    assert all(SECRET.encode() not in content and b"138001380001" not in content for content in written.values())
    card = written["README.md"].decode()
    assert base.id in card
    assert not any(character in card for character in ASKED + ANSWERS)


def test_words_without_a_lesson_stay_where_they_were(run: Adapt, base: StaticEncoder, tmp_path: Path) -> None:
    run(how=replace(HOW, unrelated=0))
    after = load_encoder(str(tmp_path / "out"))
    untouched, taught = ["风", "雨", "雪"], list(ASKED)
    assert np.array_equal(base.encode_queries(untouched), after.encode_queries(untouched))
    assert not np.allclose(base.encode_queries(taught), after.encode_queries(taught), atol=1e-3)
    assert not after.encode_queries(["?"]).any()


def test_a_worse_result_is_not_written(run: Adapt, tmp_path: Path) -> None:
    # Each question holds the title that it is answered with: the start is perfect, and such a rate wrecks it.
    given = [
        Lesson(item.record, tuple(item.record.document.title + question[1:] for question in item.answered))
        for item in lessons()
    ]
    report = run(given=given, how=replace(HOW, rate=3.0, steps=3))
    assert report.changes["asked"].is_worse
    assert report.out is None
    assert not list(tmp_path.glob("out")) + list(tmp_path.glob(".adapting-*"))


def test_too_few_questions_say_how_many_and_what_to_do(run: Adapt, tmp_path: Path) -> None:
    given = [Lesson(item.record, item.answered[:6]) for item in lessons()]
    with pytest.raises(SearchError, match="49 different questions") as caught:
        run(given=given)
    assert "kb import tickets" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_folder_that_exists_is_left_alone(run: Adapt, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(SearchError, match="exists"):
        run()


def test_documents_that_say_nothing_do_no_harm(run: Adapt) -> None:
    empty = [record(50, Kind.TICKET, "", ("甲风",), ""), record(51, Kind.ARTICLE, "题", (), "")]
    assert run(given=lessons() + list(map(Lesson, empty))).documents == len(ASKED) + 2


def test_progress_ends_at_its_total(run: Adapt) -> None:
    seen: list[tuple[str, int, int]] = []
    run(how=replace(HOW, steps=3), progress=lambda *step: seen.append(step))
    assert ("training", 3, 3) in seen


def test_a_held_out_question_stays_held_out_as_others_come() -> None:
    some = [f"问{number}" for number in range(200)]
    more = [*some, *(f"题{number}" for number in range(2000))]
    before, after = _Split.of(some), _Split.of(more)
    assert [before.holds(text) for text in some] == [after.holds(text) for text in some]
    assert sum(map(after.holds, more)) == pytest.approx(220, abs=45)
    assert sum(map(_Split.of(some[:5]).holds, some[:5])) == 5


def test_ranks_are_those_of_the_best_passage_with_ties_against(base: StaticEncoder) -> None:
    rows = {"a": (1, 0), "b": (0.6, 0.8), "c": (0, 1), "q": (0.8, 0.6)}

    class Table:
        """Vectors by text."""

        id, dimension = "table", 2

        def encode_queries(self, texts: list[str]) -> np.ndarray:
            return np.array([rows[text] for text in texts], np.float32).reshape(-1, 2)

        encode_passages = encode_queries

    pages = [_Page(False, titles, (), (), ()) for titles in (("a", "c"), ("b",), ("c",), ("c", "c"))]
    ranks = _ranks(Table(), pages, ["q"] * 4, [0, 1, 2, 3], _Split(-1))
    assert ranks.tolist() == [2, 1, 4, 4]


@pytest.mark.parametrize(
    ("questions", "high", "worse"), [(5, -0.01, True), (5, 0.0, False), (4, -0.01, False), (90, -0.2, True)]
)
def test_worse_is_a_whole_interval_below_zero(questions: int, high: float, worse: bool) -> None:
    assert Change(questions, {}, {}, Figure(-0.3, -0.5, high)).is_worse is worse


def test_an_encoder_without_chinese_can_be_adapted(own: OwnData, tmp_path: Path) -> None:
    letters = "abcdefghijklmnop"
    tokenizer = make_tokenizer(Vocabulary({"[UNK]": 0.0} | {c: 1.0 for c in letters}, {}))
    save_model(tmp_path / "base", tokenizer, np.random.default_rng(1).standard_normal((17, 8)).astype(np.float32))
    base = load_encoder(str(tmp_path / "base"))
    assert isinstance(base, StaticEncoder)
    given = [
        Lesson(
            record(number, Kind.TICKET, letters[number + 8], (), ""), tuple(letters[number] * n for n in range(1, 9))
        )
        for number in range(8)
    ]
    report = adapt(base, given, AdaptConfig(tmp_path / "out", str, replace(HOW, steps=3), own))
    assert report.groups["tickets"] == 8
