"""kb eval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kb_app import evaluating, plots, runs
from kb_app.cli.console import Out, json_option, opened
from kb_app.errors import BadInput
from kb_app.evaluating import Outcome, QuestionSet, Trust
from kb_app.kb import Kb
from kb_app.runs import Change, Comparison
from search.quality import Figure

SHIPPED_SET = Path(__file__).resolve().parents[2] / "tests" / "golden.jsonl"
Halved = dict[str, list[Outcome]]
Result = tuple[QuestionSet, Halved]


@click.command("eval")
@click.argument("sets", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--save", "name", help="Name the saved run; without it the time is its name.")
@click.option("--against", help="A saved run, by name or file: show what got better and worse since.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write risk and reliability as SVG.")
@json_option
def evaluate(sets: tuple[Path, ...], name: str | None, against: str | None, plot: Path | None, as_json: bool) -> None:
    """Ask the questions of SETS (JSON Lines: query, relevant, tags) and print how well they are answered.

    Words alone, meaning alone, and both; figures are means with 95% bootstrap intervals. Every run is kept under
    KB_HOME/runs.
    """
    out = Out(as_json)
    with opened() as kb:
        saved_as = runs.new_run_name(kb, name)
        before = runs.load(kb, against) if against else None
        results = [_ask(kb, asked, out) for asked in _read(sets or (SHIPPED_SET,))]
        run = runs.run_of(kb, saved_as, results)
        changes = runs.compare(before, run) if before else []
        path = runs.save(kb, run)
        if plot:
            plot.write_text(_plot(results), "utf-8")
    out.say(f"saved as {path}")
    shown = {asked.name: _json(halves) for asked, halves in results}
    data = {"run": saved_as, "sets": shown, "against": [asdict(change) for change in changes]}
    lines = [line for result in results for line in _lines(*result)]
    out.data(data, "\n".join([*lines, *(line for change in changes for line in _compared(change, against))]))


def _read(paths: Sequence[Path]) -> list[QuestionSet]:
    sets = [evaluating.load_set(path) for path in paths]
    names = [asked.name for asked in sets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise BadInput(f"two question sets are called {twice}", "Runs are compared by file name: rename one.")
    return sets


def _ask(kb: Kb, asked: QuestionSet, out: Out) -> Result:
    questions, unknown = evaluating.resolve(kb, asked.questions)
    if unknown:
        out.say(f"{asked.name}: no published article is called {', '.join(unknown[:5])}; {len(unknown)} in all")
    return asked, {half: evaluating.run(kb, questions, half) for half in evaluating.HALVES}


def _plot(results: Sequence[Result]) -> str:
    outcomes = [outcome for _, halves in results for outcome in halves["hybrid"]]
    title = "Confidence of first answers: " + ", ".join(asked.name for asked, _ in results)
    return plots.confidence_plot([o.confidence for o in outcomes], [float(o.right) for o in outcomes], title)


def _json(halves: Halved) -> dict[str, Any]:
    tables = {half: evaluating.table(outcomes) for half, outcomes in halves.items()}
    figures = {h: {t: {m: asdict(f) for m, f in row.items()} for t, row in rows.items()} for h, rows in tables.items()}
    both = halves["hybrid"]
    return {**figures, "abstained": asdict(evaluating.abstained(both)), "trust": asdict(evaluating.trust(both))}


def _lines(asked: QuestionSet, halves: Halved) -> Iterator[str]:
    yield f"{asked.name}: {len(asked.questions)} questions"
    for half, outcomes in halves.items():
        for tag, row in evaluating.table(outcomes).items():
            yield f"  {half:8} {tag:14} {_figures(row)}"
    yield f"  abstained where there is no answer: {_one(evaluating.abstained(halves['hybrid']))}"
    yield from _trusted(evaluating.trust(halves["hybrid"]))


def _trusted(trust: Trust) -> Iterator[str]:
    yield "  coverage            " + "  ".join(f"{coverage:5.1f}" for coverage in trust.risk)
    yield "  wrong first answers " + "  ".join(f"{risk:5.3f}" for risk in trust.risk.values())
    yield f"  expected calibration error {_one(trust.calibration)}"
    yield f"  Brier score {trust.brier:.3f}, of a constant {trust.constant:.3f}"
    if trust.abstained:
        yield f"  refused without an answer, when 95% of the others are accepted: {_one(trust.abstained)}"


def _compared(change: Comparison, against: str | None) -> Iterator[str]:
    note = "" if change.same_set else "; the set has changed, only shared questions are compared"
    yield f"{change.name} against {against}: {change.questions} questions{note}"
    for metric, found in change.differences.items():
        yield f"  {metric} {found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
    yield from _moved("better", change.better)
    yield from _moved("worse", change.worse)


def _moved(name: str, changes: Sequence[Change]) -> Iterator[str]:
    yield f"  {name}: {len(changes)}"
    for change in changes:
        ranks = f"{_rank(change.before)} → {_rank(change.after)}"
        yield f"    {ranks:8} {change.query}   first: {change.first_before or '-'} → {change.first_after or '-'}"


def _rank(rank: int | None) -> str:
    return "-" if rank is None else str(rank)


def _figures(row: Mapping[str, Figure]) -> str:
    return "  ".join(f"{name} {_one(value)}" for name, value in row.items())


def _one(value: Figure) -> str:
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"
