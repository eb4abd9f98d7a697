"""English questions by intent: banking77 and clinc-oos.

Each intent is a document whose title is its label in words and whose 相似问法 are the training questions; the first hit
of a test question is its intent or not. Questions that clinc-oos says have no intent are to get less confidence.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Sequence

from benchmarks.quality.harness import (
    Asked,
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
from search.engine import Engine
from search.quality import abstention, auroc, resampled

DEPTH = 5
Labelled = Sequence[tuple[str, str]]


def banking(setup: Setup) -> Report:
    """banking77, full."""
    train, test = (_csv(setup, f"{name}.csv") for name in ("train", "test"))
    with indexed(_records(train), setup) as root:
        found = measure("banking77", _asked(test), root, setup, DEPTH)
    text = f"## banking77: {len(test)} test questions, {len(train)} training questions indexed\n\n"
    return Report(text + halves_table(found, ("R@1", "R@5"), {("all", "R@1"): "0.88"}), (found,))


def clinc(setup: Setup) -> Report:
    """clinc-oos, full."""
    sets = json.loads(setup.folder("questions-en", "clinc-oos", "data_full.json").read_text("utf-8"))
    asked, outside = _asked(sets["test"]), [text for text, _ in sets["oos_test"]]
    with indexed(_records(sets["train"]), setup) as root:
        found = measure("clinc-oos", asked, root, setup, DEPTH)
        refused = _refused(found.confidence, outside, engine_of(root, setup))
    text = f"## clinc-oos: {len(asked)} test questions, {len(sets['train'])} training questions indexed"
    parts = [text, halves_table(found, ("R@1", "R@5"), {("all", "R@1"): "0.88"}), refused]
    return Report("\n\n".join(parts), (found,))


def _refused(accepted: Sequence[float], outside: Sequence[str], engine: Engine) -> str:
    others = [ask(engine, text, 1).confidence for text in outside]
    rows = [
        ["refused at 95% acceptance", shown(resampled(abstention, accepted, others)), "0.55"],
        ["AUROC of the first hit's confidence", shown(resampled(auroc, accepted, others)), ""],
    ]
    return table([f"{len(outside)} questions without an intent", "both", "goal"], rows)


def _csv(setup: Setup, name: str) -> Labelled:
    with setup.folder("questions-en", "banking77", name).open(encoding="utf-8", newline="") as rows:
        return [(row["text"], row["category"]) for row in csv.DictReader(rows)]


def _records(labelled: Labelled) -> list[Record]:
    questions: defaultdict[str, list[str]] = defaultdict(list)
    for text, label in labelled:
        questions[label].append(text)
    return [Record(document(label, label.replace("_", " ")), tuple(own), "") for label, own in questions.items()]


def _asked(labelled: Labelled) -> list[Asked]:
    return [Asked(text, frozenset({label})) for text, label in labelled]
