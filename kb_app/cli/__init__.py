"""The command line: one file per noun, each command parses, calls one use case and prints."""

from __future__ import annotations

import logging

import click

from kb_app.cli import backup, calibrate, content, evaluate, index, keys, model, operate, search, serving, users
from kb_app.cli.console import Translated


@click.group(cls=Translated, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("-v", "--verbose", is_flag=True, help="Log what is done.")
def main(verbose: bool) -> None:
    """知答 Zhida: a knowledge base that answers while people type.

    Settings come from the environment; `kb doctor` shows them. Data goes to standard output, everything else to
    standard error. Exit codes: 0 done, 1 failed, 2 wrong use.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


for _command in (
    operate.init,
    serving.serve,
    serving.worker,
    serving.web,
    content.sync,
    content.importing,
    content.export,
    search.search,
    index.index,
    users.user,
    keys.key,
    model.model,
    evaluate.evaluate,
    calibrate.calibrate,
    operate.doctor,
    backup.backup,
    backup.restore,
):
    main.add_command(_command)
