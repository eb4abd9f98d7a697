"""How well an encoder finds unseen intents, dense alone: the figures of the model card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.training.corpus import read_lines, sentences
from search.encoder import Encoder

Fold = Callable[[str], str]
KINDS = ("keyword",) * 3 + ("colloquial",) * 4 + ("emotional",) * 3 + ("typo", "pinyin") + ("formal",) * 2
KINDS += ("traditional", "mixed")
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


def _article(intent: dict, warm: bool) -> list[str]:
    extra = intent["utterances"][::2] if warm else []
    return [intent["title"], intent["answer"], *sentences(intent["answer"]), *extra]


def _ranks(encoder: Encoder, articles: Sequence[list[str]], asked: Sequence[str], right: Sequence[int]):
    owners = np.repeat(np.arange(len(articles)), [len(a) for a in articles])
    passages = encoder.encode_passages([text for article in articles for text in article])
    scores = encoder.encode_queries(asked) @ passages.T
    starts = np.searchsorted(owners, np.arange(len(articles)))
    best = np.maximum.reduceat(scores, starts, axis=1)
    wanted = best[np.arange(len(asked)), list(right)]
    # Ties count against the right article, so that an encoder of zeros finds nothing.
    return (best >= wanted[:, None]).sum(axis=1)


def _recall(ranks) -> Recall:
    return Recall(float((ranks <= 1).mean()), float((ranks <= 5).mean()), len(ranks))


def _average_ranks(values):
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]
