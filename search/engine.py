"""Ask an index: lexical and dense candidates, fusion, permission, ranking, confidence, answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from heapq import nlargest
from itertools import zip_longest
from operator import itemgetter
from pathlib import Path
from threading import Lock

import numpy as np

from search.analysis import Analyzer, Term
from search.answers import Weigher, extract
from search.columns import Selection, filter_of
from search.confidence import Calibration, decide
from search.encoder import Encoder
from search.errors import SearchError
from search.fusion import SEMANTIC_SHARE, Candidate, Scale, fuse
from search.generation import pointer_stamp
from search.index import Expected, Index, open_current
from search.ranking import Ranked, best_of_role, group
from search.reader import Reader
from search.spelling.reading import Change, Reading, Typed, terms_of
from search.types import (
    Answer,
    Audience,
    Decision,
    Document,
    Evidence,
    FloatArray,
    Hit,
    Mode,
    Query,
    Role,
    Visible,
    Why,
)

CANDIDATES = 100
GISTS = 40
PASSAGES_OF_NEAR = 3
"""Documents proposed by all they say together, and how many of their passages; passages propose the others."""
COMPLETIONS = 6
CONTEXT_WEIGHT = 0.25
SHORTLIST = 3
LEAD_BONUS = 0.25
"""The first paragraph of an article answers its title: another section must be clearly closer to win."""
INTERNAL_MALUS = 0.4
"""What may not be sent to the customer is shown as the answer only where nothing else comes near."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Halves:
    """Which engines take part; evaluations switch one off."""

    lexical: bool = True
    dense: bool = True
    share: float = SEMANTIC_SHARE


@dataclass(slots=True)
class _Trace:
    """Stage times in milliseconds and what was down while one question was answered."""

    timing: dict[str, float] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.timing[name] = self.timing.get(name, 0.0) + (time.perf_counter() - start) * 1000


@dataclass(frozen=True, slots=True)
class _Question:
    """A query as the engines see it."""

    query: Query
    reading: Reading
    terms: tuple[Term, ...]
    weigher: Weigher
    vector: FloatArray | None
    selection: Selection


