"""One score from two engines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

SEMANTIC_SHARE = 0.6
WORDS_POWER = 2
"""A quarter of a question's words in common is mostly chance, nearly all of them hardly ever: words count squared."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How two scores become one: `ceiling` is the largest BM25 possible, `share` (0..1) belongs to the cosine."""

    ceiling: float
    share: float = SEMANTIC_SHARE

    def convex(self, lexical: float, cosine: float) -> float:
        """(1 - a) (bm25 / ceiling) ** WORDS_POWER + a cosine; the ceiling is the score of what is all about every word.

        Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (2023), section 4: a convex sum
        keeps the distances between scores that reciprocal rank fusion throws away, and scaling by the theoretical
        rather than the observed maximum keeps a weak best match weak.
        """
        words = lexical / self.ceiling if self.ceiling > 0 else 0.0
        return (1 - self.share) * words**WORDS_POWER + self.share * max(cosine, 0.0)


class Candidate(NamedTuple):
    """A passage that an engine proposed. `lexical` is BM25, `cosine` is -1..1, `fused` orders; ranks from 1."""

    passage: int
    lexical: float
    cosine: float
    fused: float
    lexical_rank: int | None = None
    semantic_rank: int | None = None


def fuse(lexical: Mapping[int, float], cosine: Mapping[int, float], scale: Scale) -> list[Candidate]:
    """Every proposed passage once, best first."""
    lexical_ranks, semantic_ranks = _ranks(lexical), _ranks(cosine)
    fused = []
    # Hundreds for every key that is pressed: positions and local names save half of the time.
    for passage in lexical.keys() | cosine.keys():
        words, meaning = lexical.get(passage, 0.0), cosine.get(passage, 0.0)
        ranks = lexical_ranks.get(passage), semantic_ranks.get(passage)
        fused.append(Candidate(passage, words, meaning, scale.convex(words, meaning), *ranks))
    return sorted(fused, key=lambda candidate: (-candidate.fused, candidate.passage))


def _ranks(scores: Mapping[int, float]) -> dict[int, int]:
    return {p: rank for rank, p in enumerate(sorted(scores, key=lambda p: (-scores[p], p)), 1)}
