"""The model folder: 8-bit rows with a scale each, the tokenizer, and the files sentence-transformers wants."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from search.encoder import LEARNT, question_key
from search.types import FloatArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_MODULES = [
    {
        "idx": 0,
        "name": "0",
        "path": "",
        "type": "sentence_transformers.sentence_transformer.modules.static_embedding.StaticEmbedding",
    }
]
_CONFIG = {
    "model_type": "SentenceTransformer",
    "prompts": {"document": "", "query": ""},
    "default_prompt_name": None,
    "similarity_fn_name": "cosine",
}


def save_model(folder: Path, tokenizer: Tokenizer, rows: FloatArray) -> None:
    """Write a folder that `SentenceTransformer(folder)` and `load_encoder(folder)` read alike.

    Rows are stored as int8 with one float32 scale each, the layout sentence-transformers 6 reads as
    `embeddings` and `weights`: half of fp16, and full precision once loaded, so that a text without
    known tokens is zero and not NaN.
    """
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    scales = np.abs(rows).max(axis=1) / 127
    steps = np.divide(rows, scales[:, None], out=np.zeros_like(rows), where=scales[:, None] > 0)
    tensors = {"embeddings": np.rint(steps).astype(np.int8), "weights": scales.astype(np.float32)}
    (folder / "model.safetensors").write_bytes(save(tensors))
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=False), encoding="utf-8")
    (folder / "modules.json").write_text(json.dumps(_MODULES, indent=2) + "\n", encoding="utf-8")
    (folder / "config_sentence_transformers.json").write_text(json.dumps(_CONFIG, indent=2) + "\n", encoding="utf-8")


def save_learnt(folder: Path, questions: Iterable[str], before: NDArray[np.uint64] | None = None) -> None:
    """Write which folded questions were trained on, as hashes, after those that the model had learnt `before`."""
    keys = np.array([question_key(text) for text in questions], dtype=np.uint64)
    np.save(folder / LEARNT, np.unique(keys if before is None else np.concatenate([before, keys])), allow_pickle=False)
