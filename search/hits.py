"""From ranked documents to hits: the section that answers, its sentences, and why it matched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest

from search.analysis import Term
from search.answers import Weigher, extract
from search.columns import Selection
from search.index import Index
from search.ranking import Ranked, best_of_role
from search.reader import Reader
from search.spelling.reading import Change, Reading
from search.types import Audience, Document, Evidence, FloatArray, Hit, Query, Role, Why

SHORTLIST = 3
LEAD_BONUS = 0.25
"""The first paragraph of an article answers its title: another section must be clearly closer to win."""
INTERNAL_MALUS = 0.4
"""What may not be sent to the customer is shown as the answer only where nothing else comes near."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query as the engines see it; `share` of a score belongs to the meaning, the rest to the words."""

    query: Query
    reading: Reading
    terms: tuple[Term, ...]
    weigher: Weigher
    vector: FloatArray | None
    selection: Selection
    share: float


class HitBuilder:
    """Turns ranked documents into hits for one question."""

    def __init__(self, question: Question, index: Index, reader: Reader) -> None:
        self._question = question
        self._index = index
        self._reader = reader
        self._weigher = question.weigher

    def hit(self, entry: Ranked, next_score: float) -> Hit:
        """One hit; `next_score` is that of the document ranked after it."""
        document = self._index.document(entry.document)
        number = self._best_section(entry, document)
        passage = self._reader.passage(number)
        cut = extract(passage.text, self._reader.sentences(number), self._weigher, self._question.vector)
        words = self._words(entry, number)
        evidence = self._evidence(entry, words, next_score)
        return Hit(
            document=document,
            section=passage.headings[-1] if passage.headings else "",
            anchor=passage.anchor,
            answer=cut.text,
            highlights=cut.highlights,
            confidence=round(self._index.calibration.probability(evidence), 3),
            score=round(entry.score, 4),
            evidence=evidence,
            why=self._why(entry, words),
            audience=Audience(int(self._index.columns.rows["audience"][number])),
        )

    def _best_section(self, entry: Ranked, document: Document) -> int:
        """The allowed section with the best mix of cosine and coverage; the title when there is none."""
        columns, allowed = self._index.columns, self._question.selection.allowed
        own = range(int(columns.first[entry.document]), int(columns.first[entry.document + 1]))
        sections = [n for n in own if allowed[n] and columns.roles[n] == Role.SECTION]
        numbers = sections or [n for n in own if allowed[n]]
        cosines = dict(zip(numbers, self._cosines(numbers), strict=True))
        scored = {
            number: self._weigher.coverage(self._reader.words(number)) + cosines[number] + self._prior(number, document)
            for number in self._shortlist(entry, cosines)
        }
        return max(scored, key=lambda number: (scored[number], -number))

    def _shortlist(self, entry: Ranked, cosines: Mapping[int, float]) -> set[int]:
        """Sections worth reading: the first, those that were evidence, and the nearest in meaning."""
        evidence = {candidate.passage for candidate in entry.evidence} & cosines.keys()
        nearest = nlargest(SHORTLIST, cosines, key=lambda number: cosines[number])
        return {min(cosines), *nlargest(SHORTLIST, evidence, key=lambda number: cosines[number]), *nearest}

    def _prior(self, number: int, document: Document) -> float:
        passage = self._reader.passage(number)
        return LEAD_BONUS * (not passage.headings) - INTERNAL_MALUS * (passage.audience > document.audience)

    def _cosines(self, numbers: Sequence[int]) -> list[float]:
        if self._question.vector is None or self._index.vectors is None:
            return [0.0] * len(numbers)
        return self._index.vectors.scores(self._question.vector, numbers)

    def _words(self, entry: Ranked, section: int) -> frozenset[str]:
        """The words of what speaks for the document: its title, the section shown, its best passages."""
        title = int(self._index.columns.first[entry.document])
        passages = dict.fromkeys((title, section, *(candidate.passage for candidate in entry.evidence[:3])))
        return frozenset[str]().union(*map(self._reader.words, passages))

    def _evidence(self, entry: Ranked, words: frozenset[str], next_score: float) -> Evidence:
        margin = (entry.score - next_score) / entry.score if entry.score > 0 else 0.0
        return Evidence(
            cosine=max((c.cosine for c in entry.evidence), default=0.0) if self._question.vector is not None else None,
            gist=entry.gist,
            coverage=self._weigher.coverage(words),
            margin=min(max(margin, 0.0), 1.0),
        )

    def _why(self, entry: Ranked, words: frozenset[str]) -> Why:
        terms = self._question.terms
        exact = [term.text for term in terms if term.text == term.asked and term.text in words]
        pairs = [(t.asked, t.text) for t in terms if t.asked not in ("", t.text, *exact) and t.text in words]
        asked = best_of_role(entry, Role.QUESTION, self._index.columns)
        changes = [change for change in self._question.reading.changes if self._reader.terms(change.read) <= words]
        return Why(
            terms=tuple(exact),
            synonyms=tuple(pairs),
            pinyin=tuple(change.read for change in changes if change.from_keys),
            corrected=self._corrected(changes),
            lexical_rank=min((c.lexical_rank for c in entry.evidence if c.lexical_rank), default=None),
            semantic_rank=min((c.semantic_rank for c in entry.evidence if c.semantic_rank), default=None),
            matched_question=self._reader.passage(asked.passage).text if asked else None,
        )

    def _corrected(self, changes: Sequence[Change]) -> str | None:
        """How the question was read, as far as the hit itself has the words: the index knows more than may be told."""
        reading = self._question.reading
        whole = len(changes) == len(reading.changes)
        return (reading.text if whole else " ".join(change.read for change in changes)) if changes else None
