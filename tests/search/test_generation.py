from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.build import Plan, build_generation
from search.analysis import Analyzer
from search.engine import Engine
from search.errors import IndexCorrupt, IndexMismatch, IndexMissing
from search.generation import current_number, quarantine, read_manifest, set_current, verify
from search.index import Expected, open_index
from search.lexicon import parse_lexicon
from search.types import everything
from tests.conftest import BigramEncoder, query, record

RECORDS = [
    record(
        "a_1", "退款多久到账", "银行卡一到三天。\n\n## 信用卡 {#card}\n\n三到七天。", ["钱啥时候退"], tags=("退款",)
    ),
    record("a_2", "改收货地址", "发货前能改。"),
]


@pytest.fixture
def root(tmp_path: Path, analyzer: Analyzer, encoder: BigramEncoder) -> Path:
    build_generation(RECORDS, Plan(tmp_path / "index", analyzer, encoder, outbox_id=41))
    return tmp_path / "index"


def expected(analyzer: Analyzer) -> Expected:
    return Expected(analyzer.id, BigramEncoder.id)


def test_the_manifest_says_what_was_built(root: Path) -> None:
    manifest = read_manifest(root / "1")
    assert (manifest.documents, manifest.outbox_id, manifest.tags) == (2, 41, ("退款",))
    assert (manifest.encoder, manifest.dimension) == ("bigrams-1", 64)


def damages(folder: Path) -> list[tuple[str, str]]:
    names = [*read_manifest(folder).files, "manifest.json"]
    return [(name, how) for name in names for how in ("flip", "truncate", "delete")]


def test_every_damage_to_every_file_is_noticed(root: Path, analyzer: Analyzer) -> None:
    intact = root.parent / "intact"
    shutil.copytree(root / "1", intact)
    for name, how in damages(intact):
        folder = root.parent / "damaged"
        shutil.copytree(intact, folder)
        path = folder / name
        data = path.read_bytes()
        if not data and how != "delete":
            shutil.rmtree(folder)
            continue
        if how == "delete":
            path.unlink()
        else:
            middle = len(data) // 2
            flipped = data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]
            path.write_bytes(flipped if how == "flip" else data[:-1])
        if name == "manifest.json" and how == "flip":
            # A flipped bit may still be a manifest, of something else than these files.
            assert _differs(folder, intact, analyzer), (name, how)
        else:
            with pytest.raises((IndexCorrupt, IndexMismatch)):
                open_index(folder, expected(analyzer))
        shutil.rmtree(folder)


def _differs(folder: Path, intact: Path, analyzer: Analyzer) -> bool:
    try:
        open_index(folder, expected(analyzer))
    except (IndexCorrupt, IndexMismatch):
        return True
    return read_manifest(folder) != read_manifest(intact)


def test_another_analyser_is_refused(root: Path) -> None:
    other = Analyzer(parse_lexicon("新词", "", ""))
    with pytest.raises(IndexMismatch, match="analyser"):
        open_index(root / "1", expected(other))


def test_another_encoder_searches_lexically_and_says_so(root: Path, analyzer: Analyzer) -> None:
    other = BigramEncoder()
    other.id = "other"
    answer = Engine(root, analyzer, other).answer(query("退款"), everything)
    assert answer.degraded == ("encoder",)
    assert answer.hits[0].document.id == "a_1"


def test_without_an_index_there_is_a_clear_error(tmp_path: Path, analyzer: Analyzer) -> None:
    with pytest.raises(IndexMissing) as caught:
        Engine(tmp_path / "none", analyzer, None).answer(query("退款"), everything)
    assert "kb index build" in caught.value.hint


def test_vectors_are_reused_by_content(root: Path, analyzer: Analyzer) -> None:
    second = BigramEncoder()
    build_generation([*RECORDS, record("a_3", "新文章", "新内容。")], Plan(root, analyzer, second))
    assert second.encoded == ["新文章", "新内容。"]


def test_an_interrupted_build_leaves_the_old_one_in_use(root: Path, analyzer: Analyzer, encoder: BigramEncoder) -> None:
    def broken(stage: str, _done: int, _total: int) -> None:
        if stage == "embed":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_generation(RECORDS, Plan(root, analyzer, encoder, progress=broken))
    assert current_number(root) == 1
    assert sorted(path.name for path in root.iterdir()) == ["1", "current"]


def test_what_a_killed_build_left_is_removed_and_its_number_never_used_again(
    root: Path, analyzer: Analyzer, encoder: BigramEncoder
) -> None:
    (root / "2.building").mkdir()
    manifest = build_generation(RECORDS, Plan(root, analyzer, encoder))
    assert manifest.number == 3
    assert not (root / "2.building").exists()


def test_a_running_engine_notices_the_new_generation(root: Path, analyzer: Analyzer, encoder: BigramEncoder) -> None:
    engine = Engine(root, analyzer, encoder)
    assert engine.answer(query("新文章"), everything).generation == 1
    build_generation([record("a_9", "新文章", "新内容。")], Plan(root, analyzer, encoder))
    assert engine.answer(query("新文章"), everything).hits[0].document.id == "a_9"


def test_a_running_engine_stays_on_the_old_one_when_the_new_one_is_broken(
    root: Path, analyzer: Analyzer, encoder: BigramEncoder
) -> None:
    engine = Engine(root, analyzer, encoder)
    engine.index()
    set_current(root, 77)
    assert engine.answer(query("退款"), everything).generation == 1


def test_quarantine_keeps_the_evidence(root: Path) -> None:
    aside = quarantine(root / "1")
    assert ".corrupt-" in aside.name
    verify(aside, read_manifest(aside))


def test_old_generations_are_pruned(make_engine: Callable[..., Engine], tmp_path: Path) -> None:
    for _ in range(4):
        make_engine(RECORDS)
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == ["3", "4", "current"]
