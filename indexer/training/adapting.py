"""Adapting a static encoder to one knowledge base: `adapt(encoder, lessons, AdaptConfig(...))`.

Few and short steps from the rows as they are, with the project's own intents rehearsed among them, so that
words without a lesson keep their meaning. The tokenizer stays as it is: nothing that anybody wrote goes
into the model folder.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from indexer.chunking import passages
from indexer.embedding import text_to_encode
from indexer.records import Record
from indexer.training import Progress, mixture, share_characters, silent
from indexer.training.batches import prepare
from indexer.training.corpus import Corpus, Fold, Group, OwnData, Source, read_own
from indexer.training.export import save_learnt, save_model
from indexer.training.fit import FitConfig, Start, fit
from indexer.training.variants import Homophones, variant
from search.encoder import Encoder, StaticEncoder, load_encoder
from search.errors import SearchError
from search.quality import METRICS, Figure, Judged, difference, figure
from search.types import FloatArray, IntArray, Kind, Role

FEWEST_QUESTIONS = 50
FEWEST_HELD_OUT = 5
HELD_OUT = 0.1
"""Share of the distinct questions that is measured with and not learnt from."""
REHEARSED = "intents (own)"
HOW = FitConfig(steps=60, rate=5e-4, turn_rate=0.0)
"""An entry of a row moves by at most about rate * steps / 2, which holds the rows near their start."""
SHOWN = ("recall@1", "recall@5", "mrr")
BLOCK = 64
"""Questions compared with all passages at once."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A document, and what people asked that it is known to have answered."""

    record: Record
    answered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdaptConfig:
    """Where to write and how to train. `fold` is the analyser's; `out` must not exist yet."""

    out: Path
    fold: Fold
    fit: FitConfig = HOW
    own: OwnData = field(default_factory=OwnData)
    progress: Progress = silent


@dataclass(frozen=True, slots=True)
class Change:
    """Held-out questions before and after: recall@1, recall@5 and mrr, and the paired difference of mrr."""

    questions: int
    before: dict[str, Figure]
    after: dict[str, Figure]
    difference: Figure

    @property
    def is_worse(self) -> bool:
        """Whether the whole 95% interval of the difference is below zero; never for a handful of questions."""
        return self.questions >= FEWEST_HELD_OUT and self.difference.high < 0


@dataclass(frozen=True, slots=True)
class AdaptReport:
    """What came of it. `out` is None when the result was worse and nothing was written.

    `changes["asked"]` is of questions of tickets and of use among all documents, `changes["articles"]` of those in
    the articles themselves among what is no ticket. `groups` are the documents learnt from, by source.
    """

    out: Path | None
    base: str
    id: str
    documents: int
    questions: dict[str, int]
    groups: dict[str, int]
    changes: dict[str, Change]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Page:
    """A document as the index holds it, every text folded."""

    is_ticket: bool
    titles: tuple[str, ...]
    questions: tuple[str, ...]
    sections: tuple[str, ...]
    answered: tuple[str, ...]

    @property
    def says(self) -> tuple[str, ...]:
        """All but the questions; a document that says nothing can neither teach nor be found."""
        return self.titles + self.sections

    def asked(self) -> tuple[tuple[str, str], ...]:
        """(kind of question, question): "asked" by people, or thought of by whoever wrote it ("articles")."""
        own = "asked" if self.is_ticket else "articles"
        return (*((own, text) for text in self.questions), *(("asked", text) for text in self.answered))


