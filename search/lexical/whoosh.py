"""Whoosh, the readable reference engine, for small knowledge bases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from whoosh import fields, index, query, scoring
from whoosh.analysis import SpaceSeparatedTokenizer
from whoosh.idsets import DocIdSet

from search.analysis import Term
from search.columns import Selection
from search.lexical import bm25, idf
from search.types import BoolArray

_FIELD = "terms"


def write(folder: Path, passages: Iterable[Sequence[str]]) -> None:
    """One segment, so that Whoosh's document numbers are the passage numbers."""
    schema = fields.Schema(**{_FIELD: fields.TEXT(analyzer=SpaceSeparatedTokenizer(), phrase=False)})
    writer = index.create_in(folder, schema).writer(limitmb=256)
    for terms in passages:
        writer.add_document(**{_FIELD: " ".join(terms)})
    writer.commit(merge=False)


class WhooshIndex:
    """A Whoosh folder opened for searching; threads may share it."""

    def __init__(self, folder: Path) -> None:
        self._index = index.open_dir(folder, readonly=True)
        self._searcher = self._index.searcher(weighting=_Bm25())

    def search(self, terms: Sequence[Term], where: Selection, n: int) -> list[tuple[int, float]]:
        # Whoosh takes an empty filter for no filter at all: nothing allowed must never get that far.
        if where.none or not terms:
            return []
        wanted = query.Or([query.Term(_FIELD, term.text, boost=term.weight) for term in terms])
        found = self._searcher.search(wanted, limit=n, filter=_Allowed(where.allowed), scored=True)
        return [(int(number), float(score)) for score, number in found.top_n]

    def idf(self, term: str) -> float:
        return idf(self._searcher.doc_frequency(_FIELD, term), self._searcher.doc_count_all())

    def close(self) -> None:
        self._searcher.close()
        self._index.close()


class _Allowed(DocIdSet):  # type: ignore[misc]
    """A passage mask as the set of document numbers that Whoosh filters by."""

    def __init__(self, allowed: BoolArray) -> None:
        self._allowed = allowed

    def __contains__(self, number: int) -> bool:
        return bool(self._allowed[number])

    def __len__(self) -> int:
        return int(self._allowed.sum())

    def __iter__(self) -> Iterator[int]:
        return iter(self._allowed.nonzero()[0].tolist())


class _Bm25(scoring.WeightingModel):  # type: ignore[misc]
    """BM25 by the formulas that every engine here shares."""

    def scorer(self, searcher: Any, fieldname: str, text: bytes, qf: int = 1) -> Any:
        if not searcher.schema[fieldname].scorable:
            return scoring.WeightScorer.for_(searcher, fieldname, text)
        return _Bm25Scorer(searcher, fieldname, text)


class _Bm25Scorer(scoring.WeightLengthScorer):  # type: ignore[misc]
    def __init__(self, searcher: Any, fieldname: str, text: bytes) -> None:
        parent = searcher.get_parent()
        self._idf = idf(parent.doc_frequency(fieldname, text), parent.doc_count_all())
        self._mean = parent.avg_field_length(fieldname) or 1
        self.setup(searcher, fieldname, text)

    def _score(self, weight: float, length: float) -> float:
        return self._idf * bm25(weight, length, self._mean)
