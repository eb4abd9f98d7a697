"""Fixtures that every test may use: one analyser, a small deterministic encoder, small records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from indexer.build import Plan, build_generation
from indexer.records import Record
from search.analysis import Analyzer
from search.engine import Engine
from search.lexicon import shipped_lexicon
from search.types import Audience, Document, FloatArray, Kind, Query

NOW = 1_700_000_000


class BigramEncoder:
    """Character bigrams hashed into 64 dimensions: enough to be near what shares characters."""

    id = "bigrams-1"
    dimension = 64

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        return np.stack([self._one(text) for text in texts]) if texts else np.zeros((0, 64), np.float32)

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        self.encoded += texts
        return self.encode_queries(texts)

    def _one(self, text: str) -> FloatArray:
        row = np.zeros(64, np.float32)
        for i in range(max(len(text) - 1, 0)):
            digest = hashlib.md5(text[i : i + 2].encode("utf-8", "surrogatepass")).digest()
            row[digest[0] % 64] += 1 if digest[1] % 2 else -1
        norm = float(np.linalg.norm(row))
        return row / norm if norm else row


@pytest.fixture(scope="session")
def analyzer() -> Analyzer:
    return Analyzer(shipped_lexicon())


@pytest.fixture
def encoder() -> BigramEncoder:
    return BigramEncoder()


def record(key: str, title: str, body: str = "", questions: Sequence[str] = (), **fields: object) -> Record:
    """A record with the fields that a test cares about."""
    values: dict[str, object] = {"version": 1, "kind": Kind.ARTICLE, "slug": key, "category": "general"}
    values |= {"audience": Audience.PUBLIC} | fields
    return Record(Document(id=key, title=title, **values), tuple(questions), body)  # type: ignore[arg-type]


def query(text: str, **fields: object) -> Query:
    """A query with the fields that a test cares about; weak hits are shown."""
    values: dict[str, object] = {"audience": Audience.INTERNAL, "now": NOW, "below_threshold": True} | fields
    return Query(text, **values)  # type: ignore[arg-type]


@pytest.fixture
def make_engine(tmp_path: Path, analyzer: Analyzer, encoder: BigramEncoder) -> Callable[..., Engine]:
    """Index some records and open them."""

    def make(records: Sequence[Record], name: str = "index") -> Engine:
        build_generation(records, Plan(tmp_path / name, analyzer, encoder))
        return Engine(tmp_path / name, analyzer, encoder)

    return make
