"""Passages to vectors, never computing twice what a content hash can tell."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.blocks import load_array, map_array
from search.encoder import Encoder
from search.errors import SearchError
from search.generation import read_seals, verify_files
from search.types import BoolArray, FloatArray, IntArray, Passage, Role

BATCH = 2048
TITLE_WEIGHT = 2.0
BODY_WEIGHT = 2.0
"""Of the sections together: a long article is no less about its title and questions than a short one."""
HASH_BYTES = 16
Hashes = NDArray[np.bytes_]


def text_to_encode(passage: Passage, fold: Callable[[str], str]) -> str:
    """What is embedded: a section together with its headings."""
    text = passage.text if passage.role is not Role.SECTION else "\n".join((*passage.headings, passage.text))
    return fold(text)


def content_hashes(texts: Iterable[str]) -> Hashes:
    """HASH_BYTES bytes that stand for each text."""
    digests = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:HASH_BYTES] for text in texts)
    return np.array(list(digests), dtype=f"S{HASH_BYTES}")


@dataclass(frozen=True, slots=True)
class _KnownPart:
    """Sorted hashes, and the row of `matrix` that each stands for."""

    hashes: Hashes
    rows: IntArray
    matrix: FloatArray


class KnownVectors:
    """Vectors of passages embedded before, by content hash."""

    def __init__(self) -> None:
        self._parts: list[_KnownPart] = []

    def add_block(self, folder: Path, encoder_id: str) -> None:
        """The vectors of a block; nothing when it is of another encoder or damaged."""
        try:
            seals = read_seals(folder)
            if seals.encoder == encoder_id:
                verify_files(folder, {name: seals.files[name] for name in ("hashes.npy", "vectors.npy")})
                self._add(load_array(folder / "hashes.npy"), map_array(folder / "vectors.npy"))
        except (SearchError, KeyError):
            # Only a saving: a block that cannot be trusted is no reason not to build the next.
            return

    def _add(self, hashes: Hashes, matrix: FloatArray) -> None:
        order = np.argsort(hashes)
        self._parts.append(_KnownPart(hashes[order], order, matrix))

    def fill(self, hashes: Hashes, matrix: FloatArray) -> BoolArray:
        """Write the rows that are known into `matrix`; which of them were."""
        known = np.zeros(len(hashes), dtype=np.bool_)
        for part in self._parts:
            places = np.minimum(np.searchsorted(part.hashes, hashes), max(len(part.hashes) - 1, 0))
            new = ~known & (part.hashes[places] == hashes) if len(part.hashes) else np.zeros_like(known)
            matrix[new] = part.matrix[part.rows[places[new]]]
            known |= new
        return known


def embed(
    texts: Sequence[str], encoder: Encoder, known: KnownVectors, progress: Callable[[int], None]
) -> tuple[FloatArray, Hashes]:
    """Unit vectors (n, dimension) and the content hashes of the texts; `progress` is told rows done."""
    hashes = content_hashes(texts)
    matrix = np.zeros((len(texts), encoder.dimension), dtype=np.float32)
    missing = np.flatnonzero(~known.fill(hashes, matrix))
    progress(len(texts) - len(missing))
    _, firsts, copies = np.unique(hashes[missing], return_index=True, return_inverse=True)
    # Distinct texts in the order in which they stand, so that equal content makes equal files.
    order = np.argsort(firsts)
    rank = np.argsort(order)
    distinct = missing[firsts[order]]
    for start in range(0, len(distinct), BATCH):
        batch = distinct[start : start + BATCH]
        rows = encoder.encode_passages([texts[number] for number in batch.tolist()])
        own = (rank[copies] >= start) & (rank[copies] < start + BATCH)
        matrix[missing[own]] = rows[rank[copies[own]] - start]
        progress(int(own.sum()))
    return matrix, hashes


def centroids(matrix: FloatArray, rows: NDArray[np.void]) -> FloatArray:
    """Unit vectors (documents, dimension): what each document says as a whole.

    The weighted mean of its passages: the title TITLE_WEIGHT, each question 1, all sections together BODY_WEIGHT.
    Passages for a narrower audience than the title's are left out, so that nobody's ranking tells of them.
    `rows` are the passages' columns, in the order of `matrix`.
    """
    documents = rows["document"].astype(np.int64)
    count = int(documents[-1]) + 1 if len(documents) else 0
    first = np.searchsorted(documents, np.arange(count))
    shown = rows["audience"] == rows["audience"][first][documents]
    sections = shown & (rows["role"] == Role.SECTION)
    of_document = np.bincount(documents[sections], minlength=count)[documents]
    weight = np.select(
        [~shown, rows["role"] == Role.TITLE, sections],
        [0.0, TITLE_WEIGHT, BODY_WEIGHT / np.maximum(of_document, 1)],
        1.0,
    )
    means = np.zeros((count, matrix.shape[1]), dtype=np.float32)
    for start in range(0, len(documents), BATCH):
        part = slice(start, start + BATCH)
        np.add.at(means, documents[part], matrix[part] * weight[part, None].astype(np.float32))
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    unit: FloatArray = np.divide(means, lengths, out=np.zeros_like(means), where=lengths > 0)
    return unit
