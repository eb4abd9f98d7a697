"""Write a block of documents, and join blocks that have become many. What is in one is said in `search.blocks`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.chunking import passages as passages_of
from indexer.embedding import HASH_BYTES, KnownVectors, centroids, embed, text_to_encode
from indexer.plan import Plan
from indexer.records import Record
from indexer.terms import own_terms
from search.blocks import joined_rows, load_array, map_array
from search.columns import Codes, rows_of
from search.generation import Seals, seal, write_seals
from search.passages import Records, document_record, join_lines, passage_record, write_records, write_terms
from search.spelling import tally
from search.suggest import Completion, completions_of, most_used_first, syllables
from search.types import Document, FloatArray, IntArray, Kind, Passage

BLOCK_PASSAGES = 100_000
"""A block ends with the document that reaches this many passages: what is in memory at once while building."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The documents of one block and their passages."""

    documents: list[Document]
    passages: list[list[Passage]]

    def flat(self) -> Iterator[Passage]:
        """All passages in order."""
        return (passage for own in self.passages for passage in own)


def chunks(records: Iterable[Record], plan: Plan) -> Iterator[Chunk]:
    """Records cut into passages, in portions that fit in memory; at least one, which may be empty."""
    chunk, size, done = Chunk([], []), 0, 0
    for record in records:
        own = passages_of(record)
        chunk.documents.append(record.document)
        chunk.passages.append(own)
        size, done = size + len(own), done + 1
        if done % 50 == 0:
            plan.progress("chunk", done, max(plan.documents, done))
        if size >= BLOCK_PASSAGES:
            yield chunk
            chunk, size = Chunk([], []), 0
    plan.progress("chunk", done, done)
    if chunk.documents or not done:
        yield chunk


def write_block(folder: Path, chunk: Chunk, codes: Codes, known: KnownVectors, plan: Plan) -> None:
    """Write a block into a new folder, every file fsynced, their checksums last."""
    folder.mkdir(parents=True)
    rows = rows_of(chunk.documents, chunk.passages, codes)
    write_records(folder / "documents.jsonl", map(document_record, chunk.documents))
    write_records(folder / "passages.jsonl", map(passage_record, chunk.flat()))
    write_terms(folder / "terms.txt", _terms(chunk, plan))
    write_records(folder / "completions.jsonl", (entry._asdict() for entry in _completions(chunk, plan)))
    _save(folder / "ids.npy", np.array([document.id.encode() for document in chunk.documents], dtype=np.bytes_))
    _save(folder / "versions.npy", np.array([document.version for document in chunk.documents], dtype=np.int64))
    _save(folder / "columns.npy", rows)
    _save(folder / "tags.npy", _tag_pairs(chunk.documents, codes))
    _write_spelling(folder, chunk, plan)
    _write_vectors(folder, chunk, rows, known, plan)
    _seal(folder, plan.encoder.id if plan.encoder else "")


def join_blocks(parts: Sequence[Path], folder: Path, encoder: str) -> None:
    """Write what several blocks hold, in their order, as one block; `encoder` is the id of theirs."""
    folder.mkdir(parents=True)
    counts = [len(load_array(part / "ids.npy")) for part in parts]
    starts = np.cumsum([0, *counts]).tolist()
    for name in ("documents.jsonl", "passages.jsonl", "terms.txt"):
        join_lines(folder / name, [part / name for part in parts])
    write_records(folder / "completions.jsonl", (entry._asdict() for entry in _joined_completions(parts, starts)))
    for name in ("ids.npy", "versions.npy", "hashes.npy", "vectors.npy", "centroids.npy"):
        _save(folder / name, np.concatenate([map_array(part / name) for part in parts]))
    _save(folder / "columns.npy", joined_rows([load_array(part / "columns.npy") for part in parts], counts))
    pairs = [load_array(part / "tags.npy") + np.array([0, start]) for part, start in zip(parts, starts, strict=False)]
    _save(folder / "tags.npy", np.concatenate(pairs).astype(np.int64))
    tally.join(parts, folder)
    _seal(folder, encoder)


def _seal(folder: Path, encoder: str) -> None:
    write_seals(folder, Seals(encoder, seal(folder)))


def _save(path: Path, array: NDArray[np.generic]) -> None:
    np.save(path, array, allow_pickle=False)


def _terms(chunk: Chunk, plan: Plan) -> Iterator[tuple[list[str], list[str]]]:
    total = sum(map(len, chunk.passages))
    pairs = ((d, p) for d, own in zip(chunk.documents, chunk.passages, strict=True) for p in own)
    for done, (document, passage) in enumerate(pairs, 1):
        yield own_terms(document, passage, plan.analyzer)
        if done % 200 == 0 or done == total:
            plan.progress("words", done, total)


def _completions(chunk: Chunk, plan: Plan) -> list[Completion]:
    """Titles and questions of what people may be offered; tickets are nobody's completion."""
    pairs = enumerate(zip(chunk.documents, chunk.passages, strict=True))
    return most_used_first(
        entry
        for number, (document, own) in pairs
        if document.kind is not Kind.TICKET
        for entry in completions_of(number, own, plan.analyzer.fold, plan.uses.get(document.id, 0))
    )


def _joined_completions(parts: Sequence[Path], starts: Sequence[int]) -> list[Completion]:
    found = []
    for part, start in zip(parts, starts, strict=False):
        records = Records(part / "completions.jsonl")
        entries = (Completion(**records[number]) for number in range(len(records)))
        found += [entry._replace(document=start + entry.document) for entry in entries]
    return most_used_first(found)


def _write_spelling(folder: Path, chunk: Chunk, plan: Plan) -> None:
    counted = tally.Tally(plan.analyzer, syllables, int(time.time()))
    for document, own in zip(chunk.documents, chunk.passages, strict=True):
        counted.add(document, own)
    counted.save(folder)


def _write_vectors(folder: Path, chunk: Chunk, rows: NDArray[np.void], known: KnownVectors, plan: Plan) -> None:
    matrix, hashes = _vectors(chunk, known, plan)
    _save(folder / "vectors.npy", matrix)
    _save(folder / "centroids.npy", centroids(matrix, rows) if plan.encoder else np.zeros((0, 0), np.float32))
    _save(folder / "hashes.npy", hashes)


def _vectors(chunk: Chunk, known: KnownVectors, plan: Plan) -> tuple[FloatArray, NDArray[np.bytes_]]:
    if plan.encoder is None:
        return np.zeros((0, 0), np.float32), np.zeros(0, f"S{HASH_BYTES}")
    texts = [text_to_encode(passage, plan.analyzer.fold) for passage in chunk.flat()]
    done = 0

    def report(rows: int) -> None:
        nonlocal done
        done += rows
        plan.progress("embed", done, len(texts))

    return embed(texts, plan.encoder, known, report)


def _tag_pairs(documents: Sequence[Document], codes: Codes) -> IntArray:
    code = {tag: number for number, tag in enumerate(codes.tags)}
    pairs = [(code[tag], number) for number, document in enumerate(documents) for tag in document.tags]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
