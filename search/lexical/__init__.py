"""Lexical engines: BM25 over the terms of passages. One file per engine, one contract."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from search.analysis import Term
from search.columns import Selection
from search.types import FloatArray

K1 = 1.2
B = 0.75


class LexicalIndex(Protocol):
    """A readable lexical index. Passages are numbered from 0 in the order they were written."""

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


def write_lexical(name: str, folder: Path, passages: Iterable[Sequence[str]]) -> None:
    """Write the terms of passages as a new index of engine `name` into an empty folder."""
    from search.lexical import whoosh

    {"whoosh": whoosh.write}[name](folder, passages)


def open_lexical(name: str, folder: Path) -> LexicalIndex:
    """Open the index that `write_lexical` made with the same engine name."""
    from search.lexical import whoosh

    return {"whoosh": whoosh.WhooshIndex}[name](folder)
