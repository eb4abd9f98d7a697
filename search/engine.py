"""Ask an index: lexical and dense candidates, fusion, permission, ranking, confidence, answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

import numpy as np

from search.analysis import Analyzer, Term
from search.answers import Weigher
from search.columns import filter_of
from search.confidence import Calibration, decide
from search.encoder import Encoder, StaticEncoder
from search.errors import SearchError
from search.fusion import SEMANTIC_SHARE, Scale
from search.generation import pointer_stamp
from search.hits import HitBuilder, Question
from search.index import Expected, Index, open_current
from search.ranking import Proposed, Ranked, rank
from search.reader import Reader
from search.spelling.reading import Reading, Typed, terms_of
from search.types import Answer, Decision, DocumentRef, FloatArray, Hit, IntArray, Mode, Query, Visible

CANDIDATES = 60
GISTS = 30
PASSAGES_OF_NEAR = 3
"""Documents proposed by all they say together, and how many of their passages; passages propose the others."""
COMPLETIONS = 6
CODE_PIECES = 3
"""Tokens into which the encoder must cut a word for it to be a code."""
CODE_WEIGHT = 2.0
"""A code once in a long text tells more than common words in a title."""
FOLLOW_SECONDS = 0.1
CONTEXT_WEIGHT = 0.25
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
class _Opened:
    """A generation in use, and the pointer's stamp when it was opened."""

    stamp: tuple[int, int] | None
    index: Index
    reader: Reader


class Engine:
    """Answers questions from the current generation under `root`, noticing a new one by one `stat`."""

    def __init__(self, root: Path, analyzer: Analyzer, encoder: Encoder | None, halves: Halves | None = None) -> None:
        self._root = root
        self.analyzer = analyzer
        self.encoder = encoder
        self._halves = halves or Halves()
        self._opened: _Opened | None = None
        self._followed = False
        self._lock = Lock()

    def index(self) -> Index:
        """The current generation; `IndexMissing` or `IndexCorrupt` when there is none that can be trusted.

        A generation already open stays in use when a newer one cannot be opened, and while `follow` opens one.
        """
        if self._opened is None or not self._followed:
            self.refresh()
        assert self._opened is not None
        return self._opened.index

    def refresh(self) -> None:
        """Open the generation that the pointer names unless it is open already."""
        stamp = pointer_stamp(self._root)
        if self._opened is None or stamp != self._opened.stamp:
            with self._lock:
                if self._opened is None or stamp != self._opened.stamp:
                    self._opened = self._open(stamp, self._opened)

    def follow(self, wait: Callable[[float], bool]) -> None:
        """Open each new generation beside the questions, so that none of them waits for it.

        Returns when `wait(seconds)`, called again and again, says that it is time to stop.
        """
        self._followed = True
        while not wait(FOLLOW_SECONDS):
            try:
                self.refresh()
            except Exception:
                # Were this thread to end, the process would answer from an old generation for ever.
                _log.exception("the next index cannot be opened; it is tried again")
        self._followed = False

    def _open(self, stamp: tuple[int, int] | None, before: _Opened | None) -> _Opened:
        expected = Expected(self.analyzer.id, self.encoder.id if self.encoder else None)
        try:
            index = open_current(self._root, expected, before.index if before else None)
        except SearchError as error:
            if before is None:
                raise
            _log.error("staying on index %s: %s", before.index.manifest.number, error)
            # What could not be opened is tried again when the pointer changes once more.
            return replace(before, stamp=stamp)
        reader = Reader(index, self.analyzer, self.encoder, before.reader if before else None)
        return _Opened(stamp, index, reader)

    def _reader_of(self, index: Index) -> Reader:
        """The reader of an index; one that a newer generation has just replaced gets a reader of its own."""
        opened = self._opened
        return opened.reader if opened and opened.index is index else Reader(index, self.analyzer, self.encoder)

    def answer(self, query: Query, visible: Visible) -> Answer:
        """The answer to a query, from what `visible` lets through."""
        started = time.perf_counter()
        trace = _Trace()
        visible = _remembered(visible)
        index = self.index()
        question = self._analyse(query, index, trace)
        ranked = self._rank(question, index, visible, trace)
        with trace.stage("fetch"):
            hits = self._hits(question, ranked, index)
        completions = self._completions(query, question, index, visible) if query.mode is Mode.TYPING else ()
        trace.timing["total"] = (time.perf_counter() - started) * 1000
        return _conclude(query, hits, completions, index, trace)

    def _analyse(self, query: Query, index: Index, trace: _Trace) -> Question:
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
        codes = self._codes(terms, index)
        terms = tuple(replace(term, weight=CODE_WEIGHT) if term.text in codes else term for term in terms)
        weigher = Weigher(terms, index.lexical.idf)
        share = self._halves.share * (1 - weigher.share(codes)) if vector is not None else 0.0
        return Question(query, reading, terms, weigher, vector, selection, share)

    def _codes(self, terms: Sequence[Term], index: Index) -> frozenset[str]:
        """Asked words that the index holds and the encoder cannot know: error codes, order numbers, names in letters.

        Who types one means just that, and what it is near to in meaning is chance.
        """
        encoder, absent = self.encoder, index.lexical.idf("")
        if not isinstance(encoder, StaticEncoder):
            return frozenset()
        asked = (term.text for term in terms if term.text == term.asked and term.text.isascii())
        return frozenset(
            word for word in asked if encoder.pieces(word) >= CODE_PIECES and index.lexical.idf(word) < absent
        )

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

    def _rank(self, question: Question, index: Index, visible: Visible, trace: _Trace) -> list[Ranked]:
        with trace.stage("lexical"):
            lexical = self._lexical(question, index, trace)
        with trace.stage("vectors"):
            cosine = self._dense(question, index, lexical)
        with trace.stage("permission"):
            lexical, cosine = _permitted((lexical, cosine), index, visible)
        with trace.stage("fuse"):
            scale = Scale(question.weigher.ceiling, question.share if cosine else 0.0)
            proposed, query = Proposed.of(lexical, cosine), question.query
            documents = proposed.documents(index.columns)
            gists = _gists(question, index, documents) if cosine else np.zeros(len(documents))
            ranked = rank(proposed, gists, scale, index.columns, query.top_k + 1 + len(query.not_first))
        return _demoted(ranked, index, query.not_first)

    def _lexical(self, question: Question, index: Index, trace: _Trace) -> dict[int, float]:
        if not self._halves.lexical:
            return {}
        try:
            return dict(index.lexical.search(question.terms, question.selection, CANDIDATES))
        except Exception:
            # Whatever an engine throws, the other half still answers and the answer says so.
            _log.exception("lexical engine failed")
            trace.degraded.append("lexical")
            return {}

    def _dense(self, question: Question, index: Index, lexical: Mapping[int, float]) -> dict[int, float]:
        if question.vector is None or index.vectors is None or not self._halves.dense:
            return {}
        where = index.columns.without_tickets(question.selection)
        found = dict(index.vectors.search(question.vector, where, CANDIDATES))
        found |= _near(question, index)
        missing = [passage for passage in lexical if passage not in found]
        found.update(zip(missing, index.vectors.scores(question.vector, missing), strict=True))
        return found

    def _hits(self, question: Question, ranked: Sequence[Ranked], index: Index) -> tuple[Hit, ...]:
        builder = HitBuilder(question, index, self._reader_of(index))
        top = question.query.top_k
        following = [*(entry.score for entry in ranked[1 : top + 1]), 0.0]
        return tuple(builder.hit(entry, score) for entry, score in zip(ranked[:top], following, strict=False))

    def _completions(self, query: Query, question: Question, index: Index, visible: Visible) -> tuple[str, ...]:
        first, allowed = index.columns.first, question.selection.allowed
        typed, hidden = self.analyzer.fold(query.text), set[int]()

        def shown(number: int) -> bool:
            return number not in hidden and bool(allowed[first[number]])

        # What is hidden takes no place and no title from the others, so it is looked for again without it.
        while True:
            found = index.completer.find(typed, shown, COMPLETIONS)
            found = found or index.completer.find(question.reading.text, shown, COMPLETIONS)
            refs = {document: index.ref(document) for _, document in found}
            seen = visible(refs.values())
            gone = {document for document, ref in refs.items() if ref not in seen}
            if not gone:
                return tuple(text for text, _ in found)
            hidden |= gone


