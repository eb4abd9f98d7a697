"""What understanding a question costs: analysis and encoding inside the engine, and the encoder on disk."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.quality.golden import ROOT, shipped
from benchmarks.quality.harness import Report, Setup, ask, table
from kb_app import evaluating
from search.encoder import SHIPPED_FOLDER
from search.engine import Engine

WARM = 50


def run(_setup: Setup) -> Report:
    texts = [golden.query for golden in evaluating.read_set(ROOT / "tests" / "golden.jsonl")]
    with shipped() as kb:
        for text in texts[:WARM]:
            _milliseconds(kb.engine, text)
        times = sorted(_milliseconds(kb.engine, text) for text in texts)
    size = sum(file.stat().st_size for file in SHIPPED_FOLDER.rglob("*") if file.is_file())
    rows = [
        ["analysis and encoding of a question, p50", f"{statistics.median(times):.2f} ms", "1 ms"],
        ["the same, p95", f"{_percentile(times, 0.95):.2f} ms", ""],
        ["encoder on disk", f"{size / 1e6:.1f} MB", "20 MB"],
    ]
    return Report("## Cost\n\n" + table([f"{len(texts)} questions to the shipped content", "", "goal"], rows))


def _milliseconds(engine: Engine, text: str) -> float:
    timing = ask(engine, text, 1).timing_ms
    return timing["analyse"] + timing["encode"]


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
