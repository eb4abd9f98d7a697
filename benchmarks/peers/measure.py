"""One system in a process of its own: `python -m benchmarks.peers.measure SYSTEM STEP FOLDER` prints JSON.

Steps are build, ask and update, in this order.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.material import Change, Material, Question, Vectors, recall
from benchmarks.peers.protocol import TOP, System, updated

WARM_UP = 50
PATIENCE = 60.0
"""Seconds an update may take to be found."""

Asked = Sequence[tuple[Question, Vectors]]


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds: percentiles of many queries."""

    p50: float
    p95: float
    p99: float

    @staticmethod
    def of(spent: Sequence[float]) -> Times:
        parts = statistics.quantiles(spent, n=100, method="inclusive")
        return Times(parts[49], parts[94], parts[98])


def _ours() -> System:
    from benchmarks.peers.ours import Ours

    return Ours()


def _txtai() -> System:
    from benchmarks.peers.with_txtai import Txtai

    return Txtai()


def _lancedb() -> System:
    from benchmarks.peers.with_lancedb import LanceDB

    return LanceDB()


def _lancedb_graph() -> System:
    from benchmarks.peers.with_lancedb import LanceDBGraph

    return LanceDBGraph()


SYSTEMS: Mapping[str, Callable[[], System]] = {
    "知答": _ours,
    "txtai": _txtai,
    "LanceDB": _lancedb,
    "LanceDB, graph": _lancedb_graph,
}
"""Each is made in a process of its own, which imports its libraries and no other's."""


def build(system: System, material: Material, folder: Path) -> dict[str, Any]:
    """Seconds to build, size on disk, peak memory."""
    spent = timed(lambda: system.build(material, folder))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {"build_s": spent / 1000, "disk_mb": size / 1e6, "build_mb": peak(), "configuration": system.configuration()}


def ask(system: System, material: Material, folder: Path) -> dict[str, Any]:
    """Times of queries by one thread, peak memory, recall."""
    asked = material.questions()
    found: dict[str, Any] = {"open_ms": timed(lambda: system.open(folder, material))}
    whole, inner, answers = _times(system, asked)
    found |= {"whole": whole, "inner": inner, "ask_mb": peak()}
    return found | _recall(system, material, asked, answers)


def update(system: System, material: Material, folder: Path) -> dict[str, Any]:
    """Milliseconds until a changed document is found, and until it is kept: medians."""
    system.open(folder, material)
    for question, vector in material.questions()[:WARM_UP]:
        system.query(question, vector)
    spent, kept = list[float](), list[float]()
    for change, vectors in material.changes():
        spent.append(_update(system, change, vectors))
        kept.append(timed(system.keep))
    return {"update_ms": statistics.median(spent), "keep_ms": statistics.median(kept)}


def timed(work: Callable[[], object]) -> float:
    """Milliseconds that `work` takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def peak() -> float:
    """Peak resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _times(system: System, asked: Asked) -> tuple[dict[str, float], dict[str, float], list[list[int]]]:
    """Of whole queries and of their search part, and what was found; the first WARM_UP are asked once before."""
    for question, vector in asked[:WARM_UP]:
        system.query(question, vector)
    whole, inner, answers = list[float](), list[float](), list[list[int]]()
    for question, vector in asked:
        started = time.perf_counter()
        answers.append(system.query(question, vector))
        whole.append((time.perf_counter() - started) * 1000)
        part = system.inner()
        inner.append(whole[-1] if part is None else part)
    return _as_dict(Times.of(whole)), _as_dict(Times.of(inner)), answers


def _as_dict(times: Times) -> dict[str, float]:
    return {"p50": times.p50, "p95": times.p95, "p99": times.p99}


def _recall(system: System, material: Material, asked: Asked, answers: Sequence[Sequence[int]]) -> dict[str, float]:
    """Of vectors against a comparison with all of them, of the hybrid against the same system approximating nothing."""
    vectors = material.vectors()
    near = [recall(vectors, vector, system.nearest(question, vector), TOP) for question, vector in asked]
    system.exhaust()
    shares = [
        len(set(answer) & set(best)) / len(best)
        for answer, (question, vector) in zip(answers, asked, strict=True)
        if (best := system.query(question, vector))
    ]
    return {"recall_vectors": statistics.fmean(near), "recall_hybrid": statistics.fmean(shares)}


def _update(system: System, change: Change, vectors: Vectors) -> float:
    """Milliseconds until a question for the new text finds it."""
    wanted = {updated(change.document)} if system.answers_documents else set(change.passages)
    question = Question(change.word, change.word)

    def found() -> bool:
        # The opposite vector: only the new word can find the document, not the likeness of its old text.
        return bool(wanted & set(system.query(question, -vectors[0])[:TOP]))

    if found():
        raise ValueError(f"{change.word} is found before the update")
    started = time.perf_counter()
    system.update(change, vectors)
    while not found():
        if time.perf_counter() - started > PATIENCE:
            raise TimeoutError(f"{change.word} is not found {PATIENCE:.0f} s after the update")
    return (time.perf_counter() - started) * 1000


STEPS = {"build": build, "ask": ask, "update": update}


def main() -> None:
    name, step, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    own = folder / f"index-{list(SYSTEMS).index(name)}"
    own.mkdir(exist_ok=True)
    print(json.dumps(STEPS[step](SYSTEMS[name](), Material(folder), own)))


if __name__ == "__main__":
    main()