class Engine:
    """Answers questions from the current generation under `root`, noticing a new one by one `stat`."""

    def __init__(self, root: Path, analyzer: Analyzer, encoder: Encoder | None, halves: Halves | None = None) -> None:
        self._root = root
        self.analyzer = analyzer
        self.encoder = encoder
        self._halves = halves or Halves()
        self._index: Index | None = None
        self._reader: tuple[Index, Reader] | None = None
        self._stamp: tuple[int, int] | None = None
        self._lock = Lock()

    def index(self) -> Index:
        """The current generation; `IndexMissing` or `IndexCorrupt` when there is none that can be trusted.

        A generation already open stays in use when a newer one cannot be opened.
        """
        stamp = pointer_stamp(self._root)
        if self._index is None or stamp != self._stamp:
            with self._lock:
                if self._index is None or stamp != self._stamp:
                    self._reopen(stamp)
        assert self._index is not None
        return self._index

    def _reopen(self, stamp: tuple[int, int] | None) -> None:
        expected = Expected(self.analyzer.id, self.encoder.id if self.encoder else None)
        try:
            index = open_current(self._root, expected)
            self._reader = (index, Reader(index, self.analyzer, self.encoder))
            self._index = index
            self._stamp = stamp
        except SearchError as error:
            if self._index is None:
                raise
            _log.error("staying on index %s: %s", self._index.manifest.number, error)

    def _reader_of(self, index: Index) -> Reader:
        """The reader of an index; one that a newer generation has just replaced gets a reader of its own."""
        kept = self._reader
        return kept[1] if kept and kept[0] is index else Reader(index, self.analyzer, self.encoder)

    def answer(self, query: Query, visible: Visible) -> Answer:
        """The answer to a query, from what `visible` lets through."""
        started = time.perf_counter()
        trace = _Trace()
        index = self.index()
        question = self._analyse(query, index, trace)
        ranked = self._rank(question, index, visible, trace)
        with trace.stage("fetch"):
            hits = self._hits(question, ranked, index)
        completions = self._completions(query, question, index, visible) if query.mode is Mode.TYPING else ()
        trace.timing["total"] = (time.perf_counter() - started) * 1000
        return _conclude(query, hits, completions, index, trace)

    def _analyse(self, query: Query, index: Index, trace: _Trace) -> _Question:
        with trace.stage("analyse"):
            reading = self._read(query, index)
            terms = self._terms(query, reading, index) + _context_terms(query, self.analyzer)
            selection = index.columns.select(filter_of(query, index.codes))
        vector = None
        with trace.stage("encode"):
            if self.encoder is None or index.vectors is None:
                trace.degraded.append("encoder")
            else:
                vector = self._vector(self.encoder, query, reading)
        return _Question(query, reading, terms, Weigher(terms, index.lexical.idf), vector, selection)

    def _vector(self, encoder: Encoder, query: Query, reading: Reading) -> FloatArray:
        """The direction between what was typed and how it is read: an encoder knows some slips by itself."""
        texts = dict.fromkeys((reading.text, self.analyzer.fold(query.text)))
        rows = encoder.encode_queries([*texts])
        total = rows.sum(axis=0)
        unit: FloatArray = total / (np.linalg.norm(total) or 1.0) if len(rows) > 1 else rows[0]
        return unit

    def _read(self, query: Query, index: Index) -> Reading:
        """What was meant by what was typed."""
        typed = Typed(query.text, self.analyzer.fold_question(query.text), query.mode is Mode.TYPING)
        return index.speller.read(typed, query.audience, self.analyzer.is_word)

    def _terms(self, query: Query, reading: Reading, index: Index) -> tuple[Term, ...]:
        absent = index.lexical.idf("")
        return terms_of(
            self.analyzer.fold(query.text), reading, self.analyzer, lambda term: index.lexical.idf(term) < absent
        )

    def _rank(self, question: _Question, index: Index, visible: Visible, trace: _Trace) -> list[Ranked]:
        with trace.stage("lexical"):
            lexical = self._lexical(question, index, trace)
        with trace.stage("vectors"):
            cosine = self._dense(question, index, lexical)
        with trace.stage("permission"):
            lexical, cosine = _permitted((lexical, cosine), index, visible)
        with trace.stage("fuse"):
            scale = Scale(question.weigher.ceiling, self._halves.share if cosine else 0.0)
            candidates = fuse(lexical, cosine, scale)
            gists = _gists(question, index, {index.columns.documents[c.passage] for c in candidates}) if cosine else {}
            ranked = group(candidates, gists, scale, index.columns)
        return _demoted(ranked, index, question.query.not_first)

    def _lexical(self, question: _Question, index: Index, trace: _Trace) -> dict[int, float]:
        if not self._halves.lexical:
            return {}
        try:
            return dict(index.lexical.search(question.terms, question.selection, CANDIDATES))
        except Exception:
            # Whatever an engine throws, the other half still answers and the answer says so.
            _log.exception("lexical engine failed")
            trace.degraded.append("lexical")
            return {}

    def _dense(self, question: _Question, index: Index, lexical: Mapping[int, float]) -> dict[int, float]:
        if question.vector is None or index.vectors is None or not self._halves.dense:
            return {}
        found = dict(index.vectors.search(question.vector, question.selection, CANDIDATES))
        found |= _near(question, index)
        missing = [passage for passage in lexical if passage not in found]
        found.update(zip(missing, index.vectors.scores(question.vector, missing), strict=True))
        return found

    def _hits(self, question: _Question, ranked: Sequence[Ranked], index: Index) -> tuple[Hit, ...]:
        builder = _HitBuilder(question, index, self._reader_of(index))
        lead = ranked[: question.query.top_k + 1]
        return tuple(
            builder.hit(entry, following.score if following else 0.0)
            for entry, following in zip_longest(lead, lead[1:])
        )[: question.query.top_k]

    def _completions(self, query: Query, question: _Question, index: Index, visible: Visible) -> tuple[str, ...]:
        first, allowed = index.columns.first, question.selection.allowed
        typed, hidden = self.analyzer.fold(query.text), set[int]()

        def shown(number: int) -> bool:
            return number not in hidden and bool(allowed[first[number]])

        # What is hidden takes no place and no title from the others, so it is looked for again without it.
        while True:
            found = index.completer.find(typed, shown, COMPLETIONS)
            found = found or index.completer.find(question.reading.text, shown, COMPLETIONS)
            seen = visible([index.refs[entry.document] for entry in found])
            gone = {entry.document for entry in found if index.refs[entry.document] not in seen}
            if not gone:
                return tuple(entry.text for entry in found)
            hidden |= gone


