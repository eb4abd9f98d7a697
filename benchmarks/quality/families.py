"""The families by name, and how one is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.quality import confidence, cost, english, golden, helpcenter, intents, similarity
from benchmarks.quality.harness import Report, Setup, setup_of

FAMILIES: dict[str, Callable[[Setup], Report]] = {
    "golden": golden.run,
    "intents": intents.run,
    "helpcenter": helpcenter.run,
    "banking77": english.banking,
    "clinc": english.clinc,
    "similarity": similarity.run,
    "confidence": confidence.run,
    "cost": cost.run,
}


def run(data: Path | None, encoder: str, name: str) -> Report:
    """One family in this process."""
    return FAMILIES[name](setup_of(data, encoder))
