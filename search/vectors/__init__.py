"""Vector engines: cosine over unit vectors. One file per engine, one contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from search.columns import Selection
from search.types import FloatArray, IntArray


class VectorIndex(Protocol):
    """A searchable matrix of unit vectors, one row per passage."""

    def __len__(self) -> int: ...

    def search(self, vector: FloatArray, where: Selection, n: int) -> list[tuple[int, float]]:
        """The best `n` allowed passages by cosine (-1..1), best first, ties by number."""
        ...

    def scores(self, vector: FloatArray, passages: Sequence[int] | IntArray) -> list[float]:
        """Cosines of some passages, in the order asked."""
        ...


class VectorBlocks:
    """Several vector indexes one after another, searched as one."""

    def __init__(self, blocks: Sequence[VectorIndex]) -> None:
        self._blocks = blocks
        self._starts = np.cumsum([0, *(len(block) for block in blocks)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def search(self, vector: FloatArray, where: Selection, n: int) -> list[tuple[int, float]]:
        if len(self._blocks) == 1:
            return self._blocks[0].search(vector, where, n)
        found: list[tuple[int, float]] = []
        for block, start in zip(self._blocks, self._starts.tolist(), strict=False):
            own = block.search(vector, where.part(start, start + len(block)), n)
            found += [(start + number, score) for number, score in own]
        return sorted(found, key=lambda entry: (-entry[1], entry[0]))[:n]

    def scores(self, vector: FloatArray, passages: Sequence[int] | IntArray) -> list[float]:
        if len(self._blocks) == 1:
            return self._blocks[0].scores(vector, passages)
        wanted = np.asarray(passages, dtype=np.int64)
        scores = np.zeros(len(wanted), np.float32)
        places = np.searchsorted(self._starts, wanted, side="right") - 1
        for place in np.unique(places).tolist():
            own = places == place
            scores[own] = self._blocks[place].scores(vector, wanted[own] - self._starts[place])
        return [float(score) for score in scores]


def open_vectors(name: str, matrix: FloatArray) -> VectorIndex:
    """An index of engine `name` over the rows of `matrix` (passages, dimension), float32 and unit length."""
    from search.vectors import faiss

    return {"faiss": faiss.FaissIndex}[name](matrix)