class _HitBuilder:
    """Turns ranked documents into hits for one question."""

    def __init__(self, question: _Question, index: Index, reader: Reader) -> None:
        self._question = question
        self._index = index
        self._reader = reader
        self._weigher = question.weigher

    def hit(self, entry: Ranked, next_score: float) -> Hit:
        document = self._index.document(entry.document)
        number = self._best_section(entry, document)
        passage = self._reader.passage(number)
        cut = extract(passage.text, self._reader.sentences(number), self._weigher, self._question.vector)
        words = self._words(entry, document, number)
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

    def _words(self, entry: Ranked, document: Document, section: int) -> frozenset[str]:
        """The words of what speaks for the document: its title, the section shown, its best passages."""
        evidence = (self._reader.words(candidate.passage) for candidate in entry.evidence[:3])
        return self._reader.terms(document.title).union(self._reader.words(section), *evidence)

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


def _context_terms(query: Query, analyzer: Analyzer) -> tuple[Term, ...]:
    """Words of the last two customer messages, with less weight, not asked for again."""
    own = set(analyzer.index_terms(query.text))
    words = dict.fromkeys(word for line in query.context[-2:] for word in analyzer.index_terms(line))
    return tuple(Term(word, CONTEXT_WEIGHT, "") for word in words if word not in own)


def _near(question: _Question, index: Index) -> dict[int, float]:
    """Cosines of the best passages of the documents that are nearest by all they say together."""
    assert question.vector is not None and index.vectors is not None and index.centroids is not None
    where = index.columns.documents_of(question.selection)
    first, allowed = index.columns.first, question.selection.allowed
    best: dict[int, float] = {}
    for document, _ in index.centroids.search(question.vector, where, GISTS):
        begin, end = int(first[document]), int(first[document + 1])
        own = (begin + np.flatnonzero(allowed[begin:end])).tolist()
        scored = zip(own, index.vectors.scores(question.vector, own), strict=True)
        best.update(nlargest(PASSAGES_OF_NEAR, scored, key=itemgetter(1)))
    return best


def _gists(question: _Question, index: Index, documents: set[int]) -> dict[int, float]:
    assert question.vector is not None and index.centroids is not None
    wanted = sorted(documents)
    return dict(zip(wanted, index.centroids.scores(question.vector, wanted), strict=True))


def _permitted(halves: Sequence[dict[int, float]], index: Index, visible: Visible) -> list[dict[int, float]]:
    """Only what the application allows now: asked before ranks, scores, margins and confidence are settled."""
    documents = index.columns.documents
    candidates = dict.fromkeys(documents[passage] for half in halves for passage in half)
    seen = visible([index.refs[document] for document in candidates])
    allowed = {document for document in candidates if index.refs[document] in seen}
    return [{passage: score for passage, score in half.items() if documents[passage] in allowed} for half in halves]


def _demoted(ranked: list[Ranked], index: Index, not_first: frozenset[str]) -> list[Ranked]:
    """Cards already used in this conversation do not come first again."""
    if not not_first:
        return ranked
    return sorted(ranked, key=lambda entry: index.refs[entry.document].id in not_first)


def _conclude(query: Query, hits: tuple[Hit, ...], completions: tuple[str, ...], index: Index, trace: _Trace) -> Answer:
    calibration: Calibration = index.calibration
    confidence = hits[0].confidence if hits else 0.0
    decision = decide(confidence, calibration, query.audience) if hits else Decision.ABSTAIN
    marked = tuple(replace(hit, below_threshold=hit.confidence < calibration.candidate) for hit in hits)
    shown = marked if query.below_threshold or decision is not Decision.ABSTAIN else ()
    return Answer(
        decision=decision,
        confidence=confidence,
        hits=shown,
        completions=completions,
        degraded=tuple(trace.degraded),
        timing_ms={name: round(value, 2) for name, value in trace.timing.items()},
        generation=index.manifest.number,
        documents=index.manifest.documents,
    )


__all__ = ["CANDIDATES", "Candidate", "Engine", "Halves"]
