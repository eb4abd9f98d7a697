"""Passages taken apart for answering, kept while they are asked for again and again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from search.analysis import Analyzer, Token
from search.encoder import Encoder, StaticEncoder
from search.index import Index
from search.sentences import sentence_spans
from search.types import FloatArray, Passage

KEPT = 20_000
"""Passages kept apart; about 2 KB each."""


@dataclass(frozen=True, slots=True)
class Sentences:
    """The sentences of a passage: half-open spans, their tokens, and unit vectors where encoding is cheap."""

    spans: tuple[tuple[int, int], ...]
    tokens: tuple[tuple[Token, ...], ...]
    vectors: FloatArray | None


class Reader:
    """Reads passages of one index; threads may share it."""

    def __init__(self, index: Index, analyzer: Analyzer, encoder: Encoder | None) -> None:
        self._index = index
        self._analyzer = analyzer
        # Sentences are encoded while asking: only an encoder that needs microseconds may.
        self._encoder = encoder if isinstance(encoder, StaticEncoder) else None
        self.passage = lru_cache(KEPT)(index.passage)
        self.words = lru_cache(KEPT)(self._words)
        self.sentences = lru_cache(KEPT)(self._sentences)

    def terms(self, text: str) -> frozenset[str]:
        """The terms of a text."""
        return frozenset(self._analyzer.index_terms(text))

    def _words(self, number: int) -> frozenset[str]:
        passage: Passage = self.passage(number)
        return self.terms(" ".join((*passage.headings, passage.text)))

    def _sentences(self, number: int) -> Sentences:
        text = self.passage(number).text
        spans = tuple(sentence_spans(text))
        pieces = [text[start:end] for start, end in spans]
        tokens = tuple(tuple(self._analyzer.tokens(piece)) for piece in pieces)
        vectors = None
        if self._encoder is not None and pieces:
            vectors = self._encoder.encode_passages([self._analyzer.fold(piece) for piece in pieces])
        return Sentences(spans, tokens, vectors)
