"""The corpus of the measurements: any size, the same for the same seed, the same in the database, and searched."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks.corpus import Size, fill, questions, records
from benchmarks.peers import measure
from benchmarks.peers.material import Material, recall
from benchmarks.peers.prepare import prepare, sources
from benchmarks.texts import HELP
from indexer.chunking import passages
from kb_app import indexing
from kb_app.store import journal
from kb_app.store.database import open_database
from search.types import Kind

HELD_OUT = "held out"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as the real one, with a few texts in each place."""
    root = tmp_path_factory.mktemp("data")
    for language, product in HELP:
        folder = root / f"helpcenter-{language}" / product
        folder.mkdir(parents=True)
        (folder / "page.md").write_text(
            f"# {product} {language}\n\n{'使用OSS时，请在5分钟内上传文件。' * 3}\n\n## 步骤\n\n{'点击CDN控制台。' * 9}"
        )
    (root / "intents").mkdir()
    for name, word in (("train", "密码"), ("train_more", "发票"), ("dev", HELD_OUT), ("out_of_scope_dev", HELD_OUT)):
        rows = [_intent(f"{word}-{number}", f"{word}{number}") for number in range(4)]
        (root / "intents" / f"{name}.jsonl").write_text("\n".join(rows))
    return root


def _intent(key: str, word: str) -> str:
    asked = [f"{word}怎么办{n}" for n in range(6)]
    answer = f"请在三天内办理{word}。带上证件。找门店。"
    return json.dumps({"id": key, "title": f"办理{word}", "utterances": asked, "answer": answer})


def test_the_seed_settles_everything(data: Path) -> None:
    once, again, other = (list(records(data, Size(30, 30, seed))) for seed in (1, 1, 2))
    assert once == again
    assert once != other
    assert questions(data, Size(30, 30), 50) == questions(data, Size(30, 30), 50)


def test_no_two_titles_are_alike_however_few_texts_there_are(data: Path) -> None:
    """More articles and tickets than topics times products."""
    made = list(records(data, Size(5_000, 20_000)))
    assert len({record.document.title for record in made}) == len({record.document.id for record in made}) == 25_000


def test_a_larger_corpus_begins_as_the_smaller_one_and_is_made_one_by_one(data: Path) -> None:
    assert list(islice(records(data, Size(10**12, 0)), 20)) == list(records(data, Size(20, 0)))


def test_what_is_held_out_is_never_read(data: Path) -> None:
    size = Size(200, 400)
    assert HELD_OUT not in "".join(map(str, records(data, size)))
    assert HELD_OUT not in "".join(questions(data, size, 400))


def test_every_fifth_article_is_the_one_before_for_another_product(data: Path) -> None:
    made = list(records(data, Size(50, 0)))
    for one, near in zip(made[3::5], made[4::5], strict=True):
        assert one.document.product != near.document.product
        assert len(passages(one)) == len(passages(near))
        swapped = [text.replace(one.document.product, near.document.product) for text in one.questions]
        assert tuple(swapped) == near.questions


def test_the_corpus_has_all_that_visibility_depends_on(data: Path) -> None:
    made = [record for record in records(data, Size(400, 5)) if record.document.kind is Kind.ARTICLE]
    assert {record.document.audience for record in made} == {0, 1}
    assert any("!!! internal" in record.body for record in made)
    assert len({record.document.valid_until for record in made}) > 3
    assert any(record.document.valid_from for record in made)


def test_the_database_holds_the_same_corpus(data: Path, tmp_path: Path) -> None:
    size = Size(30, 70)
    fill(tmp_path, data, size)
    database = open_database(tmp_path)
    with database.read() as session:
        assert list(indexing.records(session)) == list(records(data, size))
        assert journal.last_outbox_id(session) == 100
        assert journal.broken_links(session) == []
    database.close()


def test_a_folder_without_the_texts_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"train\.jsonl"):
        next(records(tmp_path, Size(1, 0)))


def test_the_comparison_with_peers_measures_our_side(data: Path, tmp_path: Path) -> None:
    material, index = Material(tmp_path), tmp_path / "index"
    prepared = prepare(material, data, 200, 20)
    assert prepared.passages == len(material.passages()) == len(material.vectors()) >= 200
    assert prepared.passages == sum(len(passages(record)) for record in sources(material))
    index.mkdir()
    found = {}
    for step in measure.STEPS.values():
        found |= step(measure.SYSTEMS["知答"](), material, index)
    assert found["recall_vectors"] == found["recall_hybrid"] == 1
    assert 0 < found["inner"]["p50"] < found["whole"]["p50"]
    assert found["update_ms"] > 0


def test_recall_counts_any_passage_as_near_as_the_last_wanted() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [0.6, 0.8], [0, 1]], np.float32)
    question = np.array([1, 0], np.float32)
    assert [recall(vectors, question, found, 2) for found in ([0, 2], [0, 1], [0, 3], [3], [0, 0])] == [
        1,
        1,
        0.5,
        0,
        0.5,
    ]
