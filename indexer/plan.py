"""What to build an index with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from search.analysis import Analyzer
from search.confidence import Calibration
from search.encoder import Encoder

Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and how much there is (0 while that is unknown)."""


def silent(_stage: str, _done: int, _total: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build with.

    `lexical` names the engine, or `auto` for the one that suits the size. `outbox_id` is the last change the records
    contain, `uses` how often each document was of use, `documents` how many are to come, 0 where nobody knows.
    """

    root: Path
    analyzer: Analyzer
    encoder: Encoder | None
    lexical: str = "auto"
    vectors: str = "faiss"
    outbox_id: int = 0
    calibration: Calibration = field(default_factory=Calibration)
    uses: Mapping[str, int] = field(default_factory=dict)
    documents: int = 0
    progress: Progress = silent
