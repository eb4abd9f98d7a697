"""Run question sets against the index."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kb_app.errors import BadInput
from kb_app.kb import Kb
from kb_app.store import articles
from search.engine import Engine, Halves
from search.quality import (
    METRICS,
    Figure,
    Judged,
    abstention,
    brier,
    brier_of_constant,
    calibration_figure,
    figure,
    ranks_of,
    resampled,
    risk_at,
)
from search.types import Audience, Decision, Hit, Kind, Query, everything

DEPTH = 10
HALVES = {"lexical": Halves(dense=False), "dense": Halves(lexical=False), "hybrid": Halves()}
COVERAGES = tuple(step / 10 for step in range(10, 0, -1))
_EXAMPLE = '{"query": "退款多久到账", "relevant": ["refund-arrival"], "tags": ["keyword"]}'


@dataclass(frozen=True, slots=True)
class Golden:
    """A question, the ids or slugs that answer it (none: it should not be answered), and its tags."""

    query: str
    relevant: frozenset[str]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one configuration did with one question."""

    golden: Golden
    judged: Judged
    decision: Decision
    confidence: float
    first: str

    @property
    def right(self) -> bool:
        """Whether the first hit answers the question."""
        return self.judged.ranks[:1] == (1,)


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """A file of questions; `sha256` is that of its bytes."""

    name: str
    sha256: str
    questions: tuple[Golden, ...]


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the confidence of first hits can be trusted.

    `risk`: share of wrong first answers by coverage; `calibration`: expected calibration error; `brier` and what a
    `constant` would get; `abstained`: share of the questions without an answer refused when 95% of the others are
    accepted, None where the set lacks either.
    """

    risk: Mapping[float, float]
    calibration: Figure
    brier: float
    constant: float
    abstained: Figure | None


def load_set(path: Path) -> QuestionSet:
    """A question set with its name and hash; `BadInput` as of `read_set`, and when it holds no question."""
    questions = tuple(read_set(path))
    if not questions:
        raise BadInput(f"{path}: no questions", f"One a line, such as {_EXAMPLE}")
    return QuestionSet(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), questions)


def read_set(path: Path) -> list[Golden]:
    """A question set in JSON Lines: query, relevant, tags; `BadInput` names the line that is wrong."""
    return list(_read_lines(path))


def resolve(kb: Kb, questions: Sequence[Golden]) -> tuple[list[Golden], list[str]]:
    """The questions with ids turned into slugs, and the names of no published article: those cannot be found."""
    with kb.database.read() as session:
        slugs = {a.facts.id: a.slug for a in articles.published(session)}
    known = set(slugs.values())
    named = [replace(g, relevant=frozenset(slugs.get(name, name) for name in g.relevant)) for g in questions]
    return named, sorted({name for golden in named for name in golden.relevant} - known)


def run(kb: Kb, questions: Sequence[Golden], half: str) -> list[Outcome]:
    """Ask every question of the current index, as an agent would but for articles and scripts only."""
    engine = Engine(kb.settings.index_root, kb.analyzer, kb.encoder, HALVES[half])
    return [_ask(kb, engine, golden) for golden in questions]


def table(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Figure]]:
    """Figures by tag ("all" first) over the questions that have an answer."""
    answerable = [outcome for outcome in outcomes if outcome.golden.relevant]
    tags = dict.fromkeys(tag for outcome in answerable for tag in outcome.golden.tags)
    groups = {"all": answerable} | {tag: [o for o in answerable if tag in o.golden.tags] for tag in tags}
    return {
        tag: {name: figure([metric(o.judged) for o in group]) for name, metric in METRICS.items()}
        for tag, group in groups.items()
    }


def abstained(outcomes: Sequence[Outcome]) -> Figure:
    """Share of the questions without an answer on which the engine abstained."""
    return figure([float(o.decision is Decision.ABSTAIN) for o in outcomes if not o.golden.relevant])


def trust(outcomes: Sequence[Outcome]) -> Trust:
    """What the confidences are worth, over all questions: one without an answer always has a wrong first hit."""
    sure, right = [o.confidence for o in outcomes], [float(o.right) for o in outcomes]
    answerable = [o.confidence for o in outcomes if o.golden.relevant]
    others = [o.confidence for o in outcomes if not o.golden.relevant]
    return Trust(
        risk={coverage: risk_at(sure, right, coverage) for coverage in COVERAGES},
        calibration=calibration_figure(sure, right),
        brier=brier(sure, right),
        constant=brier_of_constant(right),
        abstained=resampled(abstention, answerable, others) if answerable and others else None,
    )


def _ask(kb: Kb, engine: Engine, golden: Golden) -> Outcome:
    kinds = (Kind.ARTICLE, Kind.SCRIPT, Kind.ANNOUNCEMENT)
    query = Query(golden.query, Audience.INTERNAL, int(kb.clock()), kinds=kinds, top_k=DEPTH * 2, below_threshold=True)
    answer = engine.answer(query, everything)
    names = _distinct(answer.hits)
    first = names[0] if names else ""
    return Outcome(golden, ranks_of(names, golden.relevant), answer.decision, answer.confidence, first)


def _distinct(hits: Sequence[Hit]) -> list[str]:
    """Articles in order; a script stands for the article it comes from."""
    return list(dict.fromkeys(hit.document.article for hit in hits))[:DEPTH]


def _read_lines(path: Path) -> Iterator[Golden]:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8", "Save the question set as UTF-8.") from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield _golden(json.loads(line))
        except json.JSONDecodeError as error:
            raise BadInput(f"{path}:{number}: not JSON: {error.msg}", f"A line looks like {_EXAMPLE}") from error
        except ValueError as error:
            raise BadInput(f"{path}:{number}: {error}", f"A line looks like {_EXAMPLE}") from error


def _golden(raw: Any) -> Golden:
    """A line's question; ValueError says which field is wrong."""
    if not isinstance(raw, dict):
        raise ValueError("not an object in braces")
    query = raw.get("query")
    if not isinstance(query, str) or not query.strip():
        raise ValueError("query must be a text that is not empty")
    if "relevant" not in raw:
        raise ValueError("relevant is missing; it is [] when nothing answers the question")
    return Golden(query, frozenset(_names(raw, "relevant")), tuple(_names(raw, "tags")))


def _names(raw: Mapping[str, Any], field: str) -> list[str]:
    names = raw.get(field, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{field} must be a list of texts")
    return names
