"""kb model."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kb_app.cli.console import Bars, Out, json_option, opened
from search.encoder import SHIPPED_FOLDER

if TYPE_CHECKING:
    from indexer.training.adapting import AdaptReport


@click.group()
def model() -> None:
    """The sentence encoder."""


@model.command()
@json_option
def info(as_json: bool) -> None:
    """Show the encoder in use."""
    with opened(migrated=False) as kb:
        name, encoder = kb.settings.encoder, kb.encoder
    described = {
        "setting": name,
        "id": encoder.id if encoder else None,
        "dimension": encoder.dimension if encoder else 0,
    }
    Out(as_json).data(described, "\n".join(f"{key}: {value}" for key, value in described.items()))


@model.command()
@click.option("--from-tickets", is_flag=True,
              help="Adapt the encoder in use to this knowledge base's own tickets, articles and feedback.")  # fmt: skip
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder with the public data sets; without it the repository's own data is used.")  # fmt: skip
@click.option("--out", "folder", type=click.Path(path_type=Path),
              help="Folder to write; by default the shipped model is replaced, or with --from-tickets "
                   "KB_HOME/models/adapted-N made.")  # fmt: skip
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed and data give the same model.")
@json_option
def train(from_tickets: bool, data: Path | None, folder: Path | None, seed: int, as_json: bool) -> None:
    """Train the static encoder, or adapt it to your own tickets; minutes on two cores.

    With --from-tickets nothing is written when held-out questions find less than before; the exit code is then 1.
    """
    if from_tickets and data:
        raise click.UsageError("--from-tickets learns from this knowledge base and takes no --data.")
    if from_tickets:
        _adapt(folder, seed, Out(as_json))
    else:
        _train(data, folder or SHIPPED_FOLDER, seed, Out(as_json))


def _train(data: Path | None, folder: Path, seed: int, out: Out) -> None:
    from indexer.training import TrainConfig
    from indexer.training import train as run

    with Bars() as bars:
        report = run(TrainConfig(data=data, out=folder, seed=seed, progress=bars.stage))
    told = asdict(report) | {"out": str(report.out)}
    out.data(told, "\n".join(f"{key}: {value}" for key, value in told.items()))


def _adapt(folder: Path | None, seed: int, out: Out) -> None:
    from kb_app.training import adapt_encoder

    with opened() as kb, Bars() as bars:
        report = adapt_encoder(kb, folder, seed, bars.stage)
    out.data(asdict(report) | {"out": str(report.out) if report.out else None}, _described(report))
    if report.out is None:
        out.say(f"Held-out questions find less than before: nothing was written, {report.base} stays in use.")
        sys.exit(1)
    out.say(f"Next: KB_ENCODER={report.out.resolve()} kb index build")
    out.say("Keep KB_ENCODER set for the server; unset it and build again to go back.")


def _described(report: AdaptReport) -> str:
    from indexer.training.adapting import SHOWN, shown

    lines = [f"base: {report.base}", f"id: {report.id}", f"out: {report.out or 'nothing written'}"]
    lines += [f"questions {name}: {count}" for name, count in report.questions.items()]
    for name, change in report.changes.items():
        figures = (f"{metric} {shown(change.before[metric])} -> {shown(change.after[metric])}" for metric in SHOWN)
        lines += [f"{name}, {change.questions} held out:", *(f"  {line}" for line in figures)]
        lines.append(f"  change of mrr {shown(change.difference, '+.3f')}")
    return "\n".join([*lines, f"seconds: {report.seconds:.0f}"])
