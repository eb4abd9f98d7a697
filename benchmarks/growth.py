"""From ten thousand to a million passages: `python -m benchmarks.growth --data FOLDER [--svg FILE]`.

Each size is built and asked in processes of its own, so that the memory is its own: seconds to build and to open, the
most memory while building and while asking, milliseconds a question takes (one thread, mode typing), and how many of
the ten nearest passages by an exact comparison the vector search finds. The exponent is the slope of the last half in
double logarithms: 1 grows with the size, 0 does not grow.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.corpus import Size, questions, records
from indexer.build import Plan, build_generation
from search.analysis import Analyzer
from search.columns import Filter
from search.encoder import load_encoder
from search.engine import Engine
from search.index import Index
from search.lexicon import shipped_lexicon
from search.types import Audience, Mode, Query, everything

SIZES = ((410, 2_040), (1_230, 6_120), (4_100, 20_400), (12_300, 61_200), (41_000, 204_000))
"""Articles and tickets that make about 10,000, 30,000, 100,000, 300,000 and 1,000,000 passages."""
NOW = 1_790_000_000
ASKED, COMPARED, BEST = 400, 50, 10
Figures = dict[str, float]
COLUMNS = {
    "build_s": "build, s",
    "build_mb": "memory building, MB",
    "disk_mb": "on disk, MB",
    "open_s": "open, s",
    "ask_mb": "memory asking, MB",
    "p50": "p50, ms",
    "p95": "p95, ms",
    "search_p95": "search part p95, ms",
    "recall": "recall@10 of vectors",
}
DRAWN = ("build_s", "ask_mb", "p50", "p95")
_WIDE, _HIGH, _EDGE = 230, 200, 62


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many of the sizes, smallest first")
    parser.add_argument("--step", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(step(given.data, *given.step)))
        return
    measured = [measure(given.data, articles, tickets) for articles, tickets in SIZES[: given.sizes]]
    print(f"{os.cpu_count()} cores\n")
    print(table(measured))
    if given.svg:
        given.svg.write_text(drawing(measured), "utf-8")


def measure(data: Path, articles: int, tickets: int) -> Figures:
    """Build and ask one size, each in a process of its own."""
    with tempfile.TemporaryDirectory() as root:
        found: Figures = {}
        for what in ("build", "ask"):
            command = [sys.executable, "-m", "benchmarks.growth", "--data", str(data)]
            command += ["--step", what, root, str(articles), str(tickets)]
            found |= json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return found


def step(data: Path, what: str, root: str, articles: str, tickets: str) -> Figures:
    """One of the two, in this process."""
    size = Size(int(articles), int(tickets))
    return build(data, Path(root), size) if what == "build" else ask(data, Path(root), size)


def build(data: Path, root: Path, size: Size) -> Figures:
    began = time.perf_counter()
    manifest = build_generation(records(data, size), Plan(root, Analyzer(shipped_lexicon()), load_encoder()))
    seconds = time.perf_counter() - began
    disk = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    return {"passages": manifest.passages, "build_s": seconds, "build_mb": _most_memory(), "disk_mb": disk / 1e6}


def ask(data: Path, root: Path, size: Size) -> Figures:
    engine = Engine(root, Analyzer(shipped_lexicon()), load_encoder())
    began = time.perf_counter()
    index = engine.index()
    opened = time.perf_counter() - began
    asked = questions(data, size, ASKED)
    whole, search = zip(*(_ask(engine, text) for text in asked), strict=True)
    memory = _most_memory()
    return {
        "open_s": opened,
        "ask_mb": memory,
        "p50": float(np.percentile(whole, 50)),
        "p95": float(np.percentile(whole, 95)),
        "search_p95": float(np.percentile(search, 95)),
        "recall": _recall(engine, index, asked[:COMPARED]),
    }


def _ask(engine: Engine, text: str) -> tuple[float, float]:
    query = Query(text, Audience.INTERNAL, NOW, mode=Mode.TYPING, below_threshold=True)
    timing = engine.answer(query, everything).timing_ms
    return timing["total"], sum(timing[stage] for stage in ("lexical", "vectors", "fuse"))


def _recall(engine: Engine, index: Index, asked: Sequence[str]) -> float:
    """Of the nearest passages by an exact comparison with all, the share that is found; ties count as found."""
    assert engine.encoder is not None and index.vectors is not None
    where = index.columns.select(Filter(Audience.INTERNAL, NOW))
    numbers = np.flatnonzero(where.allowed)
    shares = []
    for vector in engine.encoder.encode_queries([engine.analyzer.fold(text) for text in asked]):
        exact = np.array(index.vectors.scores(vector, numbers), np.float32)
        least = float(np.sort(exact)[-BEST])
        found = index.vectors.search(vector, where, BEST)
        shares.append(sum(score >= least - 1e-6 for _, score in found) / BEST)
    return float(np.mean(shares))


def _most_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(measured: Sequence[Figures]) -> str:
    """Rows by size, and the exponent of each column in the last."""
    lines = ["| passages | " + " | ".join(COLUMNS.values()) + " |", "|---:" * (len(COLUMNS) + 1) + "|"]
    for row in measured:
        figures = " | ".join(f"{row[name]:.3f}" if name == "recall" else f"{row[name]:.1f}" for name in COLUMNS)
        lines.append(f"| {row['passages']:,.0f} | {figures} |")
    slopes = (f"{exponent(measured, name):.2f}" for name in COLUMNS)
    return "\n".join([*lines, "| grows with the power | " + " | ".join(slopes) + " |"])


def exponent(measured: Sequence[Mapping[str, float]], name: str) -> float:
    """The slope of a figure over the passages in double logarithms, over the larger half of the sizes."""
    larger = measured[len(measured) // 2 :] if len(measured) > 2 else measured
    sizes, figures = ([math.log(row[key]) for row in larger] for key in ("passages", name))
    return float(np.polyfit(sizes, figures, 1)[0]) if len(larger) > 1 else math.nan


def drawing(measured: Sequence[Figures]) -> str:
    """Small plots in double logarithms as one SVG, legible in light and dark."""
    wide = len(DRAWN) * (_WIDE + _EDGE) + 20
    style = (
        "text{font:12px system-ui,sans-serif;fill:#59636e}.paper{fill:#fff}"
        ".line{fill:none;stroke:#0b66c3;stroke-width:2.5}"
        ".dot{fill:#0b66c3}.axis{stroke:#c4cad1}@media(prefers-color-scheme:dark){text{fill:#9aa4af}.paper{fill:#0f1419}"
        ".line{stroke:#58a6ff}.dot{fill:#58a6ff}.axis{stroke:#2a323b}}"
    )
    panels = "".join(_panel(measured, name, place) for place, name in enumerate(DRAWN))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {_HIGH + 90}" role="img" aria-label="growth">'
        f'<style>{style}</style><rect class="paper" width="{wide}" height="{_HIGH + 90}" rx="8"/>{panels}</svg>\n'
    )


def _panel(measured: Sequence[Figures], name: str, place: int) -> str:
    left, top = _EDGE + place * (_WIDE + _EDGE), 46
    sizes, figures = ([math.log10(row[key]) for row in measured] for key in ("passages", name))
    low, high = math.floor(min(figures)), math.ceil(max(figures) + 1e-9)
    first, last = min(sizes), max(max(sizes), min(sizes) + 1e-9)

    def x(value: float) -> float:
        return round(left + (value - first) / (last - first) * _WIDE, 1)

    def y(value: float) -> float:
        return round(top + _HIGH * (1 - (value - low) / (high - low)), 1)

    points = [(x(size), y(figure)) for size, figure in zip(sizes, figures, strict=True)]
    axis = "".join(
        f'<line class="axis" x1="{left}" x2="{left + _WIDE}" y1="{y(tick)}" y2="{y(tick)}"/>'
        f'<text x="{left - 6}" y="{y(tick) + 4}" text-anchor="end">{10**tick:g}</text>'
        for tick in range(low, high + 1)
    )
    names = "".join(
        f'<text x="{px}" y="{top + _HIGH + 18}" text-anchor="middle">{row["passages"] / 1000:.0f}k</text>'
        for (px, _), row in zip(points, measured, strict=True)
    )
    dots = "".join(f'<circle class="dot" cx="{px}" cy="{py}" r="4"/>' for px, py in points)
    line = " ".join(f"{px},{py}" for px, py in points)
    title = f'<text x="{left}" y="{top - 18}">{COLUMNS[name]}, power {exponent(measured, name):.2f}</text>'
    return f'{title}{axis}<polyline class="line" points="{line}"/>{dots}{names}'


if __name__ == "__main__":
    main()
