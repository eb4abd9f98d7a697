"""Rounds of a fault test: each has a seed of its own, and a log lets a long run be stopped and taken up again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

SEED = "KB_FAULT_SEED"
ROUNDS = "KB_FAULT_ROUNDS"
LOG = "KB_FAULT_LOG"
PATIENCE = "KB_FAULT_PATIENCE"


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a test. The same test, number and `KB_FAULT_SEED` draw the same numbers."""

    test: str
    number: int
    seed: str

    @property
    def random(self) -> Random:
        """A fresh generator at the start of this round's numbers."""
        return Random(f"{self.seed}/{self.test}/{self.number}")

    @contextmanager
    def logged(self) -> Iterator[dict[str, Any]]:
        """Run the round; what it puts into the dict goes into its line of the log, failed or not."""
        found: dict[str, Any] = {}
        started = time.monotonic()
        try:
            yield found
        except BaseException as error:
            self._write(found, started, f"{type(error).__name__}: {error}"[:2000])
            error.add_note(f"{self}: again with {SEED}={self.seed}; {found}")
            raise
        self._write(found, started, "")

    def _write(self, found: dict[str, Any], started: float, problem: str) -> None:
        if LOG not in os.environ:
            return
        line = {"test": self.test, "round": self.number, "seed": self.seed, "ok": not problem, "problem": problem}
        line |= {"seconds": round(time.monotonic() - started, 2), **found}
        # One write in append mode: lines of parallel runs never mix.
        with Path(os.environ[LOG]).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")


def patience() -> float:
    """What limits of time are multiplied with: 1, which is what is promised, or KB_FAULT_PATIENCE on a busy machine."""
    return float(os.environ.get(PATIENCE, "1"))


def rounds(test: str, few: int) -> Iterator[Round]:
    """`few` rounds, or KB_FAULT_ROUNDS of them, without those that the log says have passed."""
    seed, count = os.environ.get(SEED, "1"), int(os.environ.get(ROUNDS, few))
    passed = _passed(test, seed)
    return (Round(test, number, seed) for number in range(1, count + 1) if number not in passed)


def _passed(test: str, seed: str) -> set[int]:
    path = Path(os.environ.get(LOG, ""))
    if not path.is_file():
        return set()
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {line["round"] for line in lines if line["test"] == test and line["seed"] == seed and line["ok"]}
