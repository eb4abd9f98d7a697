"""kb eval."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kb_app import evaluating
from kb_app.cli.console import Out, json_option, opened
from search.quality import Figure

SHIPPED_SET = Path(__file__).resolve().parents[2] / "tests" / "golden.jsonl"


@click.command("eval")
@click.argument("sets", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def evaluate(sets: tuple[Path, ...], as_json: bool) -> None:
    """Ask the questions of SETS (JSON Lines: query, relevant, tags) and print how well they are answered.

    Words alone, meaning alone, and both; figures are means with 95% bootstrap intervals.
    """
    results: dict[str, Any] = {}
    lines: list[str] = []
    with opened() as kb:
        for path in sets or (SHIPPED_SET,):
            questions = evaluating.read_set(path)
            lines.append(f"{path.name}: {len(questions)} questions")
            results[path.name] = {}
            for half in evaluating.HALVES:
                outcomes = evaluating.run(kb, questions, half)
                rows = evaluating.table(outcomes)
                results[path.name][half] = {t: {m: asdict(f) for m, f in r.items()} for t, r in rows.items()}
                lines += [f"  {half:8} {tag:14} {_figures(row)}" for tag, row in rows.items()]
                if half == "hybrid":
                    shown = evaluating.abstained(outcomes)
                    results[path.name]["abstained"] = asdict(shown)
                    lines.append(f"  abstained where there is no answer: {_one(shown)}")
    Out(as_json).data(results, "\n".join(lines))


def _figures(row: dict[str, Figure]) -> str:
    return "  ".join(f"{name} {_one(value)}" for name, value in row.items())


def _one(value: Figure) -> str:
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"
