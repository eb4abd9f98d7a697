"""Whoosh, the readable reference engine, for small knowledge bases.

Whoosh keeps the postings; they are summed with NumPy, which is many times faster than its matchers. A term's postings
are decoded when it is first asked for and kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
from whoosh import fields, index
from whoosh.analysis import SpaceSeparatedTokenizer

from search.analysis import Term
from search.columns import Selection
from search.lexical import LexicalRow, best, bm25_array, idf
from search.types import FloatArray, IntArray

_FIELD = "terms"
_SCHEMA = fields.Schema(**{_FIELD: fields.TEXT(analyzer=SpaceSeparatedTokenizer(), phrase=False)})
KEPT_TERMS = 50_000


def write(folder: Path, rows: Iterable[LexicalRow]) -> None:
    """One segment, so that Whoosh's document numbers are the passage numbers."""
    writer = index.create_in(folder, _SCHEMA).writer(limitmb=256)
    try:
        for row in rows:
            writer.add_document(**{_FIELD: " ".join(row.terms)})
    except BaseException:
        writer.cancel()
        raise
    writer.commit(merge=False)


@dataclass(frozen=True, slots=True)
class _Posting:
    """The passages that hold a term, and the BM25 of the term in each."""

    passages: IntArray
    scores: FloatArray


class WhooshIndex:
    """A Whoosh folder opened for searching; threads may share it."""

    def __init__(self, folder: Path) -> None:
        # The schema is given so that none is unpickled from the folder.
        self._index = index.open_dir(folder, schema=_SCHEMA, readonly=True)
        self._reader = self._index.reader()
        self._count = self._reader.doc_count_all()
        # Whoosh answers None for a passage of stop words only.
        lengths = (self._reader.doc_field_length(n, _FIELD) or 0 for n in range(self._count))
        self._lengths = np.fromiter(lengths, np.float32, self._count)
        self._mean_length = float(self._lengths.mean()) if self._count else 1.0
        # A Whoosh reader has one file position: decoding is done by one thread at a time.
        self._lock = Lock()
        self._posting = lru_cache(KEPT_TERMS)(self._decode)

    def search(self, terms: Sequence[Term], where: Selection, n: int) -> list[tuple[int, float]]:
        scores = np.zeros(self._count, dtype=np.float32)
        for term in terms:
            posting = self._posting(term.text)
            scores[posting.passages] += term.weight * posting.scores
        return best(scores, where, n)

    def idf(self, term: str) -> float:
        return idf(len(self._posting(term).passages), self._count)

    def close(self) -> None:
        self._reader.close()
        self._index.close()

    def _decode(self, term: str) -> _Posting:
        with self._lock:
            if (_FIELD, term) not in self._reader:
                return _Posting(np.zeros(0, np.int64), np.zeros(0, np.float32))
            matcher = self._reader.postings(_FIELD, term)
            pairs = []
            while matcher.is_active():
                pairs.append((matcher.id(), matcher.weight()))
                matcher.next()
        passages = np.array([passage for passage, _ in pairs], dtype=np.int64)
        frequency = np.array([weight for _, weight in pairs], dtype=np.float32)
        scores = bm25_array(frequency, self._lengths[passages], self._mean_length)
        return _Posting(passages, (idf(len(pairs), self._count) * scores).astype(np.float32))
