"""A tiny training run: reproducible, offline, from the project's own kind of files alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from indexer.training import FitConfig, OwnData, TrainConfig, TrainReport, VocabularySize, train
from indexer.training.measure import measure_intents
from indexer.training.variants import Homophones, variant
from search.encoder import load_encoder
from search.errors import SearchError

TOPICS = ("退款", "发票", "密码", "快递", "积分", "会员", "维修", "实名")


@pytest.fixture()
def own(tmp_path: Path) -> OwnData:
    data, articles = tmp_path / "own", tmp_path / "articles"
    data.mkdir()
    (articles / "mall").mkdir(parents=True)
    intents = (json.dumps(_intent(topic), ensure_ascii=False) for topic in TOPICS)
    (data / "intents.jsonl").write_text("\n".join(intents), encoding="utf-8")
    (data / "unrelated.txt").write_text("# 说明\n今天天气真好\n讲个故事\n", encoding="utf-8")
    for number, topic in enumerate(TOPICS[:3]):
        text = f"---\ntitle: {topic}说明\nquestions: [{topic}在哪看]\n---\n\n{topic}见页面。\n\n"
        text += "## 时限 {#t}\n\n三天内。\n"
        (articles / "mall" / f"a{number}.md").write_text(text, encoding="utf-8")
    return OwnData(data, articles)


def _intent(topic: str) -> dict[str, object]:
    return {
        "title": f"{topic}怎么办理",
        "utterances": [
            f"{topic}",
            f"{topic}咋弄",
            f"想问{topic}的事",
            f"怎么{topic}啊",
            f"{topic} how to",
            f"我的{topic}呢",
        ],
        "answer": f"打开页面点{topic}。按提示填写{topic}信息，三天内处理。",
    }


def _train(own: OwnData, out: Path, seed: int = 7) -> TrainReport:
    size = VocabularySize(han_words=60, latin_words=20, latin_pieces=10, pinyin=50, numbers=5)
    how = FitConfig(steps=60, batch=16, rate=2e-2, unrelated=4, threads=1)
    return train(TrainConfig(None, out, seed=seed, dimension=16, size=size, fit=how, own=own))


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_two_runs_give_the_same_bytes_and_another_seed_others(own: OwnData, tmp_path: Path) -> None:
    for name, seed in (("first", 7), ("second", 7), ("other", 8)):
        _train(own, tmp_path / name, seed)
    assert _files(tmp_path / "first") == _files(tmp_path / "second")
    assert _files(tmp_path / "first")["model.safetensors"] != _files(tmp_path / "other")["model.safetensors"]


def test_the_order_of_hashing_does_not_matter(own: OwnData, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from indexer.training import OwnData;"
        "from tests.indexer.test_training import _train;"
        "own, articles, out = map(Path, sys.argv[1:]); _train(OwnData(own, articles), out)"
    )
    for hash_seed in ("1", "2"):
        arguments = [str(own.folder), str(own.articles), str(tmp_path / hash_seed)]
        subprocess.run(
            [sys.executable, "-c", code, *arguments],
            check=True,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ".", "OMP_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[2],
        )
    assert _files(tmp_path / "1") == _files(tmp_path / "2")


def test_the_result_is_a_usable_encoder(own: OwnData, tmp_path: Path) -> None:
    report = _train(own, tmp_path / "model")
    encoder = load_encoder(str(tmp_path / "model"))
    assert (encoder.dimension, report.dimension) == (16, 16)
    assert report.groups["intents (own)"] == len(TOPICS)
    assert report.groups["articles (own)"] == 3
    assert report.size == sum(map(len, _files(tmp_path / "model").values()))
    questions = encoder.encode_queries([f"{topic}咋弄" for topic in TOPICS])
    titles = encoder.encode_passages([f"{topic}怎么办理" for topic in TOPICS])
    assert np.array_equal((questions @ titles.T).argmax(axis=1), np.arange(len(TOPICS)))


def test_progress_ends_at_its_total(own: OwnData, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    how = FitConfig(steps=3, batch=16, threads=1)
    train(TrainConfig(None, tmp_path / "m", dimension=8, fit=how, own=own, progress=lambda *step: seen.append(step)))
    assert seen[-1] == ("training", 3, 3)


@pytest.mark.parametrize("exists", [False, True])
def test_missing_public_data_says_so(own: OwnData, tmp_path: Path, exists: bool) -> None:
    data = tmp_path / "data"
    if exists:
        data.mkdir()
    with pytest.raises(SearchError) as caught:
        train(TrainConfig(data, tmp_path / "m", own=own))
    assert str(data) in str(caught.value)
    assert caught.value.hint


def test_broken_own_data_names_the_file(own: OwnData, tmp_path: Path) -> None:
    (own.folder / "intents.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(SearchError, match=r"intents\.jsonl"):
        train(TrainConfig(None, tmp_path / "m", own=own))


def test_variants_are_homophones_pinyin_or_slips() -> None:
    homophones = Homophones.of({"款": 5.0, "宽": 3.0, "退": 4.0})
    rng = np.random.default_rng(0)
    assert {variant("退款", homophones, rng).replace(" ", "") for _ in range(60)} == {"退宽", "tuikuan"}
    assert all(variant("forgot", homophones, rng) != "forget" for _ in range(5))
    assert variant("12", homophones, rng) == "12"


def test_recall_counts_ties_against_the_right_article(tmp_path: Path, own: OwnData) -> None:
    class Zeros:
        id, dimension = "zeros", 2

        def encode_queries(self, texts: list[str]) -> np.ndarray:
            return np.zeros((len(texts), 2), np.float32)

        encode_passages = encode_queries

    intents = own.folder / "intents.jsonl"
    dev = tmp_path / "dev.jsonl"
    dev.write_text(json.dumps({**_intent("换货"), "utterances": ["换货"] * 16}, ensure_ascii=False), encoding="utf-8")
    assert measure_intents(Zeros(), str, intents, dev, warm=False)["all"].five == 0
