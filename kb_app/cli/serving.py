"""kb serve, kb worker."""

from __future__ import annotations

import sys

import click

from kb_app import serving
from kb_app.cli.console import Bars, Out, opened
from kb_app.cli.operate import prepare
from kb_app.lock import server_lock
from kb_app.settings import load_settings
from kb_app.store.database import open_database


@click.command()
@click.option("--samples/--no-samples", default=True, help="Import the sample tickets into a new knowledge base.")
def serve(samples: bool) -> None:
    """Make KB_HOME ready and serve the pages and the API until Ctrl-C."""
    settings, out = load_settings(), Out(False)
    open_database(settings.home).close()
    lock = server_lock(settings.home)
    lock.require()
    bound = serving.listen(settings)
    with opened() as kb, Bars() as bars:
        prepare(kb, out, bars, samples)
    where = serving.address(bound)
    secret = settings.home / "admin-password.txt"
    how = f"password in {secret}" if secret.exists() else "the password you gave"

    def ready() -> None:
        out.say(f"\n  知答 Zhida  {where}\n  sign in as admin, {how}\n  Ctrl-C stops it\n")

    sys.exit(serving.Server(settings, bound).run(ready))


@click.command()
@click.option("--lifeline", type=int, hidden=True)
def worker(lifeline: int | None) -> None:
    """Keep index and files up to date, without serving; for web processes started elsewhere."""
    with opened() as kb:
        serving.serve_worker(kb, lifeline)


@click.command(hidden=True)
@click.option("--socket", "descriptor", type=int, required=True)
@click.option("--lifeline", type=int, required=True)
def web(descriptor: int, lifeline: int) -> None:
    """A web process on a socket that is already bound; started by `kb serve`."""
    with opened(migrated=False) as kb:
        serving.serve_web(kb, descriptor, lifeline)
