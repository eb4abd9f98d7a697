"""Where training starts: token vectors from which tokens stand near each other in the documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from search.types import FloatArray

WINDOW = 6
CONTEXT_SMOOTHING = 0.75


def cooccurrence_vectors(documents: Sequence[Sequence[int]], tokens: int, dimension: int, seed: int) -> FloatArray:
    """Rows of length one (zero for tokens never seen): a truncated SVD of positive PMI.

    Formula: Levy & Goldberg 2014, "Neural Word Embedding as Implicit Matrix Factorization", with
    their later context smoothing of 0.75.
    """
    ppmi = _ppmi(_counts(documents, tokens))
    return _unit(_svd(ppmi, dimension, seed))


def _counts(documents: Sequence[Sequence[int]], tokens: int) -> Any:
    from scipy.sparse import coo_matrix  # type: ignore[import-untyped]

    flat = np.concatenate([np.asarray(d, dtype=np.int64) for d in documents])
    owner = np.repeat(np.arange(len(documents)), [len(d) for d in documents])
    total = coo_matrix((tokens, tokens), dtype=np.float32).tocsr()
    for step in range(1, WINDOW + 1):
        same = owner[:-step] == owner[step:]
        left, right = flat[:-step][same], flat[step:][same]
        weight = np.full(left.size, 1.0 / step, dtype=np.float32)
        total = total + coo_matrix((weight, (left, right)), shape=(tokens, tokens)).tocsr()
    return total + total.T


def _ppmi(counts: Any) -> Any:
    matrix = counts.tocoo()
    rows = np.asarray(counts.sum(axis=1)).ravel()
    columns = rows**CONTEXT_SMOOTHING
    expected = rows[matrix.row] * columns[matrix.col] / columns.sum()
    matrix.data = np.maximum(np.log(matrix.data / expected), 0.0).astype(np.float32)
    result = matrix.tocsr()
    result.eliminate_zeros()
    return result


def _svd(matrix: Any, dimension: int, seed: int) -> FloatArray:
    """Randomised range finder with four power steps (Halko, Martinsson & Tropp 2011)."""
    rng = np.random.default_rng(seed)
    sketch = rng.standard_normal((matrix.shape[1], min(dimension + 16, matrix.shape[1]))).astype(np.float32)
    basis = np.linalg.qr(matrix @ sketch)[0]
    for _ in range(4):
        basis = np.linalg.qr(matrix @ (matrix.T @ basis))[0]
    left, values, _ = np.linalg.svd(np.asarray((matrix.T @ basis).T), full_matrices=False)
    vectors = (basis @ left) * np.sqrt(values)
    padded = np.zeros((matrix.shape[0], dimension), dtype=np.float32)
    padded[:, : vectors.shape[1]] = vectors[:, :dimension]
    return padded


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit
