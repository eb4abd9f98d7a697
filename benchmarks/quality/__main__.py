"""All tables as Markdown: `python -m benchmarks.quality [--data DIR] [NAMES…]`; families run two at a time."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks.quality import halves
from benchmarks.quality.families import FAMILIES, run
from benchmarks.quality.harness import Measured, Report
from search.encoder import SHIPPED

WITHOUT_DATA = ("golden", "cost")
SLOWEST_FIRST = ("clinc", "banking77", "confidence")
COSTS_ALONE = "cost"
"""Measured after the others have ended, since it is a time."""


def main() -> int:
    parser = _parser()
    given = parser.parse_args()
    names = given.names or list(FAMILIES if given.data else WITHOUT_DATA)
    _check(names, given.data, parser)
    if not given.data:
        print("DATA= is not given: only the shipped questions are asked, the public sets are left out\n", flush=True)
    started, measured = time.monotonic(), list[Measured]()
    for report in _reports(names, partial(run, given.data, given.encoder), given.jobs):
        print(report.markdown, end="\n\n", flush=True)
        measured += report.measured
    if measured:
        print(halves.report(measured), end="\n\n")
    print(f"took {time.monotonic() - started:.0f} s", file=sys.stderr)
    return 0


def _reports(names: Sequence[str], work: Callable[[str], Report], jobs: int) -> Iterator[Report]:
    """In the order of the names; the longest start first, so that no core waits at the end."""
    first = sorted((n for n in names if n != COSTS_ALONE), key=lambda n: (n not in SLOWEST_FIRST, names.index(n)))
    # A forked child would inherit the threads of FAISS and the tokenizer.
    with ProcessPoolExecutor(max(1, jobs), mp_context=get_context("spawn")) as pool:
        running = {name: pool.submit(work, name) for name in first}
        for name in (n for n in names if n != COSTS_ALONE):
            yield running[name].result()
    if COSTS_ALONE in names:
        yield work(COSTS_ALONE)


def _check(names: Sequence[str], data: Path | None, parser: argparse.ArgumentParser) -> None:
    for name in names:
        if name not in FAMILIES:
            parser.error(f"there is no family {name}; choose from {', '.join(FAMILIES)}")
        if not data and name not in WITHOUT_DATA:
            parser.error(f"{name} needs --data, the folder of the public sets")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAMES", help=f"families: {', '.join(FAMILIES)}; all by default")
    parser.add_argument("--data", type=Path, help="folder of the public sets")
    parser.add_argument("--encoder", default=SHIPPED, help="another encoder than the shipped one")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="families at a time")
    return parser


if __name__ == "__main__":
    # One thread each: the families share the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
