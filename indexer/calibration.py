"""Fit what a confidence means on the knowledge base's own questions, each asked with itself left out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.build import Plan, build_generation
from indexer.records import Record
from indexer.training.corpus import OWN_DATA, read_unrelated
from search.confidence import Calibration
from search.encoder import StaticEncoder
from search.engine import Engine
from search.errors import SearchError
from search.types import (
    Audience,
    Document,
    DocumentRef,
    Evidence,
    Kind,
    Mode,
    Query,
    Visible,
    everything,
)

UNANSWERABLE_EVERY = 4
"""One question in four is asked a second time with its article taken away: one in five has no answer."""
LEAST_QUESTIONS = 200
MOST_QUESTIONS = 4_000
PUBLIC_PRECISION = 0.9
INTERNAL_PRECISION = 0.8
SHOWN = 0.95
"""Share of the answerable questions that keep their hits."""
RIDGE = 1e-5
Doubles = NDArray[np.float64]
_KINDS = (Kind.ARTICLE, Kind.SCRIPT, Kind.ANNOUNCEMENT)


@dataclass(frozen=True, slots=True)
class Sample:
    """The evidence for one first hit: was it right, and could it have been."""

    evidence: Evidence
    right: bool
    answerable: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question that was left out of its document's questions, and the documents that answer it."""

    text: str
    answered_by: frozenset[str]


def calibrate(records: Sequence[Record], plan: Plan, now: int) -> Calibration:
    """A calibration fitted on the records' 相似问法, each asked of an index that lacks it.

    Two indexes are made beside `plan.root`, with every other question each; vectors of the current one are not made
    anew. Questions that the encoder was trained on are left out: it finds them too easily. Raises SearchError with
    fewer than LEAST_QUESTIONS others: the shipped calibration is then the better one.
    """
    samples = [sample for half in (0, 1) for sample in _half(records, half, plan, now)]
    answerable = sum(sample.answerable for sample in samples)
    if answerable < LEAST_QUESTIONS:
        raise SearchError(
            f"{answerable} questions are too few to fit a calibration; "
            f"{LEAST_QUESTIONS} that the encoder has not learnt are needed",
            "Add 相似问法 to the articles; until then the calibration that ships is used.",
        )
    return replace(fit(samples), documents=len(records))


def fit(samples: Sequence[Sample]) -> Calibration:
    """Logistic regression with weights that are never negative, and thresholds by wanted precision."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    features = np.array([_features(sample.evidence) for sample in samples])
    right = np.array([sample.right for sample in samples], dtype=np.float64)

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        logits = features @ weights
        slope = features.T @ (1 / (1 + np.exp(-logits)) - right) / len(right) + RIDGE * weights
        value = np.mean(np.logaddexp(0, logits) - right * logits) + RIDGE / 2 * weights @ weights
        return float(value), slope

    bounds = [(None, None)] + [(0.0, None)] * (features.shape[1] - 1)
    bias, cosine, gist, coverage, margin = minimize(loss, np.zeros(len(bounds)), jac=True, bounds=bounds).x.tolist()
    fitted = Calibration(bias, cosine, gist, coverage, margin)
    sure = np.array([fitted.probability(sample.evidence) for sample in samples])
    internal, public = (threshold(sure, right, precision) for precision in (INTERNAL_PRECISION, PUBLIC_PRECISION))
    shown = float(np.quantile(sure[[sample.answerable for sample in samples]], 1 - SHOWN))
    # An answer is always shown: where even weak first hits are right, the bar for showing is as low.
    return replace(fitted, answer_public=public, answer_internal=internal, candidate=min(shown, internal))


def threshold(confidence: Doubles, right: Doubles, precision: float) -> float:
    """The least confidence above which the share of right answers is `precision`, or one that nothing reaches."""
    order = np.argsort(-confidence, kind="stable")
    reached = np.flatnonzero(np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= precision)
    return float(confidence[order[reached[-1]]]) if len(reached) else 1.0


def _features(evidence: Evidence) -> tuple[float, ...]:
    return 1.0, evidence.cosine or 0.0, evidence.gist, evidence.coverage, evidence.margin


def _half(records: Sequence[Record], half: int, plan: Plan, now: int) -> Iterator[Sample]:
    families = _families(records)
    with tempfile.TemporaryDirectory(prefix="calibration.", dir=plan.root.parent) as root:
        kept = [replace(r, questions=r.questions[half::2]) if r.document.kind in _KINDS else r for r in records]
        build_generation(kept, replace(plan, root=Path(root)))
        engine = Engine(Path(root), plan.analyzer, plan.encoder)
        unseen = [asked for asked in _left_out(records, half, families) if not _learnt(asked.text, plan)]
        yield from _ask_all(engine, unseen[:: _step(unseen)], now)
        for text in read_unrelated(OWN_DATA):
            yield from _ask(engine, _Asked(text, frozenset()), now, everything)


def _ask_all(engine: Engine, questions: Iterable[_Asked], now: int) -> Iterator[Sample]:
    for number, asked in enumerate(questions):
        yield from _ask(engine, asked, now, everything)
        if number % UNANSWERABLE_EVERY == 0:
            gone = _without(asked.answered_by)
            yield from _ask(engine, replace(asked, answered_by=frozenset()), now, gone)


def _ask(engine: Engine, asked: _Asked, now: int, visible: Visible) -> Iterator[Sample]:
    query = Query(asked.text, Audience.INTERNAL, now, Mode.FINAL, kinds=_KINDS, top_k=1, below_threshold=True)
    for hit in engine.answer(query, visible).hits:
        yield Sample(hit.evidence, hit.document.id in asked.answered_by, bool(asked.answered_by))


def _without(ids: frozenset[str]) -> Visible:
    def visible(refs: Iterable[DocumentRef]) -> frozenset[DocumentRef]:
        return frozenset(ref for ref in refs if ref.id not in ids)

    return visible


def _left_out(records: Sequence[Record], half: int, families: Callable[[Document], frozenset[str]]) -> list[_Asked]:
    return [
        _Asked(question, families(record.document))
        for record in records
        if record.document.kind in _KINDS
        for question in record.questions[1 - half :: 2]
    ]


def _learnt(question: str, plan: Plan) -> bool:
    return isinstance(plan.encoder, StaticEncoder) and plan.encoder.has_learnt(plan.analyzer.fold(question))


def _step(asked: Sequence[_Asked]) -> int:
    """Every how many questions of a half are asked, so that no more than MOST_QUESTIONS are."""
    return max(1, -(-len(asked) // (MOST_QUESTIONS // 2)))


def _families(records: Sequence[Record]) -> Callable[[Document], frozenset[str]]:
    """An article and the scripts made from it answer alike."""
    family: dict[str, set[str]] = {}
    for record in records:
        family.setdefault(record.document.article, set()).add(record.document.id)
    return lambda document: frozenset(family[document.article])
