"""From passages to documents: every passage is evidence for the document it belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from search.columns import KINDS, Columns
from search.fusion import Candidate
from search.types import Kind, Role

KIND_WEIGHT: Mapping[Kind, float] = {Kind.ARTICLE: 1.0, Kind.ANNOUNCEMENT: 1.0, Kind.SCRIPT: 0.97, Kind.TICKET: 0.85}
"""An article holds for everybody, a ticket for one customer: at equal evidence the article comes first."""
SUPPORT = 0.15
"""Share of the second-best kind of evidence (say, a section next to the title) that is added."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A document with its evidence, best passage first."""

    document: int
    score: float
    evidence: tuple[Candidate, ...]


def group(candidates: Iterable[Candidate], columns: Columns) -> list[Ranked]:
    """One entry per document, best first: its best passage, plus a share of the best of another role."""
    by_document: defaultdict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_document[columns.documents[candidate.passage]].append(candidate)
    ranked = [
        Ranked(document, document_score(evidence, columns), tuple(evidence))
        for document, evidence in by_document.items()
    ]
    return sorted(ranked, key=lambda entry: (-entry.score, entry.document))


def document_score(evidence: Sequence[Candidate], columns: Columns) -> float:
    """Kind weight x (best passage + SUPPORT x best passage of another role); evidence is best first."""
    best: dict[int, float] = {}
    for candidate in evidence:
        best.setdefault(columns.roles[candidate.passage], candidate.fused)
    first, *others = sorted(best.values(), reverse=True)
    kind = KINDS[int(columns.rows["kind"][evidence[0].passage])]
    return KIND_WEIGHT[kind] * (first + SUPPORT * (others[0] if others else 0.0))


def best_of_role(entry: Ranked, role: Role, columns: Columns) -> Candidate | None:
    """The document's best candidate of a role."""
    return next((c for c in entry.evidence if columns.roles[c.passage] == role), None)
