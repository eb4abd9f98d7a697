"""From passages to documents: every passage is evidence for the document it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from search.columns import KINDS, Columns
from search.fusion import Candidate, Doubles, Scale
from search.types import IntArray, Kind, Role

KIND_WEIGHT: Mapping[Kind, float] = {Kind.ARTICLE: 1.0, Kind.ANNOUNCEMENT: 1.0, Kind.SCRIPT: 0.97, Kind.TICKET: 0.85}
"""An article holds for everybody, a ticket for one customer: at equal evidence the article comes first."""
_WEIGHTS = np.array([KIND_WEIGHT[kind] for kind in KINDS])
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


@dataclass(frozen=True, slots=True)
class Proposed:
    """What the engines proposed, each passage once, by number: BM25 and cosine, 0 from an engine that had it not."""

    passages: IntArray
    lexical: Doubles
    cosine: Doubles

    @staticmethod
    def of(lexical: Mapping[int, float], cosine: Mapping[int, float]) -> Proposed:
        """From the scores of both engines by passage."""
        passages = np.array(sorted(lexical.keys() | cosine.keys()), dtype=np.int64)
        return Proposed(passages, _column(lexical, passages), _column(cosine, passages))

    def documents(self, columns: Columns) -> IntArray:
        """The documents that they belong to, each once, by number."""
        return np.unique(columns.rows["document"][self.passages]).astype(np.int64)


def rank(proposed: Proposed, gists: Sequence[float] | Doubles, scale: Scale, columns: Columns, n: int) -> list[Ranked]:
    """The best `n` documents; `gists` are cosines of `proposed.documents`, by which equal scores are ordered.

    A document's score is (1 - g) best passage + g (best words and gist), with g = GIST_SHARE, times KIND_WEIGHT.
    """
    if not len(proposed.passages):
        return []
    rows = columns.rows[proposed.passages]
    firsts = np.flatnonzero(np.diff(rows["document"], prepend=-1))
    fused = scale.convex(proposed.lexical, proposed.cosine)
    gist = np.asarray(gists, dtype=np.float64)
    whole = scale.convex(np.maximum.reduceat(proposed.lexical, firsts), gist)
    score = (1 - GIST_SHARE) * np.maximum.reduceat(fused, firsts) + GIST_SHARE * whole
    score *= _WEIGHTS[rows["kind"][firsts]]
    ends = np.append(firsts[1:], len(rows))
    table = _Table(proposed, fused, _places(proposed.lexical), _places(proposed.cosine))
    return [
        Ranked(int(rows["document"][firsts[d]]), float(score[d]), float(gist[d]), table.evidence(firsts[d], ends[d]))
        for d in np.lexsort((firsts, -score))[:n].tolist()
    ]


class _Table(NamedTuple):
    """Every proposed passage with its fused score and its places in the lists of both engines."""

    proposed: Proposed
    fused: Doubles
    lexical_places: IntArray
    semantic_places: IntArray

    def evidence(self, start: int, end: int) -> tuple[Candidate, ...]:
        """A run of passages as candidates, best first, ties by number."""
        order = start + np.argsort(-self.fused[start:end], kind="stable")
        return tuple(self._candidate(at) for at in order.tolist())

    def _candidate(self, at: int) -> Candidate:
        own = self.proposed
        places = int(self.lexical_places[at]) or None, int(self.semantic_places[at]) or None
        scores = float(own.lexical[at]), float(own.cosine[at]), float(self.fused[at])
        return Candidate(int(own.passages[at]), *scores, *places)


def _column(scores: Mapping[int, float], passages: IntArray) -> Doubles:
    column = np.zeros(len(passages))
    column[np.searchsorted(passages, [*scores])] = [*scores.values()]
    return column


def _places(scores: Doubles) -> IntArray:
    """The place of each by its score, from 1, ties by number; 0 where an engine said nothing."""
    said = np.flatnonzero(scores)
    places = np.zeros(len(scores), dtype=np.int64)
    places[said[np.argsort(-scores[said], kind="stable")]] = np.arange(1, len(said) + 1)
    return places


def best_of_role(entry: Ranked, role: Role, columns: Columns) -> Candidate | None:
    """The document's best candidate of a role."""
    return next((c for c in entry.evidence if columns.roles[c.passage] == role), None)
