"""知答 itself, asked through `Engine.answer`: reading, encoding, permission and answers included."""

from __future__ import annotations

import time
from pathlib import Path
from unittest.mock import patch

from benchmarks.peers.material import Change, Material, Question, Vectors
from benchmarks.peers.prepare import changed_records, sources
from benchmarks.peers.protocol import TOP, updated
from indexer.build import Change as Extension
from indexer.build import Plan, build_generation, extend_generation
from search.analysis import Analyzer
from search.columns import filter_of
from search.encoder import load_encoder
from search.engine import Engine
from search.lexicon import shipped_lexicon
from search.types import Audience, Document, DocumentRef, Query, everything

SEARCH_PART = ("lexical", "vectors", "fuse")
"""Stages of `Answer.timing_ms` that the peers have too."""


class Ours:
    """Documents answer, found by their passages; terms and vectors are made by the product itself."""

    answers_documents = True

    def __init__(self) -> None:
        self._analyzer, self._encoder = Analyzer(shipped_lexicon()), load_encoder()
        self._inner = 0.0

    def configuration(self) -> str:
        return "知答: as shipped; building includes making terms, vectors, completions and the speller's vocabulary"

    def build(self, material: Material, folder: Path) -> None:
        build_generation(sources(material), self._plan(folder))

    def open(self, folder: Path, material: Material) -> None:
        self._folder, self._changed = folder, changed_records(material)
        self._engine = Engine(folder, self._analyzer, self._encoder)
        index = self._engine.index()
        self._numbers = {ref: number for number, ref in enumerate(index.refs())}
        self._of_id = {ref.id: number for ref, number in self._numbers.items()}

    def query(self, question: Question, vector: Vectors) -> list[int]:
        answer = self._engine.answer(self._query(question), everything)
        self._inner = sum(answer.timing_ms.get(stage, 0.0) for stage in SEARCH_PART)
        return [self._number(hit.document) for hit in answer.hits]

    def nearest(self, question: Question, vector: Vectors) -> list[int]:
        index = self._engine.index()
        where = index.columns.select(filter_of(self._query(question), index.codes))
        assert index.vectors
        return [number for number, _ in index.vectors.search(vector, where, TOP)]

    def inner(self) -> float | None:
        return self._inner

    def update(self, change: Change, vectors: Vectors) -> None:
        record = self._changed[change.word]
        extend_generation(Extension([record.document.id], [record]), self._plan(self._folder))

    def keep(self) -> None:
        """An update is on disk when it can be found."""

    def exhaust(self) -> None:
        with patch("search.vectors.faiss.MANY", 1 << 60):
            self._engine = Engine(self._folder, self._analyzer, self._encoder)
            self._engine.index()

    def _number(self, document: Document) -> int:
        ref = DocumentRef(document.id, document.version)
        return self._numbers[ref] if ref in self._numbers else updated(self._of_id[ref.id])

    def _query(self, question: Question) -> Query:
        return Query(question.text, Audience.INTERNAL, int(time.time()), top_k=TOP, below_threshold=True)

    def _plan(self, folder: Path) -> Plan:
        # What `auto` takes at this size, for trials of a few passages too.
        return Plan(folder, self._analyzer, self._encoder, lexical="tantivy")
