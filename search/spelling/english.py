"""Latin words with a slip of the finger, and such as are only begun."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from search.spelling.vocabulary import Vocabulary, starting

SHORTEST = 4
LONG = 8
"""From this length on two slips are forgiven, before only one."""
SHORTEST_PREFIX = 3


class EnglishReader:
    """Corrects towards the Latin words of the index; what is a word already is left to the caller."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._sorted = vocabulary.sorted_latin
        self._counts = vocabulary.latin
        self._by_first = _by_first(vocabulary.latin)

    def correct(self, word: str) -> str:
        """The nearest word by restricted Damerau-Levenshtein distance, the most frequent of several; "" for none."""
        from rapidfuzz.distance import OSA

        allowed = 0 if len(word) < SHORTEST else 1 if len(word) < LONG else 2
        near = {
            known: distance
            # The first letter is seldom wrong but may have changed places with the second.
            for known in (k for first in dict.fromkeys(word[:2]) for k in self._by_first.get(first, ()))
            if abs(len(known) - len(word)) <= allowed
            and (distance := OSA.distance(word, known, score_cutoff=allowed)) <= allowed
        }
        return min(near, key=lambda known: (near[known], -self._counts[known], known), default="") if allowed else ""

    def finish(self, begun: str) -> str:
        """The most frequent word that begins so, "" for none."""
        if len(begun) < SHORTEST_PREFIX:
            return ""
        return max(starting(self._sorted, begun), key=lambda word: (self._counts[word], word), default="")


def _by_first(words: Mapping[str, int]) -> Mapping[str, Sequence[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for word in words:
        if len(word) >= SHORTEST:
            groups[word[0]].append(word)
    return dict(groups)
