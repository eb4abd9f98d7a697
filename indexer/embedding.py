"""Passages to vectors, never computing twice what a content hash can tell."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from search.encoder import Encoder
from search.errors import SearchError
from search.generation import read_manifest, verify
from search.types import FloatArray, Passage, Role

BATCH = 2048
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
