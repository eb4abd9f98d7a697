"""Where training starts: token vectors from which tokens stand near each other in the documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from indexer.training.fit import Mixture, Start
from indexer.training.vocabulary import Vocabulary
from search.types import FloatArray

RARITY = 1e-3
"""The a of a / (a + p(token)), the weight of frequent tokens at the start (Arora et al. 2017, SIF)."""
WINDOW = 6
CONTEXT_SMOOTHING = 0.75


def starting_rows(documents: Sequence[Sequence[int]], vocabulary: Vocabulary, dimension: int, seed: int) -> Start:
    """Co-occurrence vectors made shorter the more frequent their token, and what tokens share with each other."""
    tokens = list(vocabulary.counts)
    vectors = cooccurrence_vectors(documents, len(tokens), dimension, seed)
    frequency = np.bincount(np.concatenate([np.asarray(d, dtype=np.int64) for d in documents]), minlength=len(tokens))
    rarity = RARITY / (RARITY + frequency / frequency.sum())
    rows: FloatArray = (vectors * rarity[:, None]).astype(np.float32)
    return Start(rows, _characters(tokens), _spellings(tokens, vocabulary))


def _characters(tokens: list[str]) -> Mixture:
    numbers: dict[str, int] = {}
    triples = [
        (row, numbers.setdefault(character, len(numbers)), 1 / len(token))
        for row, token in enumerate(tokens)
        if not token.isascii()
        for character in token
    ]
    return _mixture(triples, len(numbers))


def _spellings(tokens: list[str], vocabulary: Vocabulary) -> Mixture:
    row = {token: number for number, token in enumerate(tokens)}
    readings = vocabulary.readings.items()
    return _mixture([(row[s], row[t], share) for s, read in readings for t, share in read], len(tokens))


def _mixture(triples: list[tuple[int, int, float]], parts: int) -> Mixture:
    whole, part, share = np.array(triples, dtype=np.float64).reshape(-1, 3).T
    return Mixture(whole.astype(np.int64), part.astype(np.int64), share.astype(np.float32), parts)


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
