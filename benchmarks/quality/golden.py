"""The shipped articles asked the golden questions of tests/golden.jsonl, as `kb eval` does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.quality.harness import Asked, Measured, Report, Setup, halves_table, shown, table
from kb_app import evaluating, indexing, syncing
from kb_app.evaluating import Outcome
from kb_app.kb import Kb, open_kb
from kb_app.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
STOPPED_AT = 1_795_600_000.0
"""Some articles hold until a date, so the clock stands still."""


def run(_setup: Setup) -> Report:
    questions = evaluating.read_set(ROOT / "tests" / "golden.jsonl")
    with shipped() as kb:
        halves = {half: evaluating.run(kb, questions, half) for half in evaluating.HALVES}
    found = _measured(halves)
    text = [
        f"## The shipped content, {len(found.asked)} golden questions",
        halves_table(found, ("R@1", "R@5"), {}),
        _trusted(evaluating.trust(halves["hybrid"]), halves["hybrid"]),
    ]
    return Report("\n\n".join(text), (found,))


@contextmanager
def shipped() -> Iterator[Kb]:
    """The shipped articles synced and indexed in a temporary KB_HOME."""
    with tempfile.TemporaryDirectory() as home:
        fixed = {"KB_HOME": home, "KB_ARTICLES": str(ROOT / "articles"), "KB_ARTICLES_WRITE": "0"}
        kb = open_kb(load_settings(fixed), lambda: STOPPED_AT)
        try:
            kb.database.migrate()
            syncing.sync(kb)
            indexing.build(kb)
            yield kb
        finally:
            kb.close()


def _measured(halves: Mapping[str, Sequence[Outcome]]) -> Measured:
    kept = {half: [o for o in outcomes if o.golden.relevant] for half, outcomes in halves.items()}
    asked = tuple(Asked(o.golden.query, o.golden.relevant, o.golden.tags) for o in kept["hybrid"])
    judged = {half: tuple(o.judged for o in own) for half, own in kept.items()}
    return Measured("golden", asked, judged, tuple(o.confidence for o in kept["hybrid"]))


def _trusted(trust: evaluating.Trust, outcomes: Sequence[Outcome]) -> str:
    risks = "; ".join(f"{risk:.3f} at {coverage:.1f}" for coverage, risk in trust.risk.items())
    rows = [
        ["wrong first answers by coverage", risks],
        ["expected calibration error, debiased", shown(trust.calibration)],
        ["Brier score (of a constant)", f"{trust.brier:.3f} ({trust.constant:.3f})"],
        ["abstained where there is no answer", shown(evaluating.abstained(outcomes))],
    ]
    if trust.abstained:
        rows.append(["refused without an answer at 95% acceptance", shown(trust.abstained)])
    return table(["confidence of first hits", "both"], rows)
