"""Evaluation runs: kept under KB_HOME/runs, and compared with one another."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kb_app.clock import stamp
from kb_app.errors import BadInput, NotFound
from kb_app.evaluating import Outcome, QuestionSet
from kb_app.kb import Kb
from search.generation import current_number, read_manifest
from search.quality import METRICS, Figure, Judged, difference

FORMAT = 1
COMPARED = ("recall@1", "mrr")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run keeps of one question and one half: ranks of right articles (from 1), first hit, decision."""

    ranks: tuple[int, ...]
    relevant: int
    first: str
    decision: str
    confidence: float

    @property
    def rank(self) -> int | None:
        """Where the first right article stands; None when it is not among those kept."""
        return self.ranks[0] if self.ranks else None


@dataclass(frozen=True, slots=True)
class SavedSet:
    """A question set as one run answered it: question to half to what was found."""

    name: str
    sha256: str
    questions: Mapping[str, Mapping[str, Asked]]


@dataclass(frozen=True, slots=True)
class Run:
    """One evaluation, with what it was made with."""

    name: str
    created_at: str
    generation: int
    encoder: str
    analyser: str
    sets: tuple[SavedSet, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A question whose right article moved: rank (None: not found) and first hit, before and after."""

    query: str
    before: int | None
    after: int | None
    first_before: str
    first_after: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs over the questions of a set they share. Differences are after - before."""

    name: str
    same_set: bool
    questions: int
    better: tuple[Change, ...]
    worse: tuple[Change, ...]
    differences: Mapping[str, Figure]


def new_run_name(kb: Kb, wanted: str | None) -> str:
    """The name to save under, the time when none is wanted; `BadInput` when it cannot be used or is taken."""
    name = wanted or datetime.fromtimestamp(kb.clock(), UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} cannot name a run", "Use letters, digits, dots, hyphens and underscores.")
    if wanted and _file(kb, name).exists():
        raise BadInput(f"there is already a run named {name}", f"Choose another name, or remove {_file(kb, name)}.")
    return name


def run_of(kb: Kb, name: str, results: Sequence[tuple[QuestionSet, Mapping[str, Sequence[Outcome]]]]) -> Run:
    """A run of question sets with the outcomes of each half."""
    root = kb.settings.index_root
    manifest = read_manifest(root / str(current_number(root)))
    sets = tuple(_saved(asked, halves) for asked, halves in results)
    return Run(name, stamp(kb.clock), manifest.number, manifest.encoder, manifest.analyser, sets)


def save(kb: Kb, run: Run) -> Path:
    """Write a run; a reader never sees half of it."""
    path = _file(kb, run.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps({"format": FORMAT, **asdict(run)}, ensure_ascii=False, indent=1) + "\n", "utf-8")
    beside.replace(path)
    return path


def load(kb: Kb, name: str) -> Run:
    """A run by its name, or by the path of its file."""
    path = Path(name) if name.endswith(".json") else _file(kb, name)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.json"))) or "none"
        raise NotFound(f"there is no run {name!r}", f"Runs in {path.parent}: {known}")
    try:
        return _parse(json.loads(path.read_text("utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path} is no saved run: {error!r}", "`kb eval --save NAME` writes one.") from error


def compare(before: Run, after: Run, half: str = "hybrid") -> list[Comparison]:
    """What changed in each set that both runs have, by name; `BadInput` when they share no question."""
    earlier = {saved.name: saved for saved in before.sets}
    pairs = [(earlier[saved.name], saved) for saved in after.sets if saved.name in earlier]
    found = [comparison for old, new in pairs if (comparison := _compare(old, new, half)).questions]
    if not found:
        raise BadInput(f"run {before.name} has none of these questions", "Compare runs of the same question sets.")
    return found


def _compare(old: SavedSet, new: SavedSet, half: str) -> Comparison:
    shared = [query for query in new.questions if query in old.questions]
    pairs = {query: (old.questions[query][half], new.questions[query][half]) for query in shared}
    changes = [_change(query, *pair) for query, pair in pairs.items() if pair[0].rank != pair[1].rank]
    answerable = [pair for pair in pairs.values() if pair[1].relevant]
    return Comparison(
        name=new.name,
        same_set=old.sha256 == new.sha256,
        questions=len(shared),
        better=tuple(change for change in changes if _place(change.after) < _place(change.before)),
        worse=tuple(change for change in changes if _place(change.after) > _place(change.before)),
        differences={name: _difference(name, answerable) for name in COMPARED},
    )


def _difference(metric: str, pairs: Sequence[tuple[Asked, Asked]]) -> Figure:
    before, after = ([METRICS[metric](Judged(a.ranks, a.relevant)) for a in side] for side in _unzip(pairs))
    return difference(before, after)


def _unzip(pairs: Sequence[tuple[Asked, Asked]]) -> tuple[list[Asked], list[Asked]]:
    return [before for before, _ in pairs], [after for _, after in pairs]


def _change(query: str, before: Asked, after: Asked) -> Change:
    return Change(query, before.rank, after.rank, before.first, after.first)


def _place(rank: int | None) -> float:
    return float("inf") if rank is None else rank


def _file(kb: Kb, name: str) -> Path:
    return kb.settings.home / "runs" / f"{name}.json"


def _saved(asked: QuestionSet, halves: Mapping[str, Sequence[Outcome]]) -> SavedSet:
    questions: dict[str, dict[str, Asked]] = {}
    for half, outcomes in halves.items():
        for outcome in outcomes:
            questions.setdefault(outcome.golden.query, {})[half] = _asked(outcome)
    return SavedSet(asked.name, asked.sha256, questions)


def _asked(outcome: Outcome) -> Asked:
    judged = outcome.judged
    return Asked(judged.ranks, judged.relevant, outcome.first, outcome.decision.value, outcome.confidence)


def _parse(raw: Mapping[str, Any]) -> Run:
    if raw["format"] != FORMAT:
        raise ValueError(f"format {raw['format']}, this version reads {FORMAT}")
    fields = {key: value for key, value in raw.items() if key != "format"}
    return Run(**{**fields, "sets": tuple(map(_parse_set, raw["sets"]))})


def _parse_set(raw: Mapping[str, Any]) -> SavedSet:
    questions = {
        query: {half: Asked(**{**asked, "ranks": tuple(asked["ranks"])}) for half, asked in halves.items()}
        for query, halves in raw["questions"].items()
    }
    return SavedSet(raw["name"], raw["sha256"], questions)
