"""What every system is given: the same passages, tokens, vectors and questions. Needs NumPy alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
_T = TypeVar("_T")

VECTORS, QUESTION_VECTORS, CHANGED_VECTORS = "vectors.npy", "questions.npy", "changed.npy"
PASSAGES, QUESTIONS, CHANGES = "passages.jsonl", "questions.jsonl", "changes.jsonl"


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of document number `document`: its terms, joined by single spaces."""

    document: int
    tokens: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is typed, and its terms joined by single spaces."""

    text: str
    tokens: str


@dataclass(frozen=True, slots=True)
class Change:
    """A document that becomes another text: numbers and new terms of its passages.

    Only the new text holds `word`. `first` is the row of its first passage among the changed vectors.
    """

    document: int
    word: str
    passages: tuple[int, ...]
    tokens: tuple[str, ...]
    first: int


@dataclass(frozen=True, slots=True)
class Material:
    """The folder that one run works on."""

    folder: Path

    def passages(self) -> list[Passage]:
        """Every passage; its number is its place."""
        return _read(self.folder / PASSAGES, Passage)

    def vectors(self) -> Vectors:
        """Unit vectors, a row per passage."""
        rows: Vectors = np.load(self.folder / VECTORS)
        return rows

    def questions(self) -> list[tuple[Question, Vectors]]:
        """Every question with its unit vector."""
        return list(zip(_read(self.folder / QUESTIONS, Question), np.load(self.folder / QUESTION_VECTORS), strict=True))

    def changes(self) -> list[tuple[Change, Vectors]]:
        """Every change with the unit vectors of its passages."""
        rows = np.load(self.folder / CHANGED_VECTORS)
        found = _read(self.folder / CHANGES, Change)
        return [(change, rows[change.first : change.first + len(change.passages)]) for change in found]


def write(path: Path, rows: Iterable[Any]) -> None:
    """One JSON object a line."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")


def _read(path: Path, kind: type[_T]) -> list[_T]:
    with path.open(encoding="utf-8") as file:
        return [kind(**json.loads(line)) for line in file]


def exact(vectors: Vectors, question: Vectors, n: int) -> float:
    """The cosine of the n-th nearest passage, found by comparing all."""
    cosines = vectors @ question
    return float(np.partition(cosines, -n)[-n])


def recall(vectors: Vectors, question: Vectors, found: Sequence[int], n: int) -> float:
    """The share of the n nearest that was found; any passage as near as the n-th counts, since copies tie."""
    least = exact(vectors, question, n) - 1e-5
    return float(np.sum(vectors[list(dict.fromkeys(found))[:n]] @ question >= least)) / n