def _context_terms(query: Query, analyzer: Analyzer) -> tuple[Term, ...]:
    """Words of the last two customer messages, with less weight, not asked for again."""
    own = set(analyzer.index_terms(query.text))
    words = dict.fromkeys(word for line in query.context[-2:] for word in analyzer.index_terms(line))
    return tuple(Term(word, CONTEXT_WEIGHT, "") for word in words if word not in own)


def _near(question: Question, index: Index) -> dict[int, float]:
    """Cosines of the best passages of the documents that are nearest by all they say together."""
    assert question.vector is not None and index.vectors is not None and index.centroids is not None
    where = index.columns.documents_of(question.selection)
    first, allowed = index.columns.first, question.selection.allowed
    near = index.centroids.search(question.vector, where, GISTS)
    own = [np.arange(first[document], first[document + 1]) for document, _ in near]
    numbers = np.concatenate([passages[allowed[passages]] for passages in own]) if own else np.zeros(0, np.int64)
    scored = sorted(zip(index.vectors.scores(question.vector, numbers), numbers.tolist(), strict=True), reverse=True)
    best: dict[int, float] = {}
    left = dict.fromkeys((document for document, _ in near), PASSAGES_OF_NEAR)
    for cosine, passage in scored:
        document = int(index.columns.documents[passage])
        if left[document]:
            left[document] -= 1
            best[passage] = cosine
    return best


def _gists(question: Question, index: Index, documents: IntArray) -> list[float]:
    assert question.vector is not None and index.centroids is not None
    return index.centroids.scores(question.vector, documents)


def _remembered(visible: Visible) -> Visible:
    """The same for one question, asked only about documents that it has not judged yet."""
    judged: dict[DocumentRef, bool] = {}

    def remembered(refs: Iterable[DocumentRef]) -> frozenset[DocumentRef]:
        wanted = list(refs)
        if new := [ref for ref in wanted if ref not in judged]:
            seen = visible(new)
            judged.update((ref, ref in seen) for ref in new)
        return frozenset(ref for ref in wanted if judged[ref])

    return remembered


def _permitted(halves: Sequence[dict[int, float]], index: Index, visible: Visible) -> list[dict[int, float]]:
    """Only what the application allows now: asked before ranks, scores, margins and confidence are settled."""
    passages = sorted({passage for half in halves for passage in half})
    documents = dict(zip(passages, index.columns.documents[passages].tolist(), strict=True))
    refs = {document: index.ref(document) for document in dict.fromkeys(documents.values())}
    seen = visible(refs.values())
    allowed = {document for document, ref in refs.items() if ref in seen}
    return [{passage: score for passage, score in half.items() if documents[passage] in allowed} for half in halves]


def _demoted(ranked: list[Ranked], index: Index, not_first: frozenset[str]) -> list[Ranked]:
    """Cards already used in this conversation do not come first again."""
    if not not_first:
        return ranked
    return sorted(ranked, key=lambda entry: index.ref(entry.document).id in not_first)


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


__all__ = ["CANDIDATES", "Engine", "Halves"]
