"""FAISS, exact inner product over a flat matrix.

The matrix on disk is our own checksummed .npy file: FAISS's file format is never read or written.
"""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np

from search.columns import Selection
from search.types import FloatArray

# A fork after an OpenMP search hangs, and one search must not take every core from the other threads.
faiss.omp_set_num_threads(1)


class FaissIndex:
    """Exact search; threads may share it."""

    def __init__(self, matrix: FloatArray) -> None:
        self._matrix = matrix
        self._flat = faiss.IndexFlatIP(matrix.shape[1])
        self._flat.add(np.ascontiguousarray(matrix, dtype=np.float32))

    def search(self, vector: FloatArray, where: Selection, n: int) -> list[tuple[int, float]]:
        if where.none:
            return []
        asked = n + 1
        # FAISS keeps any of those that tie at its end: more are asked for until the end is worse than the n-th.
        while True:
            found = self._nearest(vector, where, asked)
            if len(found) < asked or found[-1][1] < found[n - 1][1]:
                return sorted(found, key=lambda entry: (-entry[1], entry[0]))[:n]
            asked *= 2

    def _nearest(self, vector: FloatArray, where: Selection, n: int) -> list[tuple[int, float]]:
        packed = np.packbits(where.allowed, bitorder="little")
        # The selector keeps a pointer only: `packed` must outlive the search.
        selector = faiss.IDSelectorBitmap(len(packed), faiss.swig_ptr(packed))
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        scores, numbers = self._flat.search(vector.reshape(1, -1), min(n, len(self._matrix)), params=parameters)
        return [(int(i), float(s)) for i, s in zip(numbers[0], scores[0], strict=True) if i >= 0]

    def scores(self, vector: FloatArray, passages: Sequence[int]) -> list[float]:
        rows = np.asarray(self._matrix[np.asarray(passages, dtype=np.int64)], dtype=np.float32)
        return [float(score) for score in rows @ vector]
