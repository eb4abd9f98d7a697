"""kb backup, kb restore."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from kb_app import backup as backups
from kb_app import indexing, syncing
from kb_app.cli.console import Bars, Out, json_option, opened
from kb_app.settings import load_settings


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--index/--no-index", default=True, show_default=True, help="Keep the search index; it can be rebuilt.")
@json_option
def backup(target: Path, index: bool, as_json: bool) -> None:
    """Copy the knowledge base into the new folder TARGET, while it is in use."""
    made = backups.backup(load_settings(), target, time.time, index)
    rows = made.rows["knowledge"]
    held = f"{rows['articles']} articles and scripts, {rows['tickets']} tickets"
    text = f"{held} in {target}, {f'index generation {made.index}' if made.index else 'without an index'}"
    Out(as_json).data({"target": str(target), **_described(made)}, text)


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Move a knowledge base that is in KB_HOME aside first.")
@click.option("--index/--no-index", default=True, show_default=True, help="Use the index of the backup, or build one.")
@json_option
def restore(source: Path, replace: bool, index: bool, as_json: bool) -> None:
    """Make KB_HOME what the backup SOURCE holds; servers and workers there have to be stopped."""
    out = Out(as_json)
    done = backups.restore(load_settings(), source, time.time, replace, index)
    if done.aside:
        out.say(f"what was there before is in {done.aside}")
    with opened() as kb, Bars() as bars:
        written, missing = syncing.write_missing(kb)
        indexing.catch_up_alone(kb, bars.stage)
    for path in missing:
        out.say(f"{kb.settings.articles / path} is not there: the next `kb sync` archives its article")
    result = {"aside": str(done.aside) if done.aside else None, "written": written, "missing": missing}
    out.data(
        _described(done.backup) | result,
        f"restored what was backed up at {done.backup.created_at}; {len(written)} article files written",
    )


def _described(made: backups.Backup) -> dict[str, object]:
    return {name: value for name, value in asdict(made).items() if name != "files"}
