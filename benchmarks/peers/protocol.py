"""What a system must be able to do to be measured."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from benchmarks.peers.material import Change, Material, Question, Vectors

TOP = 10


def updated(document: int) -> int:
    """The number of a document in another version than the one that was opened."""
    return -1 - document


class System(Protocol):
    """One way to search. Made anew in every process, which calls either `build` or `open`, once.

    Results are numbers: of passages, or of documents where `answers_documents`, changed ones as `updated` has it.
    """

    answers_documents: bool

    def configuration(self) -> str:
        """Version and settings, in a sentence."""
        ...

    def build(self, material: Material, folder: Path) -> None:
        """Make the index on disk of the passages' terms and vectors."""
        ...

    def open(self, folder: Path, material: Material) -> None:
        """Open what `build` left."""
        ...

    def query(self, question: Question, vector: Vectors) -> list[int]:
        """The best TOP by both terms and vectors."""
        ...

    def nearest(self, question: Question, vector: Vectors) -> list[int]:
        """The TOP nearest passages by vectors alone."""
        ...

    def inner(self) -> float | None:
        """Milliseconds of the last query that went into lexical search, vector search and fusion, where known."""
        ...

    def update(self, change: Change, vectors: Vectors) -> None:
        """Replace a document; return when a query may find it."""
        ...

    def keep(self) -> None:
        """Make the updates so far survive a crash, where `update` does not."""
        ...

    def exhaust(self) -> None:
        """From now on approximate nothing, for comparison."""
        ...
