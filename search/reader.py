"""Passages taken apart for answering, kept while they are asked for again and again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from search.analysis import Analyzer, Token
from search.blocks import Block
from search.encoder import Encoder, StaticEncoder
from search.index import Index
from search.passages import passage_of
from search.sentences import sentence_spans
from search.types import FloatArray, Passage, Role

KEPT = 20_000
"""Passages kept apart; about 2 KB each."""


@dataclass(frozen=True, slots=True)
class Sentences:
    """The sentences of a passage: half-open spans, their tokens, and unit vectors where encoding is cheap.

    All offsets are counted from the start of the passage.
    """

    spans: tuple[tuple[int, int], ...]
    tokens: tuple[tuple[Token, ...], ...]
    vectors: FloatArray | None


class Reader:
    """Reads passages of one index, and keeps what it read of blocks that an earlier reader had as well.

    Threads may share it.
    """

    def __init__(self, index: Index, analyzer: Analyzer, encoder: Encoder | None, before: Reader | None = None) -> None:
        self._index = index
        self._analyzer = analyzer
        kept: Mapping[str, _BlockReader] = before._blocks if before else {}
        self._blocks: Mapping[str, _BlockReader] = {
            block.name: kept.get(block.name) or _BlockReader(block, analyzer, encoder) for block in index.blocks
        }

    def passage(self, number: int) -> Passage:
        """The passage by its number in the generation."""
        block, own = self._index.place(number)
        return self._blocks[block.name].passage(own)

    def words(self, number: int) -> frozenset[str]:
        """The terms of a passage and its headings."""
        block, own = self._index.place(number)
        return self._blocks[block.name].words(own)

    def sentences(self, number: int) -> Sentences:
        """The sentences of a passage."""
        block, own = self._index.place(number)
        return self._blocks[block.name].sentences(own)

    def terms(self, text: str) -> frozenset[str]:
        """The terms of a text."""
        return frozenset(self._analyzer.index_terms(text))


class _BlockReader:
    """Reads passages of one block."""

    def __init__(self, block: Block, analyzer: Analyzer, encoder: Encoder | None) -> None:
        self._records = block.passages
        self._roles = block.rows["role"]
        self._terms = block.terms
        self._analyzer = analyzer
        # Sentences are encoded while asking: only an encoder that needs microseconds may.
        self._encoder = encoder if isinstance(encoder, StaticEncoder) else None
        self.passage = lru_cache(KEPT)(self._passage)
        self.words = lru_cache(KEPT)(self._words)
        self.sentences = lru_cache(KEPT)(self._sentences)

    def _passage(self, number: int) -> Passage:
        return passage_of(self._records[number])

    def _words(self, number: int) -> frozenset[str]:
        text, beside = self._terms[number]
        # Summary and tags stand beside a title: they help to find it, but are no words of an answer.
        return frozenset(text if self._roles[number] == Role.TITLE else (*text, *beside))

    def _sentences(self, number: int) -> Sentences:
        text = self.passage(number).text
        spans = tuple(sentence_spans(text))
        pieces = [text[start:end] for start, end in spans]
        tokens = _by_span(self._analyzer.tokens(text), spans)
        vectors = None
        # The only sentence of a passage has none to be compared with.
        if self._encoder is not None and len(pieces) > 1:
            vectors = self._encoder.encode_passages([self._analyzer.fold(piece) for piece in pieces])
        return Sentences(spans, tokens, vectors)


def _by_span(tokens: Sequence[Token], spans: Sequence[tuple[int, int]]) -> tuple[tuple[Token, ...], ...]:
    """Tokens by the sentence that they begin in."""
    starts = [start for start, _ in spans]
    found: list[list[Token]] = [[] for _ in spans]
    for token in tokens:
        place = bisect_right(starts, token.start) - 1
        if place >= 0:
            found[place].append(token)
    return tuple(map(tuple, found))