@dataclass(frozen=True, slots=True)
class _Split:
    """Which questions are held out: those whose hash is small, so that one stays where it is as others come."""

    limit: int

    @staticmethod
    def of(questions: Iterable[str]) -> _Split:
        hashes = sorted(map(_hash, questions))
        return _Split(max(int(HELD_OUT * 2**32), hashes[FEWEST_HELD_OUT - 1]))

    def holds(self, text: str) -> bool:
        return _hash(text) <= self.limit

    def kept(self, texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(text for text in texts if not self.holds(text))


def adapt(base: StaticEncoder, lessons: Iterable[Lesson], config: AdaptConfig) -> AdaptReport:
    """Train on from `base` and write the model to `config.out`, unless held-out questions find less than before.

    A question is held out wherever it stands, and with it the resolution of its ticket. The same lessons, seed,
    package versions and number of threads give the same files. Raises SearchError for too few questions or when
    `config.out` exists.
    """
    began = time.monotonic()
    _check_free(config.out)
    pages = [page for lesson in lessons if (page := _page(lesson, config.fold)).says]
    split = _Split.of(_enough({text for page in pages for kind, text in page.asked() if kind == "asked"}))
    corpus = _corpus(pages, split, config)
    rows = _fit(base, corpus, config)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=config.out.parent, prefix=".adapting-") as beside:
        folder = Path(beside) / config.out.name
        save_model(folder, base.tokenizer, rows)
        save_learnt(folder, _asked(corpus), base.learnt)
        # What is measured is what was written: rows are rounded on the way.
        adapted = load_encoder(str(folder))
        config.progress("measuring", 0, 1)
        changes = _changes(base, adapted, pages, split)
        report = _report(base, adapted, pages, split, corpus, changes)
        if any(change.is_worse for change in changes.values()):
            return replace(report, seconds=time.monotonic() - began)
        (folder / "README.md").write_text(card(report, config.fit), encoding="utf-8")
        os.rename(folder, config.out)
    return replace(report, out=config.out, seconds=time.monotonic() - began)


def card(report: AdaptReport, how: FitConfig) -> str:
    """The model card: what it was made from in numbers, and the figures before and after."""
    questions = ", ".join(f"{count} {name}" for name, count in report.questions.items())
    groups = ", ".join(f"{name} {count}" for name, count in report.groups.items())
    lines = [
        "# An encoder adapted to one knowledge base\n",
        f"`kb model train --from-tickets` trained `{report.base}` on to `{report.id}`: {how.steps} steps at rate "
        f"{how.rate:g}, seed {how.seed}, {how.threads} threads. The tokenizer is that of the base.\n",
        f"Documents: {report.documents}. Questions: {questions}. Groups learnt from: {groups}.\n",
        "Held-out questions, encoder alone, before -> after (mean [95% interval]):\n",
        "| | questions | recall@1 | recall@5 | mrr | change of mrr |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_card_row(name, change) for name, change in report.changes.items())]) + "\n"


def _card_row(name: str, change: Change) -> str:
    pairs = (f"{shown(change.before[metric])} -> {shown(change.after[metric])}" for metric in SHOWN)
    return f"| {' | '.join([name, str(change.questions), *pairs, shown(change.difference, '+.3f')])} |"


def shown(value: Figure, form: str = ".3f") -> str:
    """A mean with its interval."""
    return f"{value.mean:{form}} [{value.low:{form}}, {value.high:{form}}]"


def _check_free(out: Path) -> None:
    if out.exists():
        raise SearchError(f"{out} exists already", "Name a folder that does not exist yet.")


def _enough(questions: set[str]) -> set[str]:
    if len(questions) < FEWEST_QUESTIONS:
        raise SearchError(
            f"{len(questions)} different questions of tickets and of use; to adapt takes {FEWEST_QUESTIONS}",
            "Import more resolved tickets with `kb import tickets FILE`, or wait until more answers were used.",
        )
    return questions


def _page(lesson: Lesson, fold: Fold) -> _Page:
    record = lesson.record
    texts: dict[Role, list[str]] = {role: [] for role in Role}
    for passage in passages(record):
        if (text := text_to_encode(passage, fold)).strip():
            texts[passage.role].append(text)
    answered = tuple(text for text in map(fold, dict.fromkeys(lesson.answered)) if text.strip())
    is_ticket = record.document.kind is Kind.TICKET
    titles, questions, sections = (tuple(texts[role]) for role in (Role.TITLE, Role.QUESTION, Role.SECTION))
    return _Page(is_ticket, titles, questions, sections, answered)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:4], "big")


def _corpus(pages: Sequence[_Page], split: _Split, config: AdaptConfig) -> Corpus:
    own = read_own(config.own)
    corpus = Corpus(unrelated=own.unrelated)
    tickets = tuple(_ticket_group(page, split) for page in pages if page.is_ticket)
    corpus.add(Source("tickets", tickets, 2.0, service=True, typed=True))
    articles = tuple(_article_group(page, split) for page in pages if not page.is_ticket)
    corpus.add(Source("articles", articles, 0.8, weight=0.3, service=True, typed=True))
    rehearsed = Corpus([source for source in own.sources if source.name == REHEARSED]).folded(config.fold)
    corpus.sources.extend(rehearsed.sources)
    return replace(corpus, unrelated=list(map(config.fold, own.unrelated)))


