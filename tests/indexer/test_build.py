"""The next generation from what changed: it answers as a full build would, and leaves the ones before it alone."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import indexer.blocks
from indexer.build import Change, Plan, build_generation, extend_generation, generations
from indexer.records import Record
from search import generation
from search.analysis import Analyzer
from search.engine import Engine
from search.generation import current_number, read_manifest, verify
from search.index import Expected, Index, open_current
from search.types import Audience, DocumentRef, Mode, everything
from tests.conftest import BigramEncoder, query, record

TEXTS = ("退款三天到账", "发货后不能改地址", "积分一年后过期", "发票可以补开", "会员每月扣费", "密码连续输错会锁定")
TITLES = ("退款到账", "修改地址", "积分规则", "补开发票", "会员扣费", "账号锁定")


def article(number: int, version: int, text: int) -> Record:
    fields = {"version": version, "tags": (f"标签{text}",), "category": f"c{text % 3}"}
    return record(
        f"a_{number}", f"{TITLES[text]}{number}", f"{TEXTS[text]}。\n\n## 说明\n\n{TEXTS[text - 1]}。", **fields
    )


def full(root: Path, analyzer: Analyzer, records: Iterable[Record]) -> Index:
    build_generation(records, Plan(root, analyzer, BigramEncoder(), lexical="tantivy"))
    return opened(root, analyzer)


def opened(root: Path, analyzer: Analyzer, before: Index | None = None) -> Index:
    return open_current(root, Expected(analyzer.id, BigramEncoder.id), before)


def extend(root: Path, analyzer: Analyzer, change: Change) -> None:
    extend_generation(change, Plan(root, analyzer, BigramEncoder()))


def found(root: Path, analyzer: Analyzer, text: str, **fields: object) -> dict[str, str]:
    """What is answered, by document id."""
    hits = Engine(root, analyzer, BigramEncoder()).answer(query(text, top_k=50, **fields), everything).hits
    return {hit.document.id: hit.answer for hit in hits}


STEPS = st.lists(
    st.tuples(
        st.sets(st.integers(0, 9), max_size=3), st.dictionaries(st.integers(0, 14), st.integers(0, 5), max_size=3)
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=12, deadline=None)
@given(STEPS)
def test_after_any_changes_it_answers_as_a_full_build(
    analyzer: Analyzer, steps: list[tuple[set[int], dict[int, int]]]
) -> None:
    alive = {number: article(number, 1, number % 6) for number in range(10)}
    with TemporaryDirectory() as folder:
        root, other = Path(folder) / "steps", Path(folder) / "full"
        index = full(root, analyzer, alive.values())
        for version, (gone, put) in enumerate(steps, 2):
            new = {number: article(number, version, text) for number, text in put.items()}
            alive = {number: own for number, own in alive.items() if number not in gone} | new
            ids = {f"a_{number}" for number in gone | put.keys()}
            extend(root, analyzer, Change(ids, list(new.values())))
            index = opened(root, analyzer, index)
        assert set(index.refs()) == {DocumentRef(own.document.id, own.document.version) for own in alive.values()}
        manifest = read_manifest(root / str(current_number(root)))
        assert (manifest.documents, manifest.dead) == (len(alive), len(index.dead))
        full(other, analyzer, alive.values())
        for text in TITLES:
            ours, theirs = found(root, analyzer, text), found(other, analyzer, text)
            # Words of what is gone count until segments are merged: scores are near, what is found is the same.
            assert ours == theirs
        for tag in range(6):
            wanted = {"tags": (f"标签{tag}",)}
            assert found(root, analyzer, "退款", **wanted).keys() == found(other, analyzer, "退款", **wanted).keys()


def test_files_of_earlier_generations_are_left_as_they_are(tmp_path: Path, analyzer: Analyzer) -> None:
    full(tmp_path, analyzer, [article(number, 1, number % 6) for number in range(8)])
    for version in range(2, 7):
        before = tmp_path / str(current_number(tmp_path))
        held = {path: path.read_bytes() for path in before.rglob("*") if path.is_file()}
        extend(tmp_path, analyzer, Change(["a_3"], [article(3, version, version % 6)]))
        assert {path: path.read_bytes() for path in held} == held
        verify(before, read_manifest(before))


def test_blocks_that_are_open_are_neither_read_nor_compared_again(
    tmp_path: Path, analyzer: Analyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = full(tmp_path, analyzer, [article(number, 1, number % 6) for number in range(8)])
    extend(tmp_path, analyzer, Change([], [article(9, 1, 2)]))
    read: list[str] = []
    checksum = generation._sha256
    monkeypatch.setattr(generation, "_sha256", lambda path: read.append(path.as_posix()) or checksum(path))
    second = opened(tmp_path, analyzer, first)
    assert second.blocks[0] is first.blocks[0]
    assert len(second.blocks) == 2
    assert read and not any("/blocks/1-1/" in name for name in read)


def test_many_small_changes_make_few_blocks(tmp_path: Path, analyzer: Analyzer) -> None:
    full(tmp_path, analyzer, [article(number, 1, number % 6) for number in range(5)])
    most = 0
    for step in range(40):
        extend(tmp_path, analyzer, Change([], [article(100 + step, 1, step % 6)]))
        most = max(most, len(read_manifest(tmp_path / str(current_number(tmp_path))).blocks))
    index = opened(tmp_path, analyzer)
    assert most <= 5
    assert len(list(index.refs())) == 45
    assert found(tmp_path, analyzer, "退款到账106").keys() >= {"a_106"}


def test_an_interrupted_build_goes_on_without_encoding_again(
    tmp_path: Path, analyzer: Analyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer.blocks, "BLOCK_PASSAGES", 20)
    texts = [record(f"a_{number}", f"标题{number}", f"正文{number}。") for number in range(40)]
    first, again = BigramEncoder(), BigramEncoder()

    def stopped(stage: str, done: int, total: int) -> None:
        if stage == "embed" and len(first.encoded) > 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_generation(texts, Plan(tmp_path, analyzer, first, lexical="tantivy", progress=stopped))
    manifest = build_generation(texts, Plan(tmp_path, analyzer, again, lexical="tantivy"))
    assert len(manifest.blocks) == 4
    assert len(again.encoded) == 20
    assert len(found(tmp_path, analyzer, "标题7")) >= 1


def test_vectors_of_the_version_before_are_reused(tmp_path: Path, analyzer: Analyzer) -> None:
    full(tmp_path, analyzer, [record("a_1", "退款", "第一段。\n\n## 二\n\n第二段。")])
    encoder = BigramEncoder()
    change = Change(["a_1"], [record("a_1", "退款", "第一段。\n\n## 二\n\n改过的第二段。", version=2)])
    extend_generation(change, Plan(tmp_path, analyzer, encoder))
    assert encoder.encoded == ["二\n改过的第二段。"]


def test_a_word_that_was_just_published_is_read_and_completed(tmp_path: Path, analyzer: Analyzer) -> None:
    full(tmp_path, analyzer, [article(number, 1, number % 6) for number in range(6)])
    extend(tmp_path, analyzer, Change([], [record("a_90", "蓝鲸联名卡", "蓝鲸联名卡年费减半。")]))
    engine = Engine(tmp_path, analyzer, BigramEncoder())
    answer = engine.answer(query("lanjing", mode=Mode.TYPING), everything)
    assert answer.completions == ("蓝鲸联名卡",)
    assert answer.hits[0].document.id == "a_90"


def test_an_internal_word_that_was_just_published_leads_no_customer_anywhere(
    tmp_path: Path, analyzer: Analyzer
) -> None:
    full(tmp_path, analyzer, [article(number, 1, number % 6) for number in range(6)])
    secret = record("a_90", "蓝鲸联名卡", "蓝鲸联名卡年费减半。", audience=Audience.INTERNAL)
    extend(tmp_path, analyzer, Change([], [secret]))
    engine = Engine(tmp_path, analyzer, BigramEncoder())
    answer = engine.answer(query("lanjing", mode=Mode.TYPING, audience=Audience.PUBLIC), everything)
    assert "蓝鲸" not in repr(answer)


def test_the_generation_before_the_last_full_build_is_kept(tmp_path: Path, analyzer: Analyzer) -> None:
    texts = [article(number, 1, number % 6) for number in range(6)]
    full(tmp_path, analyzer, texts)
    extend(tmp_path, analyzer, Change([], [article(9, 1, 2)]))
    full(tmp_path, analyzer, [*texts, article(9, 1, 2)])
    for version in (2, 3, 4):
        extend(tmp_path, analyzer, Change(["a_9"], [article(9, version, 2)]))
    assert [(m.number, m.built) for m in generations(tmp_path)] == [(6, 3), (5, 3), (2, 1)]


def test_questions_go_on_while_a_generation_is_opened_beside_them(tmp_path: Path, analyzer: Analyzer) -> None:
    full(tmp_path, analyzer, [article(number, 1, number % 6) for number in range(6)])
    engine, stop = Engine(tmp_path, analyzer, BigramEncoder()), threading.Event()
    engine.index()
    follower = threading.Thread(target=engine.follow, args=(stop.wait,))
    follower.start()
    try:
        for version in range(2, 8):
            extend(tmp_path, analyzer, Change(["a_1"], [replace(article(1, version, 1))]))
            for _ in range(200):
                answer = engine.answer(query("修改地址1"), everything)
                if answer.hits[0].document.version == version:
                    break
                stop.wait(0.02)
            assert answer.hits[0].document.version == version
    finally:
        stop.set()
        follower.join()
