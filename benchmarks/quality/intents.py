"""Service-desk intents that the encoder has not seen.

Cold: all train and dev intents are indexed as articles (title and answer); every utterance of a dev intent is asked.
Warm: the utterances at even positions of every intent are indexed as its 相似问法; those at odd positions of the dev
intents are asked. Refusal: the warm questions against talk that no service desk could answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.harness import (
    Asked,
    Measured,
    Report,
    Setup,
    ask,
    document,
    engine_of,
    halves_table,
    indexed,
    measure,
    shown,
    table,
)
from indexer.records import Record
from indexer.training.measure import KINDS
from search.quality import abstention, auroc, resampled

MISSPELT = ("typo", "pinyin")
GOALS = {
    "cold": {
        ("all", "R@1"): "0.48",
        ("all", "R@5"): "0.70",
        ("colloquial", "R@5"): "0.50",
        ("emotional", "R@5"): "0.55",
        ("typo+pinyin", "R@1"): "0.75",
        ("traditional", "R@1"): "0.80",
    },
    "warm": {("all", "R@1"): "0.50", ("all", "R@5"): "0.72"},
}
Intent = dict[str, Any]


def run(setup: Setup) -> Report:
    train, dev = (lines(setup.folder("intents", f"{name}.jsonl")) for name in ("train", "dev"))
    with indexed(_records([*train, *dev], 0), setup) as root:
        cold = measure("intents cold", list(_questions(dev, 1)), root, setup)
    with indexed(_records([*train, *dev], 2), setup) as root:
        warm = measure("intents warm", list(_questions(dev, 2)), root, setup)
        refusal = _refusal(warm.confidence, root, setup)
    parts = [f"## Unseen service-desk intents, {len(train) + len(dev)} articles", *_part(cold), *_part(warm), refusal]
    return Report("\n\n".join(parts), (cold, warm))


def lines(path: Path) -> list[Intent]:
    """A JSON Lines file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def record_of(intent: Intent, questions: Sequence[str]) -> Record:
    """An intent as an article with these 相似问法."""
    return Record(document(intent["id"], intent["title"]), tuple(questions), intent["answer"])


def _records(intents: Sequence[Intent], step: int) -> Iterator[Record]:
    for intent in intents:
        yield record_of(intent, intent["utterances"][::step] if step else ())


def _questions(intents: Sequence[Intent], step: int) -> Iterator[Asked]:
    for intent in intents:
        for place in range(step - 1, len(intent["utterances"]), step):
            kind = KINDS[place]
            tags = (kind, "typo+pinyin") if kind in MISSPELT else (kind,)
            yield Asked(intent["utterances"][place], frozenset({intent["id"]}), tags)


def _part(found: Measured) -> list[str]:
    protocol = found.name.split()[1]
    return [f"### {protocol.capitalize()}", halves_table(found, ("R@1", "R@5"), GOALS[protocol])]


def _refusal(inside: Sequence[float], root: Path, setup: Setup) -> str:
    engine = engine_of(root, setup)
    others = [line["text"] for line in lines(setup.folder("intents", "out_of_scope_dev.jsonl"))]
    outside = [ask(engine, text, 1).confidence for text in others]
    rows = [
        ["AUROC of the first hit's confidence", shown(resampled(auroc, inside, outside)), "0.90"],
        ["refused at 95% acceptance", shown(resampled(abstention, inside, outside)), ""],
    ]
    counts = f"{len(inside)} warm questions against {len(outside)} out of scope"
    return "### Out of scope\n\n" + table([counts, "both", "goal"], rows)
