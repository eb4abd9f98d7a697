"""`make bench-peers DATA=folder`: every system in turn on the same passages, one process at a time, as Markdown."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.material import Material
from benchmarks.peers.measure import STEPS, SYSTEMS
from benchmarks.peers.prepare import Prepared, prepare

OURS = next(iter(SYSTEMS))
ROOT = Path(__file__).resolve().parents[2]
QUIET = {**os.environ, "LANCEDB_LOG": "error"}
"""LanceDB warns of coming changes with every query, which takes time."""
Figures = Mapping[str, Any]

ROWS: Mapping[str, tuple[str, Callable[[Figures], float]]] = {
    "build, s": ("{:.1f}", lambda f: f["build_s"]),
    "index on disk, MB": ("{:.0f}", lambda f: f["disk_mb"]),
    "hybrid query p50, ms": ("{:.2f}", lambda f: f["whole"]["p50"]),
    "p95, ms": ("{:.2f}", lambda f: f["whole"]["p95"]),
    "p99, ms": ("{:.2f}", lambda f: f["whole"]["p99"]),
    "search part p50, ms": ("{:.2f}", lambda f: f["inner"]["p50"]),
    "search part p95, ms": ("{:.2f}", lambda f: f["inner"]["p95"]),
    "search part p99, ms": ("{:.2f}", lambda f: f["inner"]["p99"]),
    "update until found, ms": ("{:.0f}", lambda f: f["update_ms"]),
    "update until found and kept, ms": ("{:.0f}", lambda f: f["update_ms"] + f["keep_ms"]),
    "open, ms": ("{:.0f}", lambda f: f["open_ms"]),
    "peak memory, building, MB": ("{:.0f}", lambda f: f["build_mb"]),
    "peak memory, asking, MB": ("{:.0f}", lambda f: f["ask_mb"]),
}
SHARES: Mapping[str, Callable[[Figures], float]] = {
    "recall@10 of vectors": lambda f: f["recall_vectors"],
    "recall@10 of hybrid": lambda f: f["recall_hybrid"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds helpcenter-zh/ and intents/")
    parser.add_argument("--peers", type=Path, default=ROOT / ".venv-peers", help="environment with the peers")
    parser.add_argument("--passages", type=int, default=66_000)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), help="fewer, for trials")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        material = Material(Path(folder))
        prepared = prepare_alone(material, given)
        figures = {name: run(name, folder, given.peers) for name in given.systems}
    print(report(prepared, figures))


def prepare_alone(material: Material, given: argparse.Namespace) -> Prepared:
    """The material, made here: this process is not measured."""
    note(f"making {given.passages} passages and {given.questions} questions")
    return prepare(material, given.data, given.passages, given.questions)


def run(name: str, folder: str, peers: Path) -> Figures:
    """The figures of one system, from a process for each step."""
    python = Path(sys.executable) if name == OURS else peers / "bin" / "python"
    if not python.exists():
        sys.exit(f"{python} is missing: `make bench-peers` makes it")
    found: dict[str, Any] = {}
    for step in STEPS:
        note(f"{name}: {step}")
        command = [str(python), "-m", "benchmarks.peers.measure", name, step, folder]
        done = subprocess.run(command, cwd=ROOT, env=QUIET, stdout=subprocess.PIPE, text=True, check=True)
        found |= json.loads(done.stdout.splitlines()[-1])
    return found


def report(prepared: Prepared, figures: Mapping[str, Figures]) -> str:
    """Everything as Markdown: the setting, the figures, how many times ours each is, the configurations."""
    setting = (
        f"{prepared.documents} articles, {prepared.passages} passages of {prepared.tokens:.0f} terms on average, "
        f"{prepared.questions} questions asked one after another, top 10, "
        f"with the threads each takes by itself. {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}. Making terms and vectors took {prepared.seconds:.1f} s once; "
        f"{OURS} makes its own while it builds and while it answers, the others are given them. "
        "The search part is lexical search, vector search and fusion; of the peers it is the whole query. Recall of "
        "vectors is against a comparison with every vector, of hybrid against the same system approximating nothing."
    )
    configurations = "\n".join(f"* {figure['configuration']}" for figure in figures.values())
    ratios = [f"### Times {OURS}", _ratios(figures)] if OURS in figures else []
    return "\n\n".join(["## Hybrid search", setting, _figures(figures), *ratios, configurations])


def note(text: str) -> None:
    """Progress, beside the table."""
    print(text, file=sys.stderr, flush=True)


def _figures(figures: Mapping[str, Figures]) -> str:
    rows = [[title, *(form.format(value(f)) for f in figures.values())] for title, (form, value) in ROWS.items()]
    rows += [[title, *(f"{value(f):.3f}" for f in figures.values())] for title, value in SHARES.items()]
    return _table(["", *figures], rows)


def _ratios(figures: Mapping[str, Figures]) -> str:
    """Each figure divided by ours: above 1 ours is quicker or smaller."""
    others = [name for name in figures if name != OURS]
    rows = [[title, *(_ratio(value, figures, name) for name in others)] for title, (_, value) in ROWS.items()]
    return _table(["", *others], rows)


def _ratio(value: Callable[[Figures], float], figures: Mapping[str, Figures], name: str) -> str:
    own = value(figures[OURS])
    return f"{value(figures[name]) / own:.2f}" if own else "-"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
