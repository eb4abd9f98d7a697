"""kb index."""

from __future__ import annotations

import sys
from typing import Any

import click

from kb_app import indexing
from kb_app.cli.console import Bars, Out, json_option, opened
from search.generation import describe


@click.group()
def index() -> None:
    """Build, check and describe the search index."""


@index.command()
@json_option
def build(as_json: bool) -> None:
    """Build the index anew from the database; searches go on with the old one until it is ready.

    Where a server runs, its worker does it.
    """
    with opened() as kb, Bars() as bars:
        manifest = indexing.build_alone(kb, bars.stage)
    text = f"generation {manifest.number}: {manifest.documents} documents, {manifest.passages} passages"
    Out(as_json).data(describe(manifest), text)


@index.command()
@json_option
def status(as_json: bool) -> None:
    """Say which generation is in use and whether it is current."""
    with opened() as kb:
        state = indexing.status(kb)
    described: dict[str, Any] = describe(state.manifest) if state.manifest else {}
    lines = [f"{name}: {value}" for name, value in described.items()]
    lines.append(f"state: {state.stale or 'current'}")
    if state.waiting_since:
        lines.append(f"waiting since: {state.waiting_since}")
    Out(as_json).data(
        described | {"stale": state.stale, "newest_change": state.outbox_id, "waiting_since": state.waiting_since},
        "\n".join(lines),
    )


@index.command()
@click.option("--to", "number", type=int, help="The generation to go back to; by default the one before.")
@json_option
def rollback(number: int | None, as_json: bool) -> None:
    """Go back to an earlier generation of the index at once, for instance after a new encoder or lexicon proved worse.

    Permissions never go back, and what was changed since is worked in again.
    """
    with opened() as kb:
        manifest = indexing.roll_back(kb, number)
    text = f"generation {manifest.number} of {manifest.created_at} is in use: {manifest.documents} documents"
    Out(as_json).data(describe(manifest), text)


@index.command()
@json_option
def verify(as_json: bool) -> None:
    """Compare every file with its checksum, and the index with the database."""
    with opened() as kb:
        manifest = indexing.verify_index(kb)
        different = indexing.differences(kb)
    text = f"generation {manifest.number}: {len(manifest.files)} files ok, {len(different)} differences"
    Out(as_json).data({"generation": manifest.number, "differences": different}, text)
    if different:
        sys.exit(1)
