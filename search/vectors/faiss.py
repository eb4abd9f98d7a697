"""FAISS: a scan of all rows, in 8 bits where there are many, and exact cosines for what it proposes.

The matrix on disk is our own checksummed .npy file: FAISS's file format is never read or written.
"""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np
from numpy.typing import NDArray

from search.columns import Selection
from search.types import FloatArray, IntArray

# A fork after an OpenMP search hangs, and one search must not take every core from the other threads.
faiss.omp_set_num_threads(1)

MANY = 5_000
"""Rows from which a scan of 8-bit copies and exact cosines of its best is faster; below, all are compared exactly."""
SPARE = 30
"""How many more rows the 8-bit scan proposes than are wanted: rounding moves a row by a few places."""
MOST_TIES = 8
_STEPS = 127
_CHUNK = 16_384


class FaissIndex:
    """Exact search over few rows, and over many as good as exact; threads may share it."""

    def __init__(self, matrix: FloatArray) -> None:
        # A plain view of the mapped file: slices of a memmap object take longer than what is done with them.
        self._matrix = matrix.view(np.ndarray)
        self._rounded = len(matrix) >= MANY
        self._scan = _rounded_copy(matrix) if self._rounded else _exact_copy(matrix)

    def __len__(self) -> int:
        return len(self._matrix)

    def search(self, vector: FloatArray, where: Selection, n: int) -> list[tuple[int, float]]:
        if where.none:
            return []
        asked = n + SPARE if self._rounded else n + 1
        # FAISS keeps any of those that tie at its end: more are asked for until the end is worse than the n-th.
        while True:
            found = self._nearest(vector, where, asked)
            if len(found) < asked or found[-1][1] < found[n - 1][1] or asked > self._most(n):
                return found[:n]
            asked *= 2

    def _most(self, n: int) -> int:
        """Of thousands of copies of one text any will do; of a few the first are to come."""
        return MOST_TIES * n if self._rounded else len(self._matrix)

    def _nearest(self, vector: FloatArray, where: Selection, n: int) -> list[tuple[int, float]]:
        """Proposed rows with their exact cosines, best first, ties by number."""
        packed = np.packbits(where.allowed, bitorder="little")
        # The selector keeps a pointer only: `packed` must outlive the search.
        selector = faiss.IDSelectorBitmap(len(packed), faiss.swig_ptr(packed))
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        asked = _rounded_query(vector) if self._rounded else vector
        scores, numbers = self._scan.search(asked.reshape(1, -1), min(n, len(self._matrix)), params=parameters)
        found = numbers[0][numbers[0] >= 0]
        exact = self._exact(vector, found) if self._rounded else scores[0][: len(found)]
        return [(int(found[i]), float(exact[i])) for i in np.lexsort((found, -exact))]

    def scores(self, vector: FloatArray, passages: Sequence[int] | IntArray) -> list[float]:
        return [float(score) for score in self._exact(vector, np.asarray(passages, dtype=np.int64))]

    def _exact(self, vector: FloatArray, passages: IntArray) -> FloatArray:
        cosines: FloatArray = np.asarray(self._matrix[passages], dtype=np.float32) @ vector
        return cosines


def _exact_copy(matrix: FloatArray) -> faiss.Index:
    flat = faiss.IndexFlatIP(matrix.shape[1])
    flat.add(np.ascontiguousarray(matrix, dtype=np.float32))
    return flat


def _rounded_copy(matrix: FloatArray) -> faiss.Index:
    """Rows as whole numbers of 8 bits under one scale, compared with integer arithmetic."""
    kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
    scan = faiss.IndexScalarQuantizer(matrix.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
    chunks = range(0, len(matrix), _CHUNK)
    largest = max(float(np.abs(matrix[start : start + _CHUNK]).max(initial=0.0)) for start in chunks) or 1.0
    for start in chunks:
        scan.add(_steps(matrix[start : start + _CHUNK], largest))
    return scan


def _rounded_query(vector: FloatArray) -> FloatArray:
    return _steps(vector, float(np.abs(vector).max(initial=0.0)) or 1.0)


def _steps(values: FloatArray | NDArray[np.generic], largest: float) -> FloatArray:
    steps: FloatArray = np.rint(np.asarray(values, dtype=np.float32) * np.float32(_STEPS / largest))
    return steps
