"""How probable it is that the first hit answers the question, and what to do about it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from search.errors import SearchError
from search.types import Decision

WORDS_AS_MEANING = 0.7


@dataclass(frozen=True, slots=True)
class Evidence:
    """What confidence is judged by; each is larger when the answer is more likely right.

    cosine: best of the document, 0..1, None without an encoder; coverage: share of the question's information (idf)
    that the document's passages hold, 0..1; margin: lead over the next document's score, 0..1.
    """

    cosine: float | None
    coverage: float
    margin: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model over the evidence, and the thresholds chosen from its precision."""

    bias: float = -5.68
    cosine: float = 7.57
    coverage: float = 0.98
    margin: float = 3.29
    answer: float = 0.62
    candidate: float = 0.3

    def probability(self, evidence: Evidence) -> float:
        """Calibrated probability in 0..1; weights are never negative, so it is monotone in the evidence."""
        # Without an encoder the words must stand for the meaning too, a little less surely.
        cosine = WORDS_AS_MEANING * evidence.coverage if evidence.cosine is None else evidence.cosine
        return sigmoid(
            self.bias + self.cosine * cosine + self.coverage * evidence.coverage + self.margin * evidence.margin
        )


def sigmoid(value: float) -> float:
    """1 / (1 + exp(-value)), without overflow."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def decide(confidence: float, calibration: Calibration) -> Decision:
    """What the confidence of the first hit allows."""
    if confidence >= calibration.answer:
        return Decision.ANSWER
    return Decision.CANDIDATES if confidence >= calibration.candidate else Decision.ABSTAIN


def read_calibration(path: Path) -> Calibration:
    """The calibration stored with an index or shipped with the encoder."""
    try:
        return Calibration(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise SearchError(f"{path} is no calibration: {error}", "run `kb calibrate`") from error


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Store a calibration as JSON."""
    path.write_text(json.dumps(asdict(calibration), indent=1) + "\n", "utf-8")


__all__ = ["Calibration", "Evidence", "decide", "read_calibration", "sigmoid", "write_calibration"]
