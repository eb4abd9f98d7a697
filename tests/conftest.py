"""Small deterministic material for tests: a fake encoder, records, and engines over them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from indexer.build import Plan, build_generation
from indexer.records import Record
from search.analysis import Analyzer
from search.engine import Engine
from search.lexicon import shipped_lexicon
from search.types import Audience, Document, FloatArray, Kind, Query

NOW = 1_700_000_000

# A shared machine makes single examples slow without anything being wrong.
settings.register_profile("zhida", deadline=None, database=None)
settings.load_profile("zhida")


class BigramEncoder:
    """Character bigrams hashed into 64 dimensions, signed: near is what shares characters. Remembers passages."""

    id = "bigrams-1"
    dimension = 64

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        return np.stack([self._row(text) for text in texts]) if texts else np.zeros((0, 64), np.float32)

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        self.encoded += texts
        return self.encode_queries(texts)

    def _row(self, text: str) -> FloatArray:
        row = np.zeros(64, np.float32)
        for a, b in pairwise(text):
            digest = hashlib.md5((a + b).encode("utf-8", "surrogatepass")).digest()
            row[digest[0] % 64] += 1 if digest[1] % 2 else -1
        norm = float(np.linalg.norm(row))
        return row / norm if norm else row


def record(key: str, title: str, body: str = "", questions: Iterable[str] = (), **fields: object) -> Record:
    """A record with the fields that a test cares about; public unless they say otherwise."""
    values: dict[str, object] = {"version": 1, "kind": Kind.ARTICLE, "slug": key, "category": "general"}
    values |= {"audience": Audience.PUBLIC} | fields
    return Record(Document(id=key, title=title, **values), tuple(questions), body)  # type: ignore[arg-type]


def query(text: str, **fields: object) -> Query:
    """A query with the fields that a test cares about; weak hits are shown."""
    values: dict[str, object] = {"audience": Audience.INTERNAL, "now": NOW, "below_threshold": True} | fields
    return Query(text, **values)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def analyzer() -> Analyzer:
    return Analyzer(shipped_lexicon())


@pytest.fixture
def encoder() -> BigramEncoder:
    return BigramEncoder()


@pytest.fixture
def make_index(tmp_path: Path, analyzer: Analyzer, encoder: BigramEncoder) -> Callable[[Iterable[Record]], Path]:
    """Builds records into the next generation of one folder, which it returns."""

    def make(records: Iterable[Record]) -> Path:
        build_generation(records, Plan(tmp_path / "index", analyzer, encoder))
        return tmp_path / "index"

    return make


@pytest.fixture
def make_engine(
    make_index: Callable[[Iterable[Record]], Path], analyzer: Analyzer, encoder: BigramEncoder
) -> Callable[[Iterable[Record]], Engine]:
    """Indexes some records and opens them."""
    return lambda records: Engine(make_index(records), analyzer, encoder)
