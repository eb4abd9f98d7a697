"""Both halves against the better of the two, question by question: together they must lose to neither."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.quality.harness import Measured, shown, table
from search.quality import Figure, difference, figure

FEWEST = 100
COMPARED = ("R@1", "MRR")


def report(sets: Iterable[Measured]) -> str:
    """The paired differences of every set and tag with at least FEWEST questions."""
    rows = [row for found in sets for tag in found.tags() for row in _rows(found, tag)]
    worse = [f"{row[0]}, {row[1]}, {row[3]}" for row in rows if row[6]]
    verdict = f"Worse beyond the interval: {'; '.join(worse) or 'nowhere'}."
    head = ["set", "questions", "n", "metric", "better half", "hybrid - better half", ""]
    return "\n\n".join(["## Both halves against the better one", table(head, rows), verdict])


def _rows(found: Measured, tag: str) -> Iterator[Sequence[str]]:
    count = len(found.values("hybrid", COMPARED[0], tag))
    for metric in COMPARED if count >= FEWEST else ():
        half = better_half(found, metric, tag)
        gap = difference(found.values(half, metric, tag), found.values("hybrid", metric, tag))
        yield [found.name, tag, str(count), metric, half, _signed(gap), "worse" if gap.high < 0 else ""]


def better_half(found: Measured, metric: str, tag: str) -> str:
    """The half that is better alone."""
    return max(("lexical", "dense"), key=lambda half: figure(found.values(half, metric, tag)).mean)


def _signed(gap: Figure) -> str:
    return f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]" if gap.mean or gap.low or gap.high else shown(gap)
