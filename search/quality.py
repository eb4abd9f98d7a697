"""How good rankings and confidences are, with bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Values = Sequence[float] | Floats
Statistic = Callable[..., float]

RESAMPLES = 1000
BINS = 15


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


def figure(values: Values, seed: int = 7) -> Figure:
    """Mean and 95% percentile interval of RESAMPLES bootstrap means (Efron, 1979)."""
    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        return Figure(0.0, 0.0, 0.0)
    picks = np.random.default_rng(seed).integers(0, len(array), (RESAMPLES, len(array)))
    low, high = np.percentile(array[picks].mean(axis=1), [2.5, 97.5])
    return Figure(float(array.mean()), float(low), float(high))


def difference(before: Values, after: Values, seed: int = 7) -> Figure:
    """Mean of after - before over the same questions, with its paired bootstrap interval.

    Resampling questions keeps both values of each together: Sakai, "Evaluating evaluation metrics based on the
    bootstrap" (2006), section 4. Raises ValueError when the lengths differ.
    """
    return figure([b - a for a, b in zip(before, after, strict=True)], seed)


def resampled(statistic: Statistic, *groups: Values, seed: int = 7) -> Figure:
    """A statistic of independent groups with its 95% percentile interval; each group is resampled by itself."""
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(group, dtype=np.float64) for group in groups]
    if not all(map(len, arrays)):
        return Figure(0.0, 0.0, 0.0)
    drawn = [statistic(*(a[rng.integers(0, len(a), len(a))] for a in arrays)) for _ in range(RESAMPLES)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Figure(float(statistic(*arrays)), float(low), float(high))


def auroc(positive: Values, negative: Values) -> float:
    """Probability that a positive scores above a negative, ties counted half; 0.5 when either is empty.

    The area under the ROC curve: Hanley and McNeil (1982).
    """
    over, under = np.asarray(positive, dtype=np.float64), np.sort(np.asarray(negative, dtype=np.float64))
    if not len(over) or not len(under):
        return 0.5
    below = np.searchsorted(under, over, "left") + np.searchsorted(under, over, "right")
    return float(below.mean() / (2 * len(under)))


def acceptance_threshold(answerable: Values, acceptance: float = 0.95) -> float:
    """The highest confidence that at least this share of the answerable questions reaches."""
    ordered = np.sort(np.asarray(answerable, dtype=np.float64))
    return float(ordered[len(ordered) - math.ceil(acceptance * len(ordered) - 1e-9)])


def abstention(answerable: Values, unanswerable: Values, acceptance: float = 0.95) -> float:
    """Share of the unanswerable questions below the threshold that accepts 95% of the answerable.

    Out-of-scope recall at a fixed in-scope acceptance: the true negative rate at 95% true positives of Hendrycks and
    Gimpel (2017) and Liang et al. (2018).
    """
    threshold = acceptance_threshold(answerable, acceptance)
    return float((np.asarray(unanswerable, dtype=np.float64) < threshold).mean())


def risk_at(confidence: Values, right: Values, coverage: float) -> float:
    """Share of wrong first answers among the most confident `coverage` of the questions.

    El-Yaniv and Wiener, "On the foundations of noise-free selective classification" (2010). Questions of equal
    confidence at the edge are all let through.
    """
    sure, good = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if not len(sure):
        return 0.0
    kept = sure >= np.sort(sure)[len(sure) - max(1, math.ceil(coverage * len(sure) - 1e-9))]
    return float(1 - good[kept].mean())


def brier(confidence: Values, right: Values) -> float:
    """Mean squared distance of confidence and outcome (Brier, 1950)."""
    return float(np.mean((np.asarray(confidence, dtype=np.float64) - np.asarray(right, dtype=np.float64)) ** 2))


def brier_of_constant(right: Values) -> float:
    """The Brier score of always saying the share that is right: p (1 - p)."""
    share = float(np.mean(np.asarray(right, dtype=np.float64)))
    return share * (1 - share)


@dataclass(frozen=True, slots=True)
class Bin:
    """Questions of similar confidence: mean confidence, share that is right, and how many."""

    confidence: float
    right: float
    count: int


def reliability(confidence: Values, right: Values, bins: int = BINS) -> list[Bin]:
    """Bins of equal mass in order of confidence; fewer than `bins` where a bin would hold less than two questions."""
    sure, good = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    order = np.argsort(sure, kind="stable")
    parts = np.array_split(order, max(1, min(bins, len(order) // 2)))
    return [Bin(float(sure[p].mean()), float(good[p].mean()), len(p)) for p in parts if len(p)]


def squared_calibration_error(confidence: Values, right: Values, bins: int = BINS) -> float:
    """Mean squared gap of confidence and outcome over equal-mass bins, without bias: it may be below zero.

    From each bin's squared gap the variance of its outcome's mean, y (1 - y) / (n - 1), is taken away: Kumar, Liang
    and Ma, "Verified Uncertainty Calibration" (2019), definition 5.1, after Bröcker (2012).
    """
    found = reliability(confidence, right, bins)
    total = sum(b.count for b in found)
    gaps = (
        b.count * ((b.confidence - b.right) ** 2 - (b.right * (1 - b.right) / (b.count - 1) if b.count > 1 else 0.0))
        for b in found
    )
    return sum(gaps) / total if total else 0.0


def calibration_error(confidence: Values, right: Values, bins: int = BINS) -> float:
    """Expected calibration error (root mean square), debiased, 0 or more: the root of `squared_calibration_error`.

    Compared with other estimators by Roelofs et al., "Mitigating Bias in Calibration Error Estimation" (2022). The
    mean absolute gap is never larger.
    """
    return math.sqrt(max(0.0, squared_calibration_error(confidence, right, bins)))


def calibration_figure(confidence: Values, right: Values, seed: int = 7) -> Figure:
    """`calibration_error` with its 95% bootstrap interval.

    A resample repeats questions and so looks worse calibrated than what it is drawn from; the squared errors are
    therefore moved back so that their mean is the estimate (Efron and Tibshirani, 1993, chapter 10).
    """
    sure, good = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if not len(sure):
        return Figure(0.0, 0.0, 0.0)
    picks = np.random.default_rng(seed).integers(0, len(sure), (RESAMPLES, len(sure)))
    drawn = np.array([squared_calibration_error(sure[pick], good[pick]) for pick in picks])
    squared = squared_calibration_error(sure, good)
    ends = np.percentile(drawn - drawn.mean() + squared, [2.5, 97.5])
    middle, low, high = (math.sqrt(max(0.0, float(value))) for value in (squared, *ends))
    return Figure(middle, low, high)
