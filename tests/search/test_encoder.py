"""The NumPy road of the static encoder gives what sentence-transformers gives, and fails clearly."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.encoder import CHUNK_CHARACTERS, SHIPPED_FOLDER, Encoder, is_static, load_encoder
from search.errors import EncoderUnavailable

ENOUGH = 1e-5


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


def _varied_texts() -> list[str]:
    """Own questions and answers, English, mixtures, noise and empty texts."""
    lines = (Path(__file__).parents[2] / "indexer/training_data/intents.jsonl").read_text(encoding="utf-8").splitlines()
    intents = [json.loads(line) for line in lines[::20]]
    own = [text for intent in intents for text in (*intent["utterances"][::3], intent["answer"])]
    odd = [
        "",
        " ",
        "？！",
        "😀",
        "a",
        "ZZZZ qqq",
        "i forgot my passwrod",
        "tuikuanduojiu",
        "100元 3.5",
        "𠮷野家",
        "好" * 5000,
    ]
    return [*own, *odd, "好" * 5000]


def test_numpy_road_equals_sentence_transformers(encoder: Encoder) -> None:
    from sentence_transformers import SentenceTransformer

    texts = _varied_texts()
    theirs = SentenceTransformer(str(SHIPPED_FOLDER), device="cpu").encode(
        texts, normalize_embeddings=True, show_progress_bar=False
    )
    assert len(texts) > 300
    np.testing.assert_allclose(encoder.encode_passages(texts), theirs, atol=ENOUGH)


def test_loading_and_encoding_import_no_torch() -> None:
    code = (
        "import sys; from search.encoder import load_encoder; load_encoder().encode_queries(['退款多久到账']);"
        "print(sorted({'torch', 'sentence_transformers', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=6))
def test_rows_have_length_one_or_zero_and_do_not_depend_on_company(encoder: Encoder, texts: list[str]) -> None:
    together = encoder.encode_passages(texts)
    assert together.shape == (len(texts), encoder.dimension)
    lengths = np.linalg.norm(together, axis=1)
    assert np.all(np.isclose(lengths, 1, atol=1e-4) | (lengths == 0))
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_allclose(encoder.encode_queries([text])[0], row, atol=ENOUGH)


def test_text_without_a_known_token_is_zero(encoder: Encoder) -> None:
    assert not encoder.encode_queries(["？！…"]).any()


def test_a_long_text_is_counted_not_cut(encoder: Encoder) -> None:
    repeated = "退款多久到账，" * (CHUNK_CHARACTERS // 2)
    np.testing.assert_allclose(
        encoder.encode_passages([repeated])[0], encoder.encode_passages(["退款多久到账，" * 3])[0], atol=1e-4
    )


def test_the_shipped_model_fits_its_budget(encoder: Encoder) -> None:
    assert sum(file.stat().st_size for file in SHIPPED_FOLDER.iterdir()) <= 20 * 1024 * 1024
    assert encoder.id.startswith("zhida-static-")


def test_meaning_beats_unrelated_words(encoder: Encoder) -> None:
    asked, near, far = encoder.encode_queries(["钱啥时候能退回来", "退款多久到账", "恐怖电影排行"])
    assert asked @ near > asked @ far + 0.2


def test_pinyin_lands_near_its_characters(encoder: Encoder) -> None:
    pinyin, han, other = encoder.encode_queries(["tuikuan duojiu daozhang", "退款多久到账", "如何更换手机号"])
    assert pinyin @ han > max(0.5, pinyin @ other + 0.3)


@pytest.mark.parametrize("damage", ["absent", "no weights", "broken weights", "broken tokenizer"])
def test_unusable_folder_says_how_to_mend_it(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "model"
    if damage != "absent":
        shutil.copytree(SHIPPED_FOLDER, folder)
    if damage == "no weights":
        (folder / "model.safetensors").unlink()
    if damage == "broken weights":
        (folder / "model.safetensors").write_bytes(b"\x00" * 100)
    if damage == "broken tokenizer":
        (folder / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(EncoderUnavailable) as caught:
        load_encoder(str(folder))
    assert "kb model train" in caught.value.hint


def test_other_modules_are_left_to_sentence_transformers(tmp_path: Path) -> None:
    assert is_static(SHIPPED_FOLDER)
    modules = [{"type": "sentence_transformers.models.StaticEmbedding"}, {"type": "sentence_transformers.models.Dense"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    assert not is_static(tmp_path)
