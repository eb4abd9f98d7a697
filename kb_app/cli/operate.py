"""kb init, kb doctor."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from kb_app import accounts, calibrating, categories, importing, indexing, syncing
from kb_app.cli.console import Bars, Out, json_option, opened
from kb_app.errors import KbError
from kb_app.kb import Kb
from kb_app.render import Renderer
from kb_app.settings import describe
from kb_app.store import tickets
from search.errors import SearchError

SAMPLES = "samples"
MARK = "samples-imported"


@click.command()
@click.option("--samples/--no-samples", default=True, help="Import the sample tickets into a new knowledge base.")
@json_option
def init(samples: bool, as_json: bool) -> None:
    """Make KB_HOME ready: database, administrator, articles, sample tickets, index.

    Safe to repeat: what is current is left alone.
    """
    out = Out(as_json)
    with opened() as kb, Bars() as bars:
        result = prepare(kb, out, bars, samples)
    out.data(result, f"ready: {result['articles']} articles and scripts, {result['tickets']} tickets")


def prepare(kb: Kb, out: Out, bars: Bars, samples: bool) -> dict[str, Any]:
    """Everything `kb init` and the first `kb serve` do."""
    kb.database.migrate()
    categories.name_shipped(kb)
    created = accounts.first_administrator(kb)
    if created:
        login, path = created
        where = f"the password is in {path}" if path else "the password is KB_ADMIN_PASSWORD"
        out.say(f"administrator {login} created; {where}")
    if kb.settings.articles.is_dir():
        report_sync(out, syncing.sync(kb, lambda done, total: bars.stage("articles", done, total)))
    if samples:
        _import_samples(kb, out, bars)
    indexing.catch_up_alone(kb, bars.stage)
    state = indexing.status(kb)
    with kb.database.read() as session:
        count = tickets.count(session)
    documents = state.manifest.documents if state.manifest else 0
    return {"home": str(kb.settings.home), "articles": documents - count, "tickets": count}


def report_sync(out: Out, report: syncing.Report) -> None:
    """Say what a sync changed and what it had to leave out."""
    for problem in report.problems:
        line = f":{problem.line}" if problem.line else ""
        out.say(f"skipped {problem.path}{line}: {problem.reason}. {problem.hint}")
    for path in report.conflicts:
        out.say(f"conflict {path}: the file and the article both changed; both are kept")
    out.say(
        f"articles: {len(report.added)} added, {len(report.changed)} changed, {len(report.archived)} archived, "
        f"{report.unchanged} unchanged, {len(report.problems)} skipped"
    )


def _import_samples(kb: Kb, out: Out, bars: Bars) -> None:
    """Once per knowledge base: somebody who deleted them does not want them back."""
    mark = kb.settings.home / MARK
    if mark.exists():
        return
    path = Path(str(files("kb_app").joinpath(SAMPLES, "tickets.jsonl")))
    report = importing.import_tickets(kb, path, "sample", lambda done: bars.stage("tickets", done, 0))
    mark.touch()
    out.say(f"sample tickets: {report.added} imported, {len(report.skipped)} skipped (not resolved)")


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check this installation and show the effective settings."""
    out = Out(as_json)
    with opened(migrated=False) as kb:
        checks = [_check(name, test, kb) for name, test in _CHECKS]
        settings = describe(kb.settings)
    lines = [f"{'ok  ' if c['ok'] else 'FAIL'} {c['name']}: {c['detail']}" for c in checks]
    lines += ["", *(f"{s['name']}={s['value']}" for s in settings)]
    out.data({"checks": checks, "settings": settings}, "\n".join(lines))
    if not all(check["ok"] for check in checks):
        sys.exit(1)


def _check(name: str, test: Any, kb: Kb) -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "detail": test(kb)}
    except (KbError, SearchError) as error:
        return {"name": name, "ok": False, "detail": f"{error} {error.hint}".strip()}


def _schema(kb: Kb) -> str:
    behind = kb.database.pending()
    if behind:
        raise KbError(f"the schema of {', '.join(behind)} is behind", "Run `kb init`.")
    return "current"


def _integrity(kb: Kb) -> str:
    found = kb.database.check()
    if found:
        raise KbError("; ".join(found), "Restore a backup.")
    return "integrity ok"


def _index(kb: Kb) -> str:
    manifest = indexing.verify_index(kb)
    stale = indexing.status(kb).stale
    return f"generation {manifest.number}, {manifest.documents} documents" + (f" ({stale})" if stale else "")


def _encoder(kb: Kb) -> str:
    if kb.settings.encoder == "none":
        return "none, by setting: search is lexical"
    if kb.encoder is None:
        raise KbError(f"the encoder {kb.settings.encoder!r} cannot be used", "Set KB_ENCODER=zhida-static.")
    return f"{kb.encoder.id}, {kb.encoder.dimension} dimensions"


def _calibration(kb: Kb) -> str:
    fitted = kb.engine.index().calibration
    return calibrating.outdated(fitted, kb.engine.index().manifest.documents) or "fitted to this content"


def _renderer(_kb: Kb) -> str:
    with Renderer() as renderer:
        renderer.render("# ok")
    return "ok"


_CHECKS = (
    ("schema", _schema),
    ("database", _integrity),
    ("encoder", _encoder),
    ("index", _index),
    ("calibration", _calibration),
    ("renderer", _renderer),
)
