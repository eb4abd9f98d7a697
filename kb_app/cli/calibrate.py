"""kb calibrate."""

from __future__ import annotations

from dataclasses import asdict

import click

from kb_app import calibrating, indexing
from kb_app.cli.console import Bars, Out, json_option, opened
from kb_app.lock import writer_lock


@click.command()
@json_option
def calibrate(as_json: bool) -> None:
    """Fit what a confidence means to this knowledge base's own questions, and build the index with it.

    Every 相似问法 is asked with itself left out, some with their article taken away, and unrelated talk besides. Do it
    after much has changed: `kb doctor` says when.
    """
    with opened() as kb, Bars() as bars:
        lock = writer_lock(kb.settings.home)
        lock.require()
        try:
            fitted = calibrating.refit(kb)
            manifest = indexing.build(kb, bars.stage)
        finally:
            lock.release()
    lines = [
        f"fitted on {fitted.documents} documents, in use from generation {manifest.number}",
        f"customers are answered from a confidence of {fitted.answer_public:.2f}, agents from "
        f"{fitted.answer_internal:.2f}; below {fitted.candidate:.2f} nothing is shown",
    ]
    Out(as_json).data(asdict(fitted), "\n".join(lines))
