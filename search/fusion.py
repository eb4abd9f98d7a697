"""One score from two engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
SEMANTIC_SHARE = 0.6
WORDS_POWER = 2
"""A quarter of a question's words in common is mostly chance, nearly all of them hardly ever: words count squared."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How two scores become one: `ceiling` is the largest BM25 possible, `share` (0..1) belongs to the cosine."""

    ceiling: float
    share: float = SEMANTIC_SHARE

    def convex(self, lexical: Doubles, cosine: Doubles) -> Doubles:
        """(1 - a) (bm25 / ceiling) ** WORDS_POWER + a cosine; the ceiling is the score of what is all about every word.

        Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (2023), section 4: a convex sum
        keeps the distances between scores that reciprocal rank fusion throws away, and scaling by the theoretical
        rather than the observed maximum keeps a weak best match weak.
        """
        words = lexical / self.ceiling if self.ceiling > 0 else np.zeros_like(lexical)
        summed: Doubles = (1 - self.share) * words**WORDS_POWER + self.share * np.maximum(cosine, 0.0)
        return summed


class Candidate(NamedTuple):
    """A passage that an engine proposed. `lexical` is BM25, `cosine` is -1..1, `fused` orders; ranks from 1."""

    passage: int
    lexical: float
    cosine: float
    fused: float
    lexical_rank: int | None = None
    semantic_rank: int | None = None