def _ticket_group(page: _Page, split: _Split) -> Group:
    return Group(split.kept((*page.questions, *page.answered)), (*page.titles * 2, *page.sections))


def _article_group(page: _Page, split: _Split) -> Group:
    questions = split.kept(page.questions)
    asked = split.kept((*page.answered, *page.titles))
    return Group((*questions, *asked), (*page.titles * 2, *page.sections, *questions))


def _fit(base: StaticEncoder, corpus: Corpus, config: AdaptConfig) -> FloatArray:
    rng = np.random.default_rng(config.fit.seed)
    counts = Counter(character for text in _asked(corpus) for character in text)
    homophones = Homophones.of({character: float(count) for character, count in counts.items()})
    material = prepare(corpus, _encode(base), lambda text: variant(text, homophones, rng))
    steps = config.fit.steps
    start = _start(base)
    rows = fit(material, start, config.fit, lambda done: config.progress("training", done, steps))
    # A row of zeros stands for what no token covers and must not move a text.
    rows[~start.rows.any(axis=1)] = 0
    return rows


def _asked(corpus: Corpus) -> Iterable[str]:
    return (text for source in corpus.sources for group in source.groups for text in group.asked)


def _encode(base: StaticEncoder) -> Callable[[Sequence[str]], list[list[int]]]:
    return lambda texts: [e.ids for e in base.tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def _start(base: StaticEncoder) -> Start:
    """The rows as they are; readings of pinyin are in them already."""
    rows: FloatArray = base.table.rows.astype(np.float32) * base.table.scales[:, None]
    tokens = [""] * len(rows)
    for token, row in base.tokenizer.get_vocab().items():
        tokens[row] = token
    return Start(rows, share_characters(tokens), mixture([], len(tokens)))


def _changes(base: Encoder, adapted: Encoder, pages: Sequence[_Page], split: _Split) -> dict[str, Change]:
    # Bots search what is no ticket; staff search everything.
    among = {"asked": pages, "articles": [page for page in pages if not page.is_ticket]}
    found = ((kind, _compared(kind, base, adapted, those, split)) for kind, those in among.items())
    return {kind: change for kind, change in found if change}


def _compared(kind: str, base: Encoder, adapted: Encoder, pages: Sequence[_Page], split: _Split) -> Change | None:
    held = [
        (text, n) for n, page in enumerate(pages) for own, text in page.asked() if own == kind and split.holds(text)
    ]
    if not held:
        return None
    asked, right = zip(*held, strict=True)
    before, after = (_ranks(encoder, pages, asked, right, split) for encoder in (base, adapted))
    return Change(len(held), _figures(before), _figures(after), difference(1 / before, 1 / after))


def _ranks(
    encoder: Encoder, pages: Sequence[_Page], asked: Sequence[str], right: Sequence[int], split: _Split
) -> IntArray:
    """Rank of the right document by its best passage; ties count against it. Held-out questions are no passages."""
    texts = [page.says + split.kept(page.questions) for page in pages]
    sizes = np.array([len(own) for own in texts])
    matrix = encoder.encode_passages([text for own in texts for text in own])
    questions = encoder.encode_queries(asked)
    ranks = []
    for begin in range(0, len(asked), BLOCK):
        scores = questions[begin : begin + BLOCK] @ matrix.T
        best = np.maximum.reduceat(scores, np.cumsum(sizes) - sizes, axis=1)
        wanted = best[np.arange(len(best)), right[begin : begin + BLOCK]]
        ranks.append((best >= wanted[:, None]).sum(axis=1))
    return np.concatenate(ranks)


def _figures(ranks: IntArray) -> dict[str, Figure]:
    judged = [Judged((rank,), 1) for rank in ranks.tolist()]
    return {name: figure([METRICS[name](one) for one in judged]) for name in SHOWN}


def _report(
    base: Encoder,
    adapted: Encoder,
    pages: Sequence[_Page],
    split: _Split,
    corpus: Corpus,
    changes: dict[str, Change],
) -> AdaptReport:
    asked = [text for page in pages for _, text in page.asked()]
    held = sum(map(split.holds, asked))
    groups = {source.name: len(source.groups) for source in corpus.sources}
    questions = {"learnt": len(asked) - held, "held out": held}
    return AdaptReport(None, base.id, adapted.id, len(pages), questions, groups, changes, 0.0)
