"""Make a generation: chunk, embed, write beside, seal, publish."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.chunking import passages as passages_of
from indexer.embedding import HASH_BYTES, centroids, embed, known_vectors, text_to_encode
from indexer.records import Record
from search.analysis import Analyzer
from search.columns import Codes, rows_of
from search.confidence import Calibration, write_calibration
from search.encoder import Encoder
from search.errors import SearchError
from search.generation import FORMAT, Manifest, current_number, next_number, seal, set_current, write_manifest
from search.lexical import write_lexical
from search.passages import document_record, passage_record, write_records
from search.spelling.vocabulary import Tally
from search.suggest import Completion, completions_of, syllables
from search.types import Document, FloatArray, IntArray, Kind, Passage, Role

Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and how much there is."""

TITLE_WEIGHT = 3
HEADING_WEIGHT = 2
KEPT_GENERATIONS = 2


def _silent(_stage: str, _done: int, _total: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build with: `outbox_id` is the last change the records contain, `uses` how often each was of use."""

    root: Path
    analyzer: Analyzer
    encoder: Encoder | None
    lexical: str = "whoosh"
    vectors: str = "faiss"
    outbox_id: int = 0
    calibration: Calibration = field(default_factory=Calibration)
    uses: Mapping[str, int] = field(default_factory=dict)
    progress: Progress = _silent


@dataclass(frozen=True, slots=True)
class _Corpus:
    documents: list[Document]
    passages: list[list[Passage]]

    def flat(self) -> Iterator[tuple[Document, Passage]]:
        for document, own in zip(self.documents, self.passages, strict=True):
            for passage in own:
                yield document, passage


def build_generation(records: Iterable[Record], plan: Plan) -> Manifest:
    """Build and publish the next generation; until the last step readers keep the one they have."""
    plan.root.mkdir(parents=True, exist_ok=True)
    corpus = _read(records, plan.progress)
    number = next_number(plan.root)
    beside = plan.root / f"{number}.building"
    beside.mkdir()
    try:
        manifest = _write(corpus, beside, number, plan)
        folder = beside.rename(plan.root / str(number))
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    assert folder.is_dir()
    set_current(plan.root, number)
    prune(plan.root)
    return manifest


def prune(root: Path) -> None:
    """Remove all but the newest generations, and what interrupted builds left."""
    current = current_number(root)
    for path in root.iterdir():
        name = path.name
        if name.endswith(".building") or (name.isdigit() and int(name) <= current - KEPT_GENERATIONS):
            shutil.rmtree(path)


def _read(records: Iterable[Record], progress: Progress) -> _Corpus:
    corpus = _Corpus([], [])
    for record in records:
        corpus.documents.append(record.document)
        corpus.passages.append(passages_of(record))
        if len(corpus.documents) % 50 == 0:
            progress("chunk", len(corpus.documents), 0)
    progress("chunk", len(corpus.documents), len(corpus.documents))
    return corpus


def _write(corpus: _Corpus, folder: Path, number: int, plan: Plan) -> Manifest:
    codes = Codes.of(corpus.documents)
    rows = rows_of(corpus.documents, corpus.passages, codes)
    np.save(folder / "columns.npy", rows, allow_pickle=False)
    np.save(folder / "tags.npy", _tag_pairs(corpus.documents, codes), allow_pickle=False)
    write_records(folder / "documents.jsonl", map(document_record, corpus.documents))
    write_records(folder / "passages.jsonl", (passage_record(passage) for _, passage in corpus.flat()))
    write_records(folder / "completions.jsonl", (asdict(entry) for entry in _completions(corpus, plan)))
    write_calibration(folder / "calibration.json", plan.calibration)
    _write_spelling(corpus, folder, plan)
    _write_lexical(corpus, folder / "lexical", len(rows), plan)
    _write_vectors(corpus, rows, folder, plan)
    plan.progress("seal", 0, 1)
    manifest = Manifest(
        format=FORMAT,
        number=number,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        analyser=plan.analyzer.id,
        lexical=plan.lexical,
        vectors=plan.vectors,
        encoder=plan.encoder.id if plan.encoder else "",
        dimension=plan.encoder.dimension if plan.encoder else 0,
        outbox_id=plan.outbox_id,
        documents=len(corpus.documents),
        passages=len(rows),
        categories=codes.categories,
        products=codes.products,
        tags=codes.tags,
        files=seal(folder),
    )
    write_manifest(folder, manifest)
    plan.progress("seal", 1, 1)
    return manifest


def weighted_terms(document: Document, passage: Passage, analyzer: Analyzer) -> list[str]:
    """The terms of a passage; a field that counts more is written more often.

    With one length for all fields this is BM25F: Robertson, Zaragoza and Taylor, "Simple BM25 Extension to
    Multiple Weighted Fields" (2004), section 4.
    """
    terms = analyzer.index_terms
    if passage.role is Role.TITLE:
        return terms(passage.text) * TITLE_WEIGHT + terms(" ".join((document.summary, *document.tags)))
    if passage.role is Role.QUESTION:
        return terms(passage.text)
    return terms(document.title) + terms(" ".join(passage.headings)) * HEADING_WEIGHT + terms(passage.text)


def _write_lexical(corpus: _Corpus, folder: Path, total: int, plan: Plan) -> None:
    def stream() -> Iterator[Sequence[str]]:
        for done, (document, passage) in enumerate(corpus.flat(), 1):
            yield weighted_terms(document, passage, plan.analyzer)
            if done % 200 == 0 or done == total:
                plan.progress("lexical", done, total)

    folder.mkdir()
    write_lexical(plan.lexical, folder, stream())


def _write_spelling(corpus: _Corpus, folder: Path, plan: Plan) -> None:
    tally = Tally(plan.analyzer, syllables, int(time.time()))
    for document, own in zip(corpus.documents, corpus.passages, strict=True):
        tally.add(document, own)
    tally.save(folder)


def _write_vectors(corpus: _Corpus, rows: NDArray[np.void], folder: Path, plan: Plan) -> None:
    if plan.encoder is None:
        np.save(folder / "vectors.npy", np.zeros((0, 0), np.float32), allow_pickle=False)
        np.save(folder / "centroids.npy", np.zeros((0, 0), np.float32), allow_pickle=False)
        np.save(folder / "hashes.npy", np.zeros((0, HASH_BYTES), np.uint8), allow_pickle=False)
        return
    texts = [text_to_encode(passage, plan.analyzer.fold) for _, passage in corpus.flat()]
    done = 0

    def report(rows: int) -> None:
        nonlocal done
        done += rows
        plan.progress("embed", done, len(texts))

    matrix, hashes = embed(texts, plan.encoder, _known(plan), report)
    np.save(folder / "vectors.npy", matrix, allow_pickle=False)
    np.save(folder / "centroids.npy", centroids(matrix, rows), allow_pickle=False)
    np.save(folder / "hashes.npy", hashes, allow_pickle=False)


def _known(plan: Plan) -> dict[bytes, FloatArray]:
    assert plan.encoder is not None
    try:
        folder = plan.root / str(current_number(plan.root))
    except SearchError:
        return {}
    return dict(known_vectors(folder, plan.encoder.id))


def _completions(corpus: _Corpus, plan: Plan) -> list[Completion]:
    """Titles and questions of what people may be offered, most used first; tickets are nobody's completion."""
    pairs = zip(corpus.documents, corpus.passages, strict=True)
    offered = ((d, own if d.kind is not Kind.TICKET else []) for d, own in pairs)
    entries = completions_of(offered, plan.analyzer.fold)
    return sorted(entries, key=lambda entry: -plan.uses.get(corpus.documents[entry.document].id, 0))


def _tag_pairs(documents: Sequence[Document], codes: Codes) -> IntArray:
    code = {tag: number for number, tag in enumerate(codes.tags)}
    pairs = [(code[tag], number) for number, document in enumerate(documents) for tag in document.tags]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
