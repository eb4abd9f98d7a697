"""Lexical engines: BM25 over the terms of passages. One file per engine, one contract."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from search.analysis import Term
from search.columns import Selection
from search.types import FloatArray

K1 = 1.2
B = 0.75


EXTENDED = frozenset({"tantivy"})
"""Engines whose index takes further passages; the others are written anew with every change."""


@dataclass(frozen=True, slots=True)
class LexicalRow:
    """A passage as it is written: its terms, and the numbers that a filter may ask for."""

    passage: int
    document: int
    terms: Sequence[str]
    kind: int
    audience: int
    category: int
    product: int
    tags: Sequence[int] = ()


class LexicalIndex(Protocol):
    """A readable lexical index."""

    def search(self, terms: Sequence[Term], where: Selection, n: int) -> list[tuple[int, float]]:
        """The best `n` allowed passages by weighted BM25, best first, ties by number."""
        ...

    def idf(self, term: str) -> float:
        """Inverse document frequency, >= 0; the largest for a term in no passage."""
        ...

    def close(self) -> None: ...


def idf(frequency: int, passages: int) -> float:
    """ln(1 + (N - df + 0.5) / (df + 0.5)), never negative.

    Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), eq. 3.3, in Lucene's variant.
    """
    return math.log(1 + (passages - frequency + 0.5) / (frequency + 0.5))


def bm25(frequency: float, length: float, mean_length: float) -> float:
    """The saturated term frequency: tf (k1 + 1) / (tf + k1 (1 - b + b length / mean)); same source, eq. 3.15."""
    return frequency * (K1 + 1) / (frequency + K1 * (1 - B + B * length / mean_length))


def bm25_array(frequency: FloatArray, length: FloatArray, mean_length: float) -> FloatArray:
    """`bm25` over the postings of a term."""
    saturated = frequency * (K1 + 1) / (frequency + K1 * (1 - B + B * length / mean_length))
    return saturated.astype(np.float32)


def best(scores: FloatArray, where: Selection, n: int) -> list[tuple[int, float]]:
    """The `n` best allowed passages with a score above zero, best first, ties by number."""
    found = np.flatnonzero((scores > 0) & where.allowed)
    if len(found) > n:
        # Everything that ties with the n-th stays in, so that ties are broken by number and not by chance.
        least = np.partition(scores[found], -n)[-n]
        found = found[scores[found] >= least]
    order = np.lexsort((found, -scores[found]))[:n]
    return [(int(found[i]), float(scores[found[i]])) for i in order]


def write_lexical(name: str, folder: Path, rows: Iterable[LexicalRow]) -> None:
    """Write passages, numbered from 0 in their order, as a new index of engine `name` into an empty folder."""
    from search.lexical import tantivy, whoosh

    {"whoosh": whoosh.write, "tantivy": tantivy.write}[name](folder, rows)


def extend_lexical(name: str, folder: Path, gone: Iterable[int], rows: Iterable[LexicalRow]) -> None:
    """Take the passages of some documents out of an index and add others; only for engines in EXTENDED.

    Files that are there already are not changed, so that hard links to them keep what they hold.
    """
    from search.lexical import tantivy

    {"tantivy": tantivy.extend}[name](folder, gone, rows)


def open_lexical(name: str, folder: Path) -> LexicalIndex:
    """Open the index that `write_lexical` made with the same engine name."""
    from search.lexical import tantivy, whoosh

    engines: dict[str, Callable[[Path], LexicalIndex]]
    engines = {"whoosh": whoosh.WhooshIndex, "tantivy": tantivy.TantivyIndex}
    return engines[name](folder)
