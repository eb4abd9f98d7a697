"""Latencies to rows of a Markdown table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HEAD = "| scenario | what | requests | errors | p50 ms | p95 ms | p99 ms | max ms | goal | met |"


@dataclass(frozen=True, slots=True)
class Taken:
    """One measured act: when it began (seconds into the scenario), what it was, how long it took, how it ended.

    `outcome` is "ok", "aborted" (the page gave it up, unanswered after `seconds`) or what went wrong.
    """

    at: float
    what: str
    seconds: float
    outcome: str = "ok"

    @property
    def failed(self) -> bool:
        """Whether it went wrong; a question that was given up did not."""
        return self.outcome not in ("ok", "aborted")


@dataclass(frozen=True, slots=True)
class Goal:
    """Limits in milliseconds; infinite where there is none. Errors are never allowed."""

    p50: float = math.inf
    p99: float = math.inf
    max: float = math.inf

    def __str__(self) -> str:
        limits = [(name, getattr(self, name)) for name in ("p50", "p99", "max")]
        return ", ".join([f"{name} <= {limit:.0f} ms" for name, limit in limits if limit < math.inf] + ["0 errors"])


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    scenario: str
    what: str
    taken: Sequence[Taken]
    goal: Goal | None = None

    @property
    def errors(self) -> int:
        """How many went wrong."""
        return sum(one.failed for one in self.taken)

    def milliseconds(self) -> list[float]:
        """How long each took, errors left out. What was given up counts as long as it was waited for."""
        return [one.seconds * 1000 for one in self.taken if not one.failed]

    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if self.goal is None:
            return None
        times = self.milliseconds()
        limits = ((0.5, self.goal.p50), (0.99, self.goal.p99), (1.0, self.goal.max))
        return bool(times) and not self.errors and all(percentile(times, part) <= limit for part, limit in limits)


@dataclass(frozen=True, slots=True)
class Check:
    """A goal that is no latency: what was seen against what is wanted."""

    scenario: str
    what: str
    seen: str
    goal: str
    met: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scenario has to say."""

    rows: Sequence[Row]
    checks: Sequence[Check] = ()
    notes: Sequence[str] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least a share `part` of the values do not exceed (nearest rank); NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def table(outcomes: Iterable[Outcome]) -> str:
    """The rows, the checks and the notes as Markdown."""
    outcomes = list(outcomes)
    rows = [_line(row) for one in outcomes for row in one.rows]
    lines = [HEAD, "|" + "---|" * 10, *rows] if rows else []
    checks = [check for one in outcomes for check in one.checks]
    if checks:
        lines += ["", "| scenario | what | seen | goal | met |", "|" + "---|" * 5]
        lines += [f"| {c.scenario} | {c.what} | {c.seen} | {c.goal} | {_yes(c.met)} |" for c in checks]
    return "\n".join([*lines, "", *(f"* {note}" for one in outcomes for note in one.notes)])


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Everything, with each single latency as [seconds into the scenario, milliseconds, outcome]."""
    rows = [
        {
            "scenario": row.scenario,
            "what": row.what,
            "goal": str(row.goal) if row.goal else None,
            "met": row.met(),
            "errors": row.errors,
            "taken": [[round(t.at, 3), round(t.seconds * 1000, 3), t.outcome] for t in row.taken],
        }
        for row in outcome.rows
    ]
    checks = [{name: getattr(c, name) for name in ("scenario", "what", "seen", "goal", "met")} for c in outcome.checks]
    return {"rows": rows, "checks": checks, "notes": list(outcome.notes), **outcome.extra}


def problems(taken: Iterable[Taken]) -> list[str]:
    """What went wrong and how often, most often first."""
    counted: dict[str, int] = {}
    for one in taken:
        if one.failed:
            counted[one.outcome] = counted.get(one.outcome, 0) + 1
    return [f"{number} x {outcome}" for outcome, number in sorted(counted.items(), key=lambda pair: -pair[1])]


def _line(row: Row) -> str:
    times = row.milliseconds()
    shown = (
        " | ".join(f"{percentile(times, part):.1f}" for part in (0.5, 0.95, 0.99, 1.0)) if times else "– | – | – | –"
    )
    goal, met = row.goal or "–", row.met()
    verdict = "–" if met is None else _yes(met)
    return f"| {row.scenario} | {row.what} | {len(row.taken)} | {row.errors} | {shown} | {goal} | {verdict} |"


def _yes(met: bool) -> str:
    return "yes" if met else "**no**"
