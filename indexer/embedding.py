"""Passages to vectors, never computing twice what a content hash can tell."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.encoder import Encoder
from search.errors import SearchError
from search.generation import read_manifest, verify
from search.types import FloatArray, Passage, Role

BATCH = 2048
TITLE_WEIGHT = 2.0
BODY_WEIGHT = 2.0
"""Of the sections together: a long article is no less about its title and questions than a short one."""
HASH_BYTES = 16


def text_to_encode(passage: Passage, fold: Callable[[str], str]) -> str:
    """What is embedded: a section together with its headings."""
    text = passage.text if passage.role is not Role.SECTION else "\n".join((*passage.headings, passage.text))
    return fold(text)


def content_hash(text: str) -> bytes:
    """HASH_BYTES bytes that stand for the text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:HASH_BYTES]


def known_vectors(folder: Path, encoder_id: str) -> Mapping[bytes, FloatArray]:
    """Vectors of an earlier generation by content hash; empty when it is of another encoder or damaged."""
    try:
        manifest = read_manifest(folder)
        if manifest.encoder != encoder_id:
            return {}
        verify(folder, manifest)
    except SearchError:
        # Only a saving: a generation that cannot be trusted is no reason not to build the next.
        return {}
    hashes = np.load(folder / "hashes.npy", allow_pickle=False)
    matrix = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
    return {row.tobytes(): matrix[number] for number, row in enumerate(hashes)}


def embed(
    texts: Sequence[str], encoder: Encoder, known: Mapping[bytes, FloatArray], progress: Callable[[int], None]
) -> tuple[FloatArray, np.ndarray[tuple[int, int], np.dtype[np.uint8]]]:
    """Unit vectors (n, dimension) and content hashes (n, HASH_BYTES); `progress` is told rows done."""
    hashes = [content_hash(text) for text in texts]
    matrix = np.zeros((len(texts), encoder.dimension), dtype=np.float32)
    new: dict[bytes, list[int]] = {}
    for number, digest in enumerate(hashes):
        if digest in known:
            matrix[number] = known[digest]
        else:
            new.setdefault(digest, []).append(number)
    groups = list(new.values())
    progress(len(texts) - len(groups))
    for start in range(0, len(groups), BATCH):
        batch = groups[start : start + BATCH]
        for rows, vector in zip(batch, encoder.encode_passages([texts[rows[0]] for rows in batch]), strict=True):
            matrix[rows] = vector
        progress(len(batch))
    packed = np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(len(texts), HASH_BYTES)
    return matrix, packed


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
