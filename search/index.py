"""A generation opened for searching."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from search.blocks import FOLDER, Block, Places, joined_rows, load_array, open_block
from search.columns import Codes, Columns
from search.confidence import Calibration, read_calibration
from search.errors import IndexCorrupt, IndexMismatch
from search.generation import DEAD, Manifest, Stamp, current_number, read_manifest, verify
from search.lexical import LexicalIndex, open_lexical
from search.passages import document_of, passage_of
from search.spelling.speller import Speller
from search.spelling.vocabulary import Vocabulary, open_vocabulary, together
from search.suggest import Completer
from search.types import Audience, Document, DocumentRef, Passage
from search.vectors import VectorBlocks, VectorIndex

Vocabularies = Mapping[Audience, Vocabulary]


@dataclass(frozen=True)
class Index:
    """Everything one generation holds; immutable, shared by all threads.

    `vectors` has a row per passage, `centroids` one per document; both are None without a usable encoder. `built` is
    what the blocks of the last full build attest, `verified` the files whose checksums have been compared.
    """

    manifest: Manifest
    codes: Codes
    blocks: tuple[Block, ...]
    columns: Columns
    lexical: LexicalIndex
    vectors: VectorIndex | None
    centroids: VectorIndex | None
    completer: Completer
    speller: Speller
    calibration: Calibration
    built: Vocabularies
    verified: frozenset[Stamp]
    dead: frozenset[int]

    @cached_property
    def _documents(self) -> Places:
        return Places([len(block.documents) for block in self.blocks])

    @cached_property
    def _passages(self) -> Places:
        return Places([len(block.passages) for block in self.blocks])

    def document(self, number: int) -> Document:
        """The document by its number in this generation."""
        part, own = self._documents.find(number)
        return document_of(self.blocks[part].documents[own])

    def place(self, passage: int) -> tuple[Block, int]:
        """The block that holds a passage, and its number there."""
        part, own = self._passages.find(passage)
        return self.blocks[part], own

    def passage(self, number: int) -> Passage:
        """The passage by its number in this generation."""
        block, own = self.place(number)
        return passage_of(block.passages[own])

    def ref(self, document: int) -> DocumentRef:
        """Id and version of a document by its number."""
        part, own = self._documents.find(document)
        block = self.blocks[part]
        return DocumentRef(block.ids[own].decode(), int(block.versions[own]))

    def refs(self) -> Iterator[DocumentRef]:
        """Every document that can be found."""
        return (self.ref(number) for number in range(self._documents.starts[-1]) if number not in self.dead)


@dataclass(frozen=True, slots=True)
class Expected:
    """What an index must have been made with to be searched by this process."""

    analyser: str
    encoder: str | None


def open_current(root: Path, expected: Expected, before: Index | None = None) -> Index:
    """Open the generation that `current` names, which may become another while it is being opened."""
    while True:
        number = current_number(root)
        try:
            return open_index(root / str(number), expected, before)
        except IndexCorrupt:
            if current_number(root) == number:
                raise


def open_index(folder: Path, expected: Expected, before: Index | None = None) -> Index:
    """Open a generation after comparing every file with its checksum.

    What `before` has open and the generation shares with it is neither compared nor opened again. Another analyser
    raises `IndexMismatch`; another encoder opens without vectors, to be searched lexically until the index is rebuilt.
    """
    manifest = read_manifest(folder)
    if manifest.analyser != expected.analyser:
        raise IndexMismatch(
            f"index {manifest.number} was made by analyser {manifest.analyser}, this is {expected.analyser}",
            "run `kb index build`",
        )
    verified = verify(folder, manifest, before.verified if before else frozenset())
    engine = manifest.vectors if manifest.dimension and manifest.encoder == expected.encoder else ""
    blocks = _blocks(folder, manifest, engine, before)
    built = _built(folder, manifest, before)
    dead = frozenset(load_array(folder / DEAD).tolist())
    return Index(
        manifest=manifest,
        codes=Codes(manifest.categories, manifest.products, manifest.tags),
        blocks=blocks,
        columns=_columns(blocks, dead),
        lexical=open_lexical(manifest.lexical, folder / "lexical"),
        vectors=_joined([block.vectors for block in blocks]),
        centroids=_joined([block.centroids for block in blocks]),
        completer=_completer(blocks),
        speller=Speller(_attested(folder, manifest, built)),
        calibration=read_calibration(folder / "calibration.json"),
        built=built,
        verified=verified,
        dead=dead,
    )


def _blocks(folder: Path, manifest: Manifest, engine: str, before: Index | None) -> tuple[Block, ...]:
    # The name of a block is never given twice, so that one that is open already is the same.
    is_open = {block.name: block for block in before.blocks if bool(engine) == bool(block.vectors)} if before else {}
    return tuple(is_open.get(name) or open_block(folder / FOLDER / name, engine) for name in manifest.blocks)


def _columns(blocks: Sequence[Block], dead: frozenset[int]) -> Columns:
    counts = [len(block.documents) for block in blocks]
    starts = Places(counts).starts
    tags = [block.tags + np.array([0, start]) for block, start in zip(blocks, starts, strict=False)]
    return Columns(joined_rows([block.rows for block in blocks], counts), np.concatenate(tags), dead)


def _joined(parts: Sequence[VectorIndex | None]) -> VectorIndex | None:
    return VectorBlocks([part for part in parts if part is not None]) if None not in parts else None


def _completer(blocks: Sequence[Block]) -> Completer:
    starts = Places([len(block.documents) for block in blocks]).starts
    return Completer([(start, block.completions) for start, block in zip(starts, blocks, strict=False)])


def _built(folder: Path, manifest: Manifest, before: Index | None) -> Vocabularies:
    if before and before.manifest.built == manifest.built:
        return before.built
    return together([open_vocabulary(folder / FOLDER / name) for name in manifest.blocks[: manifest.built_blocks]])


def _attested(folder: Path, manifest: Manifest, built: Vocabularies) -> Vocabularies:
    """What the built blocks attest together with those that were added since."""
    added = [open_vocabulary(folder / FOLDER / name) for name in manifest.blocks[manifest.built_blocks :]]
    return together([built, *added]) if added else built


__all__ = ["Expected", "Index", "open_current", "open_index"]
