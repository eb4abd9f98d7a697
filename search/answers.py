"""The answer, not the document: the best section of a hit and its best one to three sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from search.analysis import Term, Token, merge_spans
from search.lexical import K1
from search.reader import Sentences
from search.sentences import token_spans
from search.types import FloatArray

MAX_SENTENCES = 3
MAX_CHARACTERS = 160
_ROOM = 40


@dataclass(frozen=True, slots=True)
class Extract:
    """Sentences cut out of a section, with half-open highlight offsets into `text`."""

    text: str
    highlights: tuple[tuple[int, int], ...]


class Weigher:
    """How much of a question's information a text holds, by the idf of the terms found in it."""

    def __init__(self, terms: Sequence[Term], idf: Callable[[str], float]) -> None:
        self.weights: Mapping[str, float] = {term.text: term.weight * idf(term.text) for term in terms}
        self._asked = {term.text: term.asked for term in terms}
        self._total = sum(max(term.weight, 1.0) * idf(term.text) for term in terms if term.text == term.asked)

    @property
    def ceiling(self) -> float:
        """BM25 of a passage in which every asked term is as frequent as can be."""
        return self._total * (K1 + 1)

    @property
    def words(self) -> frozenset[str]:
        """Every term that counts."""
        return frozenset(self._asked)

    def share(self, words: frozenset[str]) -> float:
        """The share of the asked terms' idf that some of them carry, 0..1, whether found or not."""
        return sum(self.weights[word] for word in words) / self._total if words and self._total else 0.0

    def coverage(self, words: frozenset[str]) -> float:
        """Share of the asked terms' idf that `words` hold, 0..1; a synonym counts with its weight."""
        best: dict[str, float] = {}
        for word in words & self.weights.keys():
            asked = self._asked[word]
            if not asked:
                continue
            best[asked] = max(best.get(asked, 0.0), self.weights[word])
        return min(1.0, sum(best.values()) / self._total) if self._total else 0.0


def extract(text: str, sentences: Sentences, weigher: Weigher, vector: FloatArray | None) -> Extract:
    """The window of up to three sentences of `text` that best answers; `vector` is the question's."""
    spans = sentences.spans
    if not spans:
        return Extract("", ())
    likeness = _likeness(sentences, vector)
    scores = [
        weigher.coverage(frozenset(token.text for token in own)) + like
        for own, like in zip(sentences.tokens, likeness, strict=True)
    ]
    first, last = _best_window(scores, spans)
    start, end = spans[first][0], spans[last - 1][1]
    return Extract(text[start:end], _marks(sentences.tokens[first:last], start, weigher.words))


def _likeness(sentences: Sentences, vector: FloatArray | None) -> Sequence[float]:
    if vector is None or sentences.vectors is None:
        return [0.0] * len(sentences.spans)
    cosines: list[float] = (sentences.vectors @ vector).tolist()
    return cosines


def _best_window(scores: Sequence[float], spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """First and one past the last sentence: the best sentence, widened towards the better neighbour."""
    first = max(range(len(scores)), key=lambda i: (scores[i], -i))
    last = first + 1
    while last - first < MAX_SENTENCES:
        after = scores[last] if last < len(scores) else -1.0
        before = scores[first - 1] if first else -1.0
        grown = (first, last + 1) if after >= before else (first - 1, last)
        if max(after, before) < 0 or _length(spans, *grown) > MAX_CHARACTERS:
            break
        if _length(spans, first, last) >= _ROOM and max(after, before) < scores[first] / 2:
            break
        first, last = grown
    return first, last


def _length(spans: Sequence[tuple[int, int]], first: int, last: int) -> int:
    return spans[last - 1][1] - spans[first][0]


def _marks(tokens: Iterable[Sequence[Token]], start: int, wanted: frozenset[str]) -> tuple[tuple[int, int], ...]:
    """Where wanted terms stand, counted from `start`."""
    found = (span for own in tokens for span in token_spans(own, wanted))
    return merge_spans([(begin - start, end - start) for begin, end in found])
