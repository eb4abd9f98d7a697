"""How good rankings are: recall, reciprocal rank and gain, with bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Judged:
    """One question with its ranking: the 1-based ranks at which relevant documents stand, best first."""

    ranks: tuple[int, ...]
    relevant: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over questions with its 95% bootstrap interval."""

    mean: float
    low: float
    high: float


def ranks_of(ranking: Sequence[str], relevant: frozenset[str]) -> Judged:
    """Where the relevant documents stand in a ranking."""
    return Judged(tuple(n for n, key in enumerate(ranking, 1) if key in relevant), len(relevant))


def recall_at(depth: int) -> Callable[[Judged], float]:
    """1 when a relevant document is among the first `depth`, else 0."""

    def recall(judged: Judged) -> float:
        return float(any(rank <= depth for rank in judged.ranks))

    return recall


def reciprocal_rank(judged: Judged) -> float:
    """1 / rank of the first relevant document, 0 when there is none."""
    return 1 / judged.ranks[0] if judged.ranks else 0.0


def ndcg_at_10(judged: Judged) -> float:
    """Normalised discounted cumulative gain at 10, binary relevance.

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002).
    """
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(judged.relevant, 10) + 1))
    return sum(1 / math.log2(rank + 1) for rank in judged.ranks if rank <= 10) / ideal if ideal else 0.0


METRICS: dict[str, Callable[[Judged], float]] = {
    "recall@1": recall_at(1),
    "recall@5": recall_at(5),
    "recall@10": recall_at(10),
    "mrr": reciprocal_rank,
    "ndcg@10": ndcg_at_10,
}


def figure(values: Sequence[float], seed: int = 7) -> Figure:
    """Mean and 95% percentile interval of RESAMPLES bootstrap means (Efron, 1979)."""
    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        return Figure(0.0, 0.0, 0.0)
    picks = np.random.default_rng(seed).integers(0, len(array), (RESAMPLES, len(array)))
    low, high = np.percentile(array[picks].mean(axis=1), [2.5, 97.5])
    return Figure(float(array.mean()), float(low), float(high))
