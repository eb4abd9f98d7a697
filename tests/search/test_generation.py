from __future__ import annotations

import os
import pickle
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.build import Plan, build_generation
from search.analysis import Analyzer
from search.engine import Engine
from search.errors import IndexCorrupt, IndexMismatch, IndexMissing
from search.generation import current_number, quarantine, read_manifest, seal, set_current, verify, write_manifest
from search.index import Expected, open_index
from search.lexicon import parse_lexicon
from search.types import Mode, everything
from tests.conftest import BigramEncoder, query, record

ROOT = Path(__file__).resolve().parents[2]
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


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_of_the_manifest_never_changes_what_it_says(root: Path, place: float, bit: int) -> None:
    path = root / "1" / "manifest.json"
    intact, said = path.read_bytes(), read_manifest(root / "1")
    at = int(place * len(intact))
    path.write_bytes(intact[:at] + bytes([intact[at] ^ (1 << bit)]) + intact[at + 1 :])
    try:
        assert read_manifest(root / "1") == said
    except IndexCorrupt as error:
        assert "kb index build" in error.hint
    finally:
        path.write_bytes(intact)


def test_a_manifest_is_read_back_as_written(tmp_path: Path, root: Path) -> None:
    (folder := tmp_path / "copy").mkdir()
    (folder / "inner").mkdir()
    (folder / "inner" / "甲.bin").write_bytes(b"abc")
    written = replace(read_manifest(root / "1"), files=seal(folder), tags=('"引号"', "\u2028"))
    write_manifest(folder, written)
    assert read_manifest(folder) == written
    assert list(written.files) == ["inner/甲.bin"]
    verify(folder, written)


class _Marks:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._path),)


def test_nothing_is_unpickled_from_a_changed_folder(root: Path, analyzer: Analyzer, tmp_path: Path) -> None:
    mark = tmp_path / "unpickled"
    for name in read_manifest(root / "1").files:
        intact = (root / "1" / name).read_bytes()
        (root / "1" / name).write_bytes(pickle.dumps(_Marks(mark)))
        with pytest.raises(IndexCorrupt, match="checksum"):
            open_index(root / "1", expected(analyzer))
        (root / "1" / name).write_bytes(intact)
    assert not mark.exists()
    pickle.loads(pickle.dumps(_Marks(mark)))
    assert mark.exists()


def test_our_own_files_hold_no_pickles() -> None:
    folders = ("search", "indexer")
    sources = {path: path.read_text("utf-8") for name in folders for path in (ROOT / name).rglob("*.py")}
    loads = [line for text in sources.values() for line in text.splitlines() if "np.load(" in line]
    assert len(loads) >= 4
    assert [line for line in loads if "allow_pickle=False" not in line] == []
    assert [path.name for path, text in sources.items() if re.search(r"^\s*(?:import|from) pickle", text, re.M)] == []


def test_the_pointer_is_replaced_in_one_step(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (root / "current").stat().st_ino
    set_current(root, 1)
    assert (root / "current").stat().st_ino != before

    def fails(_self: Path, _target: Path) -> None:
        raise OSError("no space")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="no space"):
        set_current(root, 2)
    assert current_number(root) == 1


@pytest.mark.parametrize("text", ["", "eins", "1.5", "7\n8"])
def test_a_pointer_that_is_no_number_is_corrupt(root: Path, text: str) -> None:
    (root / "current").write_text(text)
    with pytest.raises(IndexCorrupt):
        current_number(root)


def test_a_build_that_fails_at_any_stage_leaves_the_old_one_in_use(root: Path, analyzer: Analyzer) -> None:
    for stage in ("chunk", "lexical", "embed", "seal"):

        def broken(name: str, _done: int, _total: int, at: str = stage) -> None:
            if name == at:
                raise RuntimeError(at)

        with pytest.raises(RuntimeError, match=stage):
            build_generation(RECORDS, Plan(root, analyzer, BigramEncoder(), progress=broken))
        assert sorted(path.name for path in root.iterdir()) == ["1", "current"]
        open_index(root / "1", expected(analyzer))


def test_equal_texts_are_encoded_once(tmp_path: Path, analyzer: Analyzer, encoder: BigramEncoder) -> None:
    twins = [record("a", "同一个标题", "同一段正文。"), record("b", "同一个标题", "同一段正文。")]
    build_generation(twins, Plan(tmp_path, analyzer, encoder))
    assert sorted(encoder.encoded) == ["同一个标题", "同一段正文。"]


def test_vectors_of_a_damaged_generation_are_not_reused(root: Path, analyzer: Analyzer) -> None:
    path = root / "1" / "blocks" / "1-1" / "vectors.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    second = BigramEncoder()
    build_generation(RECORDS, Plan(root, analyzer, second))
    assert len(second.encoded) == 6


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
    # What was finished is kept for whoever builds again, and goes away with the next generation.
    assert sorted(path.name for path in root.iterdir()) == ["1", "2.building", "current"]
    build_generation(RECORDS, Plan(root, analyzer, encoder))
    assert sorted(path.name for path in root.iterdir()) == ["1", "3", "current"]


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


def test_what_was_used_most_is_completed_first(tmp_path: Path, analyzer: Analyzer, encoder: BigramEncoder) -> None:
    twins = [
        record(f"a_{number}", f"退款{what}", "按原路退回。") for number, what in enumerate(("进度", "规则", "时间"))
    ]
    for uses, first in (({}, "退款进度"), ({"a_2": 3, "a_1": 1}, "退款时间")):
        build_generation(twins, Plan(tmp_path / first, analyzer, encoder, uses=uses))
        answer = Engine(tmp_path / first, analyzer, encoder).answer(query("退款", mode=Mode.TYPING), everything)
        assert answer.completions[0] == first
    assert answer.completions == ("退款时间", "退款规则", "退款进度")


def test_a_document_without_a_title_is_found_by_its_text(
    tmp_path: Path, analyzer: Analyzer, encoder: BigramEncoder
) -> None:
    build_generation([record("a_1", "", "按原路退回。")], Plan(tmp_path, analyzer, encoder))
    hits = Engine(tmp_path, analyzer, encoder).answer(query("原路退回", below_threshold=True), everything).hits
    assert [hit.document.title for hit in hits] == [""]
