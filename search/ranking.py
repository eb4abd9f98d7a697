"""From passages to documents: every passage is evidence for the document it belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from search.columns import KINDS, Columns
from search.fusion import Candidate, Scale
from search.types import Kind, Role

KIND_WEIGHT: Mapping[Kind, float] = {Kind.ARTICLE: 1.0, Kind.ANNOUNCEMENT: 1.0, Kind.SCRIPT: 0.97, Kind.TICKET: 0.85}
"""An article holds for everybody, a ticket for one customer: at equal evidence the article comes first."""
_WEIGHTS = tuple(KIND_WEIGHT[kind] for kind in KINDS)
GIST_SHARE = 0.6
"""How much of a document's score comes from all it says together; the rest from its best passage.

The mean of a document's passages is a prototype of what is asked about it: one question that happens to use a
customer's words beats it less easily than it beats another single question. Snell, Swersky and Zemel, "Prototypical
Networks for Few-shot Learning" (2017).
"""


class Ranked(NamedTuple):
    """A document with its evidence, best passage first; `gist` is the cosine of all its passages together."""

    document: int
    score: float
    gist: float
    evidence: tuple[Candidate, ...]


def group(candidates: Iterable[Candidate], gists: Mapping[int, float], scale: Scale, columns: Columns) -> list[Ranked]:
    """One entry per document, best first; `candidates` come best first, `gists` are cosines by document."""
    by_document: defaultdict[int, list[Candidate]] = defaultdict(list)
    documents = columns.documents
    for candidate in candidates:
        by_document[documents[candidate.passage]].append(candidate)
    ranked = []
    for document, evidence in by_document.items():
        gist = gists.get(document, 0.0)
        weight = _WEIGHTS[columns.kinds[evidence[0].passage]]
        ranked.append(Ranked(document, weight * document_score(evidence, gist, scale), gist, tuple(evidence)))
    return sorted(ranked, key=lambda entry: (-entry.score, entry.document))


def document_score(evidence: Sequence[Candidate], gist: float, scale: Scale) -> float:
    """(1 - g) best passage + g (best words and gist), with g = GIST_SHARE."""
    passage = max([candidate.fused for candidate in evidence])
    whole = scale.convex(max([candidate.lexical for candidate in evidence]), gist)
    return (1 - GIST_SHARE) * passage + GIST_SHARE * whole


def best_of_role(entry: Ranked, role: Role, columns: Columns) -> Candidate | None:
    """The document's best candidate of a role."""
    return next((c for c in entry.evidence if columns.roles[c.passage] == role), None)
