"""kb model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from kb_app.cli.console import Bars, Out, json_option, opened
from search.encoder import SHIPPED_FOLDER


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
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder with the public data sets; without it the repository's own data is used.")  # fmt: skip
@click.option("--out", "folder", type=click.Path(path_type=Path), default=SHIPPED_FOLDER,
              help="Folder to write; by default the shipped model is replaced.")  # fmt: skip
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed and data give the same model.")
@json_option
def train(data: Path | None, folder: Path, seed: int, as_json: bool) -> None:
    """Train the static encoder; minutes on two cores."""
    from indexer.training import TrainConfig
    from indexer.training import train as run

    with Bars() as bars:
        report = run(TrainConfig(data=data, out=folder, seed=seed, progress=bars.stage))
    told = asdict(report) | {"out": str(report.out)}
    Out(as_json).data(told, "\n".join(f"{key}: {value}" for key, value in told.items()))
