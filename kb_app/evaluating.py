"""Run question sets against the index."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kb_app.errors import BadInput
from kb_app.kb import Kb
from search.engine import Engine, Halves
from search.quality import METRICS, Figure, Judged, figure, ranks_of
from search.types import Audience, Decision, Hit, Kind, Query, everything

DEPTH = 10
HALVES = {"lexical": Halves(dense=False), "dense": Halves(lexical=False), "hybrid": Halves()}


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


def read_set(path: Path) -> list[Golden]:
    """A question set in JSON Lines: query, relevant, tags; `BadInput` names the line that is wrong."""
    return list(_read_lines(path))


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


def _ask(kb: Kb, engine: Engine, golden: Golden) -> Outcome:
    kinds = (Kind.ARTICLE, Kind.SCRIPT, Kind.ANNOUNCEMENT)
    query = Query(golden.query, Audience.INTERNAL, int(kb.clock()), kinds=kinds, top_k=DEPTH * 2, below_threshold=True)
    answer = engine.answer(query, everything)
    names = _distinct(answer.hits)
    first = names[0] if names else ""
    return Outcome(golden, ranks_of(names, golden.relevant), answer.decision, answer.confidence, first)


def _distinct(hits: Sequence[Hit]) -> list[str]:
    """Articles in order; a script stands for the article it comes from."""
    names = (_article_of(hit) for hit in hits)
    return list(dict.fromkeys(names))[:DEPTH]


def _article_of(hit: Hit) -> str:
    document = hit.document
    return document.source.rpartition("/")[2] if document.source else document.slug


def _read_lines(path: Path) -> Iterator[Golden]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            raw = json.loads(line)
            yield Golden(raw["query"], frozenset(raw["relevant"]), tuple(raw.get("tags", ())))
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path}:{number}: {error!r}", "A line holds query, relevant and tags.") from error
