"""The material of a run, made of the corpus by the product's own analysis and encoder."""

from __future__ import annotations

import json
import pickle
import random
import string
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.corpus import Size, records
from benchmarks.peers.material import (
    CHANGED_VECTORS,
    CHANGES,
    PASSAGES,
    QUESTION_VECTORS,
    QUESTIONS,
    VECTORS,
    Change,
    Material,
    Passage,
    Question,
    Vectors,
    write,
)
from indexer.chunking import passages
from indexer.embedding import text_to_encode
from indexer.records import Record
from indexer.terms import own_terms, weighted_terms
from search.analysis import Analyzer
from search.encoder import Encoder, load_encoder
from search.lexicon import shipped_lexicon
from search.types import FOREVER

CHANGED = 10
SOURCE, CHANGED_RECORDS = "source.json", "changed.pickle"
PAGES = ("oss", "cdn", "vod")
"""Categories of the Chinese help centre."""
WITHIN = 10_000_000
"""Articles of the corpus that the pages are taken from, in order, until there are enough."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """How much there is, and the seconds that terms and vectors took, which every system needs."""

    documents: int
    passages: int
    tokens: float
    questions: int
    seconds: float


def prepare(material: Material, data: Path, wanted: int, asked: int) -> Prepared:
    """Write help-centre articles of at least `wanted` passages together, `asked` questions, and a few changes.

    The articles' own questions are what is asked, half of them half typed, and are not among the passages.
    """
    analyzer, encoder = Analyzer(shipped_lexicon()), load_encoder()
    made = list(_enough(data, wanted))
    (material.folder / SOURCE).write_text(json.dumps({"data": str(data), "documents": len(made)}))
    started = time.perf_counter()
    plain = [_plain(record) for record in made]
    rows = [Passage(number, tokens) for number, record in enumerate(plain) for tokens in terms(record, analyzer)]
    vectors = _vectors(plain, analyzer, encoder)
    spent = time.perf_counter() - started
    write(material.folder / PASSAGES, rows)
    np.save(material.folder / VECTORS, vectors)
    kept = _write_questions(material, _typed(made), asked, analyzer, encoder)
    _write_changes(material, plain, analyzer, encoder)
    tokens = sum(row.tokens.count(" ") + 1 for row in rows) / len(rows)
    return Prepared(len(made), len(rows), tokens, kept, spent)


def sources(material: Material) -> Iterator[Record]:
    """The records of the material once more, one by one."""
    source = json.loads((material.folder / SOURCE).read_text())
    return map(_plain, islice(_pages(Path(source["data"])), source["documents"]))


def changed_records(material: Material) -> dict[str, Record]:
    """The records that the changes make, by their word."""
    found: dict[str, Record] = pickle.loads((material.folder / CHANGED_RECORDS).read_bytes())
    return found


def terms(record: Record, analyzer: Analyzer) -> list[str]:
    """The terms of each passage, joined by single spaces, weighted fields repeated as the product does it."""
    own = [(passage.role, *own_terms(record.document, passage, analyzer)) for passage in passages(record)]
    return [" ".join(weighted_terms(role, own[0][1], text, beside)) for role, text, beside in own]


def _enough(data: Path, wanted: int) -> Iterator[Record]:
    found = 0
    for record in _pages(data):
        if found >= wanted:
            return
        found += len(passages(_plain(record)))
        yield record


def _pages(data: Path) -> Iterator[Record]:
    return (record for record in records(data, Size(WITHIN, 0)) if record.document.category in PAGES)


def _plain(record: Record) -> Record:
    """Title and text, valid for ever: the peers know no validity, and nothing may be hidden from one side only."""
    document = replace(record.document, valid_from=0, valid_until=FOREVER)
    return replace(record, document=document, questions=())


def _typed(made: Sequence[Record]) -> list[str]:
    """What is asked about the articles in no order, every other one as far as it has been typed at some moment."""
    chance = random.Random(7)
    texts = [chance.choice(record.questions) for record in chance.sample(made, len(made))]
    halves = [text[: chance.randint(2, max(2, len(text)))] for text in texts]
    return [half if number % 2 else text for number, (text, half) in enumerate(zip(texts, halves, strict=True))]


def _changed(record: Record, word: str) -> Record:
    document = record.document
    return replace(record, document=replace(document, version=document.version + 1, title=f"{word} {document.title}"))


def _vectors(made: Sequence[Record], analyzer: Analyzer, encoder: Encoder) -> Vectors:
    return encoder.encode_passages([text_to_encode(p, analyzer.fold) for record in made for p in passages(record)])


def _write_questions(material: Material, texts: Sequence[str], asked: int, analyzer: Analyzer, encoder: Encoder) -> int:
    """Write those that have a term; how many there are."""
    distinct = [Question(text, " ".join(analyzer.index_terms(text))) for text in dict.fromkeys(texts)]
    kept = [question for question in distinct if question.tokens][:asked]
    write(material.folder / QUESTIONS, kept)
    rows = encoder.encode_queries([analyzer.fold(question.text) for question in kept])
    np.save(material.folder / QUESTION_VECTORS, rows)
    return len(kept)


def _write_changes(material: Material, made: Sequence[Record], analyzer: Analyzer, encoder: Encoder) -> None:
    first = np.cumsum([0, *(len(passages(record)) for record in made)])
    changes, vectors, becomes, row = list[Change](), list[Vectors](), dict[str, Record](), 0
    for number in range(0, len(made), max(1, len(made) // CHANGED))[:CHANGED]:
        word = "qx" + string.ascii_lowercase[len(changes)] * 5
        becomes[word] = record = _changed(made[number], word)
        tokens = terms(record, analyzer)
        keys = tuple(range(int(first[number]), int(first[number]) + len(tokens)))
        changes.append(Change(number, word, keys, tuple(tokens), row))
        vectors.append(_vectors([record], analyzer, encoder))
        row += len(tokens)
    write(material.folder / CHANGES, changes)
    np.save(material.folder / CHANGED_VECTORS, np.concatenate(vectors))
    (material.folder / CHANGED_RECORDS).write_bytes(pickle.dumps(becomes))
