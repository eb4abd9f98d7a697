"""A block: some documents with their passages, vectors and completions, in files that never change.

blocks/7-1/documents.jsonl passages.jsonl terms.txt ids.npy versions.npy columns.npy tags.npy
           vectors.npy centroids.npy hashes.npy completions.jsonl spelling.npz

Within a block documents and passages are counted from 0. A generation is several blocks one after another, of which
the first were written by a full build and the others by the changes since.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.passages import Records, Terms
from search.suggest import Completion, CompletionBlock
from search.types import IntArray
from search.vectors import VectorIndex, open_vectors

FOLDER = "blocks"


@dataclass(frozen=True)
class Block:
    """One block opened. `vectors` has a row per passage, `centroids` one per document; None without an encoder."""

    name: str
    documents: Records
    passages: Records
    terms: Terms
    ids: NDArray[np.bytes_]
    versions: IntArray
    rows: NDArray[np.void]
    tags: IntArray
    vectors: VectorIndex | None
    centroids: VectorIndex | None
    completions: CompletionBlock


def open_block(folder: Path, vectors: str) -> Block:
    """Open a block folder; `vectors` names the engine, "" for none."""
    records = Records(folder / "completions.jsonl")
    return Block(
        name=folder.name,
        documents=Records(folder / "documents.jsonl"),
        passages=Records(folder / "passages.jsonl"),
        terms=Terms(folder / "terms.txt"),
        ids=load_array(folder / "ids.npy"),
        versions=load_array(folder / "versions.npy"),
        rows=load_array(folder / "columns.npy"),
        tags=load_array(folder / "tags.npy"),
        vectors=_open_vectors(folder / "vectors.npy", vectors),
        centroids=_open_vectors(folder / "centroids.npy", vectors),
        completions=CompletionBlock([Completion(**records[number]) for number in range(len(records))]),
    )


def load_array(path: Path) -> Any:
    """A plain array from a file; nothing is ever unpickled."""
    return np.load(path, allow_pickle=False)


def map_array(path: Path) -> Any:
    """The same without reading it into memory."""
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _open_vectors(path: Path, engine: str) -> VectorIndex | None:
    return open_vectors(engine, map_array(path)) if engine else None


class Places:
    """Which part of a row of parts a number falls into."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self.starts = list(accumulate(lengths, initial=0))

    def find(self, number: int) -> tuple[int, int]:
        """(part, number within the part)."""
        part = bisect_right(self.starts, number) - 1
        return part, number - self.starts[part]


def rows_in(folder: Path, names: Sequence[str], file: str) -> list[int]:
    """How many rows an array has in each of some blocks of a generation folder."""
    return [len(map_array(folder / FOLDER / name / file)) for name in names]


def joined_rows(blocks: Sequence[NDArray[np.void]], documents: Sequence[int]) -> NDArray[np.void]:
    """The columns of blocks as one, documents counted through; `documents` are how many each block has."""
    rows = np.concatenate(blocks)
    starts = np.repeat(np.cumsum([0, *documents])[:-1], [len(block) for block in blocks])
    rows["document"] += starts.astype(np.int32)
    return rows
