"""Vector engines: cosine over unit vectors. One file per engine, one contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from search.columns import Selection
from search.types import FloatArray


class VectorIndex(Protocol):
    """A searchable matrix of unit vectors, one row per passage."""

    def search(self, vector: FloatArray, where: Selection, n: int) -> list[tuple[int, float]]:
        """The best `n` allowed passages by cosine (-1..1), best first, ties by number."""
        ...

    def scores(self, vector: FloatArray, passages: Sequence[int]) -> list[float]:
        """Cosines of some passages, in the order asked."""
        ...


def open_vectors(name: str, matrix: FloatArray) -> VectorIndex:
    """An index of engine `name` over the rows of `matrix` (passages, dimension), float32 and unit length."""
    from search.vectors import faiss

    return {"faiss": faiss.FaissIndex}[name](matrix)
