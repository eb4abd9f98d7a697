"""txtai: BM25 and FAISS with its own fusion, in memory, as its documentation sets it up for hybrid search."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import txtai

from benchmarks.peers.material import Change, Material, Question, Vectors
from benchmarks.peers.protocol import TOP


class Txtai:
    """`hybrid` with vectors from outside; what is given to it are our terms, split at spaces."""

    answers_documents = False

    def __init__(self) -> None:
        self._rows: dict[str, Vectors] = {}

    def configuration(self) -> str:
        return (
            f"txtai {version('txtai')}: hybrid (`scoring` bm25 with `terms` and `normalize`, which `hybrid: true` "
            "stands for), tokenizer `whitespace`, `method: external`, no content; FAISS as it comes: from 5,000 rows "
            "on IVF of 4·sqrt(n) cells, a sixteenth of them probed; weights 0.5"
        )

    def build(self, material: Material, folder: Path) -> None:
        passages = material.passages()
        self._rows = dict(zip((passage.tokens for passage in passages), material.vectors(), strict=True))
        embeddings = txtai.Embeddings(self._settings())
        embeddings.index((number, passage.tokens, None) for number, passage in enumerate(passages))
        embeddings.save(str(folder))

    def open(self, folder: Path, material: Material) -> None:
        self._folder = folder
        self._embeddings = txtai.Embeddings()
        self._embeddings.load(str(folder), config={"transform": self._transform()})

    def query(self, question: Question, vector: Vectors) -> list[int]:
        self._rows[question.tokens] = vector
        return [number for number, _ in self._embeddings.search(question.tokens, TOP)]

    def nearest(self, question: Question, vector: Vectors) -> list[int]:
        (found,) = self._embeddings.ann.search(vector.reshape(1, -1), TOP)
        return [self._embeddings.ids[number] for number, _ in found]

    def inner(self) -> float | None:
        return None

    def update(self, change: Change, vectors: Vectors) -> None:
        self._rows.update(zip(change.tokens, vectors, strict=True))
        self._embeddings.upsert(zip(change.passages, change.tokens, [None] * len(change.tokens), strict=True))

    def keep(self) -> None:
        self._embeddings.save(str(self._folder))

    def exhaust(self) -> None:
        self._embeddings.config["faiss"] = {"nprobe": getattr(self._embeddings.ann.backend, "nlist", 1)}
        self._embeddings.scoring.terms.cutoff = 1.0

    def _settings(self) -> dict[str, Any]:
        scoring = {"method": "bm25", "terms": True, "normalize": True, "tokenizer": {"whitespace": True}}
        return {"method": "external", "transform": self._transform(), "scoring": scoring, "content": False}

    def _transform(self) -> Any:
        # txtai takes a function and nothing else that can be called.
        def rows(texts: Sequence[str]) -> Vectors:
            return np.stack([self._rows[text] for text in texts])

        return rows
