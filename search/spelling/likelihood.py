"""How likely words are: in the index first, in common use second."""

from __future__ import annotations

import math
from functools import lru_cache

from search.spelling.common import CommonWords
from search.spelling.vocabulary import Vocabulary

INDEX_SHARE = 0.8
CHARACTER_SHARE = 0.2
"""How much the index counts against common use; less for single characters: articles hold few of the small words."""
UNSEEN = 1e-9
KEPT = 8192


class Likelihood:
    """Log probabilities of words for one audience."""

    def __init__(self, common: CommonWords, vocabulary: Vocabulary) -> None:
        self._common = common.shares
        self._counts = vocabulary.counts
        self._total = max(vocabulary.total, 1)
        self.of = lru_cache(KEPT)(self._of)

    def _of(self, word: str) -> float:
        """log(a p_index + (1 - a) p_common), linear interpolation after Jelinek and Mercer (1980)."""
        own = self._counts.get(word, 0) / self._total
        common = self._common.get(word, 0.0)
        share = INDEX_SHARE if len(word) > 1 else CHARACTER_SHARE
        return math.log(share * own + (1 - share) * common + UNSEEN)
