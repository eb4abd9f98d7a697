"""A generation opened for searching."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.columns import Codes, Columns
from search.confidence import Calibration, read_calibration
from search.errors import IndexMismatch
from search.generation import Manifest, current_number, read_manifest, verify
from search.lexical import LexicalIndex, open_lexical
from search.passages import Records, document_of, passage_of
from search.spelling.speller import Speller, open_speller
from search.suggest import Completer, Completion
from search.types import Document, DocumentRef, Passage
from search.vectors import VectorIndex, open_vectors


@dataclass(frozen=True)
class Index:
    """Everything one generation holds; immutable, shared by all threads.

    `vectors` has a row per passage, `centroids` one per document; both are None without a usable encoder.
    """

    manifest: Manifest
    codes: Codes
    refs: tuple[DocumentRef, ...]
    columns: Columns
    lexical: LexicalIndex
    vectors: VectorIndex | None
    centroids: VectorIndex | None
    completer: Completer
    speller: Speller
    calibration: Calibration
    _documents: Records
    _passages: Records

    def document(self, number: int) -> Document:
        """The document by its number in this generation."""
        return document_of(self._documents[number])

    def passage(self, number: int) -> Passage:
        """The passage by its number in this generation."""
        return passage_of(self._passages[number])


@dataclass(frozen=True, slots=True)
class Expected:
    """What an index must have been made with to be searched by this process."""

    analyser: str
    encoder: str | None


def open_current(root: Path, expected: Expected) -> Index:
    """Open the generation that `current` names."""
    return open_index(root / str(current_number(root)), expected)


def open_index(folder: Path, expected: Expected) -> Index:
    """Open a generation after comparing every file with its checksum.

    Another analyser raises `IndexMismatch`; another encoder opens without vectors, to be searched
    lexically until the index is rebuilt.
    """
    manifest = read_manifest(folder)
    if manifest.analyser != expected.analyser:
        raise IndexMismatch(
            f"index {manifest.number} was made by analyser {manifest.analyser}, this is {expected.analyser}",
            "run `kb index build`",
        )
    verify(folder, manifest)
    same_encoder = manifest.encoder == expected.encoder
    return Index(
        manifest=manifest,
        refs=_refs(folder),
        codes=Codes(manifest.categories, manifest.products, manifest.tags),
        columns=Columns(np.load(folder / "columns.npy", allow_pickle=False), _tag_documents(folder, manifest)),
        lexical=open_lexical(manifest.lexical, folder / "lexical"),
        vectors=_open_vectors(folder / "vectors.npy", manifest) if same_encoder else None,
        centroids=_open_vectors(folder / "centroids.npy", manifest) if same_encoder else None,
        completer=Completer(_completions(folder)),
        speller=open_speller(folder),
        calibration=read_calibration(folder / "calibration.json"),
        _documents=Records(folder / "documents.jsonl"),
        _passages=Records(folder / "passages.jsonl"),
    )


def _open_vectors(path: Path, manifest: Manifest) -> VectorIndex | None:
    if not manifest.dimension:
        return None
    return open_vectors(manifest.vectors, np.load(path, mmap_mode="r", allow_pickle=False))


def _tag_documents(folder: Path, manifest: Manifest) -> dict[int, list[int]]:
    pairs = np.load(folder / "tags.npy", allow_pickle=False)
    by_tag: dict[int, list[int]] = {code: [] for code in range(len(manifest.tags))}
    for tag, document in pairs.tolist():
        by_tag[tag].append(document)
    return by_tag


def _refs(folder: Path) -> tuple[DocumentRef, ...]:
    records = Records(folder / "documents.jsonl")
    return tuple(
        DocumentRef(record["id"], record["version"]) for record in map(records.__getitem__, range(len(records)))
    )


def _completions(folder: Path) -> list[Completion]:
    records = Records(folder / "completions.jsonl")
    return [Completion(**records[number]) for number in range(len(records))]
