"""Which lexical engine for which size: `python -m benchmarks.engines --data FOLDER`.

For growing knowledge bases: how long one publish takes, how long a search, and how far the ten best are those of BM25
written out with exact lengths.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.corpus import Size, questions, records
from indexer.build import Change, Plan, build_generation, extend_generation
from indexer.records import Record
from indexer.terms import lexical_rows
from search.analysis import Analyzer, Term
from search.columns import Filter, Selection
from search.encoder import load_encoder
from search.generation import current_number, read_manifest
from search.lexical import EXTENDED, LexicalRow, bm25, idf, open_lexical
from search.lexicon import shipped_lexicon
from search.types import Audience

SIZES = (Size(100, 100), Size(250, 500), Size(500, 1_000), Size(1_500, 3_000))
ENGINES = ("whoosh", "tantivy")
BEST = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One engine at one size; times in seconds and milliseconds, `overlap` 0..1."""

    passages: int
    engine: str
    build: float
    publish: float
    p50: float
    p95: float
    overlap: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    analyzer, encoder = Analyzer(shipped_lexicon()), load_encoder()
    print(f"{os.cpu_count()} cores\n")
    print("| passages | engine | full build, s | one publish, s | search p50, ms | p95, ms | same ten as exact BM25 |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for size in SIZES:
        asked = [analyzer.query_terms(text) for text in questions(data, size, 200)]
        for engine in ENGINES:
            with tempfile.TemporaryDirectory() as root:
                row = measure(list(records(data, size)), asked, Plan(Path(root), analyzer, encoder, lexical=engine))
            print(f"| {row.passages} | {row.engine} | {row.build:.2f} | {row.publish:.2f} | {row.p50:.2f} "
                  f"| {row.p95:.2f} | {row.overlap:.3f} |")  # fmt: skip


def measure(found: Sequence[Record], asked: Sequence[Sequence[Term]], plan: Plan) -> Row:
    """Build, change one document, and ask."""
    build = _seconds(lambda: build_generation(found, plan))
    change = Change([found[0].document.id], [found[0]])
    publish = _seconds(
        lambda: extend_generation(change, plan) if plan.lexical in EXTENDED else build_generation(found, plan)
    )
    build_generation(found, plan)
    manifest = read_manifest(folder := plan.root / str(current_number(plan.root)))
    everything = np.ones(manifest.passages, np.bool_)
    where, index = (
        Selection(Filter(Audience.INTERNAL, 0), everything, False),
        open_lexical(plan.lexical, folder / "lexical"),
    )
    exact = Exact(list(lexical_rows(folder, manifest.blocks, 0, plan)))
    times, shared = [], []
    for terms in asked:
        began = time.perf_counter()
        best = index.search(terms, where, BEST)
        times.append((time.perf_counter() - began) * 1000)
        shared.append(exact.shared(terms, [passage for passage, _ in best]))
    index.close()
    return Row(
        manifest.passages,
        plan.lexical,
        build,
        publish,
        *np.percentile(times, (50, 95)).tolist(),
        float(np.mean(shared)),
    )


class Exact:
    """BM25 written out, with the lengths as they are."""

    def __init__(self, rows: Sequence[LexicalRow]) -> None:
        self._lengths = [len(row.terms) for row in rows]
        self._mean = sum(self._lengths) / len(rows)
        self._postings: defaultdict[str, dict[int, int]] = defaultdict(dict)
        for row in rows:
            for term, count in Counter(row.terms).items():
                self._postings[term][row.passage] = count

    def shared(self, terms: Sequence[Term], found: Sequence[int]) -> float:
        """The share of what was found that scores no less than the tenth of the exact list."""
        scores = self._scores(terms)
        best = sorted(scores.values(), reverse=True)[:BEST]
        return sum(scores[passage] >= best[-1] - 1e-9 for passage in found) / len(best) if best else 1.0

    def _scores(self, terms: Sequence[Term]) -> dict[int, float]:
        scores: defaultdict[int, float] = defaultdict(float)
        for term in terms:
            own = self._postings.get(term.text, {})
            for passage, count in own.items():
                part = bm25(count, self._lengths[passage], self._mean)
                scores[passage] += term.weight * idf(len(own), len(self._lengths)) * part
        return scores


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
