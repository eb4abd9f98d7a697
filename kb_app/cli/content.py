"""kb sync, kb import, kb export."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kb_app import exporting, indexing, syncing
from kb_app import importing as tickets_in
from kb_app.cli.console import Bars, Out, json_option, opened
from kb_app.cli.operate import report_sync
from search.types import Audience


@click.command()
@json_option
def sync(as_json: bool) -> None:
    """Bring changes of the articles folder into the knowledge base, and index them."""
    out = Out(as_json)
    with opened() as kb, Bars() as bars:
        report = syncing.sync(kb, lambda done, total: bars.stage("articles", done, total))
        report_sync(out, report)
        indexing.catch_up_alone(kb, bars.stage)
    _finish(out, report)


@click.group("import")
def importing() -> None:
    """Bring articles or tickets in from elsewhere."""


@importing.command("articles")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", help="Name of this import; the same name updates. By default the folder's name.")
@click.option("--audience", type=click.Choice(["public", "internal"]), default="internal", show_default=True,
              help="For files that do not say.")  # fmt: skip
@click.option("--report", "report_file", type=click.Path(path_type=Path), help="Write the skipped files to this CSV.")
@json_option
def import_articles(folder: Path, name: str | None, audience: str, report_file: Path | None, as_json: bool) -> None:
    """Import the Markdown files of FOLDER and its subfolders."""
    out = Out(as_json)
    source = syncing.Source(folder, name or folder.resolve().name, Audience[audience.upper()])
    with opened() as kb, Bars() as bars:
        report = syncing.import_folder(kb, source, lambda done, total: bars.stage("articles", done, total))
        report_sync(out, report)
        indexing.catch_up_alone(kb, bars.stage)
    if report_file:
        rows = [(p.path, p.line, p.reason, p.hint) for p in report.problems]
        exporting.write_csv(report_file, ("path", "line", "reason", "hint"), rows)
    _finish(out, report)


@importing.command("tickets")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the system they come from; by default the file's name.")
@click.option("--report", "report_file", type=click.Path(path_type=Path), help="Write the skipped rows to this CSV.")
@json_option
def import_tickets(file: Path, name: str | None, report_file: Path | None, as_json: bool) -> None:
    """Import resolved tickets from a JSON Lines FILE; personal data is masked first."""
    out = Out(as_json)
    with opened() as kb, Bars() as bars:
        report = tickets_in.import_tickets(kb, file, name or file.stem, lambda done: bars.stage("tickets", done, 0))
        indexing.catch_up_alone(kb, bars.stage)
    for number, reason in report.skipped[:20]:
        out.say(f"skipped row {number}: {reason}")
    if report_file:
        exporting.write_csv(report_file, ("row", "reason"), report.skipped)
    out.data(
        asdict(report),
        f"tickets: {report.added} added, {report.changed} changed, {report.unchanged} unchanged, "
        f"{len(report.skipped)} skipped",
    )


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["md-zip", "jsonl"]), default="md-zip", show_default=True,
              help="A zip of Markdown files or JSON Lines.")  # fmt: skip
@click.option("--audience", type=click.Choice(["public", "internal"]), default="internal", show_default=True,
              help="public leaves out internal articles and internal blocks.")  # fmt: skip
@json_option
def export(target: Path, form: str, audience: str, as_json: bool) -> None:
    """Write all articles and scripts to TARGET."""
    with opened() as kb:
        count = exporting.export(kb, target, form, Audience[audience.upper()])
    Out(as_json).data({"articles": count, "file": str(target)}, f"{count} articles written to {target}")


def _finish(out: Out, report: syncing.Report) -> None:
    """Skipped files make the exit code 1: a script that imports must notice."""
    data: dict[str, Any] = asdict(report)
    if out.as_json:
        out.data(data, "")
    if report.problems:
        sys.exit(1)
