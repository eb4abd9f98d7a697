"""Is a confidence of 0.7 right seven times in ten?

Every utterance of every train and dev intent is asked with itself left out: the utterances at even positions are
indexed as 相似问法 and those at odd positions asked, then the other way round. Unanswerable questions are made by
taking the right article away: of each fifth of the intents a quarter of the utterances, kinds in turn, is asked of an
index of the other four fifths. One question in five is then unanswerable. The encoder was trained on train intents,
not on dev ones, so both are told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.quality.harness import Report, Setup, ask, engine_of, indexed, shown, table
from benchmarks.quality.intents import Intent, lines, record_of
from search.engine import Engine
from search.quality import auroc, brier, brier_of_constant, calibration_figure, figure, resampled

FOLDS = 5
EVERY = 4


@dataclass(frozen=True, slots=True)
class Judgement:
    """The confidence of one first hit, and whether it was right."""

    confidence: float
    right: bool
    answerable: bool
    unseen: bool


def run(setup: Setup) -> Report:
    train, dev = (lines(setup.folder("intents", f"{name}.jsonl")) for name in ("train", "dev"))
    unseen = frozenset(intent["id"] for intent in dev)
    found = [*_answerable([*train, *dev], unseen, setup), *_unanswerable([*train, *dev], unseen, setup)]
    rows = [_row(name, own) for name, own in _groups(found).items()]
    head = ["questions", "n", "right", "ECE, debiased", "Brier (constant)", "AUROC right / wrong", "AUROC answerable"]
    note = "Goal: ECE at most 0.05, and a Brier score below the constant's."
    return Report("\n\n".join(["## Confidence, utterances left out in turn", table(head, rows), note]))


def _groups(found: Sequence[Judgement]) -> dict[str, list[Judgement]]:
    groups = {"all intents": list(found), "dev intents": [j for j in found if j.unseen]}
    groups["train intents"] = [j for j in found if not j.unseen]
    return groups | {f"{name}, answerable": [j for j in own if j.answerable] for name, own in groups.items()}


def _row(name: str, own: Sequence[Judgement]) -> list[str]:
    sure, right = [j.confidence for j in own], [float(j.right) for j in own]
    return [
        name,
        str(len(own)),
        shown(figure(right)),
        shown(calibration_figure(sure, right)),
        f"{brier(sure, right):.3f} ({brier_of_constant(right):.3f})",
        _split([j.confidence for j in own if j.right], [j.confidence for j in own if not j.right]),
        _split([j.confidence for j in own if j.answerable], [j.confidence for j in own if not j.answerable]),
    ]


def _split(over: Sequence[float], under: Sequence[float]) -> str:
    return shown(resampled(auroc, over, under)) if over and under else ""


def _answerable(intents: Sequence[Intent], unseen: frozenset[str], setup: Setup) -> Iterator[Judgement]:
    for kept in (0, 1):
        with indexed([record_of(intent, intent["utterances"][kept::2]) for intent in intents], setup) as root:
            engine = engine_of(root, setup)
            for intent in intents:
                for text in intent["utterances"][1 - kept :: 2]:
                    yield _judged(engine, text, intent, unseen, True)


def _unanswerable(intents: Sequence[Intent], unseen: frozenset[str], setup: Setup) -> Iterator[Judgement]:
    for fold in range(FOLDS):
        others = [intent for number, intent in enumerate(intents) if number % FOLDS != fold]
        with indexed([record_of(intent, intent["utterances"][::2]) for intent in others], setup) as root:
            engine = engine_of(root, setup)
            for number in range(fold, len(intents), FOLDS):
                for text in intents[number]["utterances"][number // FOLDS % EVERY :: EVERY]:
                    yield _judged(engine, text, intents[number], unseen, False)


def _judged(engine: Engine, text: str, intent: Intent, unseen: frozenset[str], answerable: bool) -> Judgement:
    answer = ask(engine, text, 1)
    right = bool(answer.hits) and answer.hits[0].document.id == intent["id"]
    return Judgement(answer.confidence, right, answerable, intent["id"] in unseen)
