"""How probable it is that the first hit answers the question, and what to do about it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from search.errors import SearchError
from search.types import Audience, Decision, Evidence

WORDS_AS_MEANING = 0.7


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model over the evidence, and the thresholds chosen from its precision.

    `answer_public` and `answer_internal` are the least confidence to answer a bot's customer and an agent with,
    `candidate` the least to show anything at all. `documents` is how many there were when it was fitted; 0 is the one
    that ships.
    """

    bias: float = -10.09
    cosine: float = 0.0
    gist: float = 13.16
    coverage: float = 0.19
    margin: float = 14.12
    answer_public: float = 0.7
    answer_internal: float = 0.52
    candidate: float = 0.18
    documents: int = 0

    def probability(self, evidence: Evidence) -> float:
        """Calibrated probability in 0..1; weights are never negative, so it is monotone in the evidence."""
        # Without an encoder the words must stand for the meaning too, a little less surely.
        cosine = WORDS_AS_MEANING * evidence.coverage if evidence.cosine is None else evidence.cosine
        gist = cosine if evidence.cosine is None else evidence.gist
        return sigmoid(
            self.bias
            + self.cosine * cosine
            + self.gist * gist
            + self.coverage * evidence.coverage
            + self.margin * evidence.margin
        )

    def answer(self, audience: Audience) -> float:
        """The least confidence to answer this audience with: staff can judge for themselves, a customer cannot."""
        return self.answer_public if audience is Audience.PUBLIC else self.answer_internal


def sigmoid(value: float) -> float:
    """1 / (1 + exp(-value)), without overflow."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def decide(confidence: float, calibration: Calibration, audience: Audience) -> Decision:
    """What the confidence of the first hit allows."""
    if confidence >= calibration.answer(audience):
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


__all__ = ["Calibration", "decide", "read_calibration", "sigmoid", "write_calibration"]
