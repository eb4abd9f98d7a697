"""How well an encoder finds unseen intents, dense alone: the figures of the model card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.training.corpus import read_lines, sentences
from search.encoder import Encoder
from search.types import IntArray

Fold = Callable[[str], str]
KINDS = (
    *("keyword",) * 3,
    *("colloquial",) * 4,
    *("emotional",) * 3,
    "typo",
    "pinyin",
    "formal",
    "formal",
    "traditional",
    "mixed",
)
"""What the utterances of the development intents are, by position."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Share of questions whose intent came first, and among the first five."""

    first: float
    five: float
    questions: int


def measure_intents(encoder: Encoder, fold: Fold, train: Path, dev: Path, warm: bool) -> dict[str, Recall]:
    """Recall by kind of utterance, with `all` over everything.

    Cold: articles are title, answer and sentences; all utterances of dev intents are asked. Warm:
    utterances at even positions belong to the article, those at odd positions are asked.
    """
    dev_intents = read_lines(dev)
    intents = dev_intents + read_lines(train)
    articles = [_article(intent, warm) for intent in intents]
    questions = [
        (text, KINDS[position], number)
        for number, intent in enumerate(dev_intents)
        for position, text in enumerate(intent["utterances"])
        if not warm or position % 2
    ]
    ranks = _ranks(
        encoder, [list(map(fold, a)) for a in articles], [fold(q[0]) for q in questions], [q[2] for q in questions]
    )
    kinds = np.array([q[1] for q in questions])
    recalls = {"all": _recall(ranks)}
    return recalls | {kind: _recall(ranks[kinds == kind]) for kind in dict.fromkeys(KINDS) if (kinds == kind).any()}


def measure_similarity(encoder: Encoder, fold: Fold, file: Path) -> float:
    """Spearman correlation x 100 of the cosine with the label of sentence pairs."""
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if len(row) == 3]
    left, right = (encoder.encode_queries([fold(row[side]) for row in rows]) for side in (0, 1))
    cosines = np.einsum("ij,ij->i", left, right)
    labels = np.array([float(row[2]) for row in rows])
    return float(np.corrcoef(_average_ranks(cosines), _average_ranks(labels))[0, 1] * 100)


def measure_refusal(encoder: Encoder, fold: Fold, train: Path, dev: Path, unrelated: Path) -> float:
    """Area under the ROC curve of the best cosine: warm questions of dev intents against unrelated talk."""
    dev_intents = read_lines(dev)
    articles = [_article(intent, True) for intent in dev_intents] + [_article(i, False) for i in read_lines(train)]
    passages = encoder.encode_passages([fold(text) for article in articles for text in article])
    asked = [fold(text) for intent in dev_intents for text in intent["utterances"][1::2]]
    best = (encoder.encode_queries(asked) @ passages.T).max(axis=1)
    talk = encoder.encode_queries([fold(line["text"]) for line in read_lines(unrelated)])
    other = (talk @ passages.T).max(axis=1)
    return float((best[:, None] > other).mean() + (best[:, None] == other).mean() / 2)


def _article(intent: dict[str, Any], warm: bool) -> list[str]:
    extra = intent["utterances"][::2] if warm else []
    return [intent["title"], intent["answer"], *sentences(intent["answer"]), *extra]


def _ranks(encoder: Encoder, articles: Sequence[list[str]], asked: Sequence[str], right: Sequence[int]) -> IntArray:
    owners = np.repeat(np.arange(len(articles)), [len(a) for a in articles])
    passages = encoder.encode_passages([text for article in articles for text in article])
    scores = encoder.encode_queries(asked) @ passages.T
    starts = np.searchsorted(owners, np.arange(len(articles)))
    best = np.maximum.reduceat(scores, starts, axis=1)
    wanted = best[np.arange(len(asked)), list(right)]
    # Ties count against the right article, so that an encoder of zeros finds nothing.
    ranks: IntArray = (best >= wanted[:, None]).sum(axis=1)
    return ranks


def _recall(ranks: IntArray) -> Recall:
    return Recall(float((ranks <= 1).mean()), float((ranks <= 5).mean()), len(ranks))


def _average_ranks(values: NDArray[Any]) -> NDArray[Any]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: NDArray[Any] = ends - (counts - 1) / 2
    return middles[inverse]
