"""How commands talk: data on standard output, progress and remarks on standard error, exit codes 0, 1 and 2."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from kb_app.errors import KbError
from kb_app.kb import Kb, open_kb
from kb_app.settings import load_settings
from search.errors import SearchError

STAGES = {"chunk": "reading", "words": "words", "lexical": "postings", "embed": "vectors", "seal": "writing"}


@dataclass(frozen=True, slots=True)
class Out:
    """Where a command writes; `as_json` is the --json switch."""

    as_json: bool

    def data(self, value: Any, text: str) -> None:
        """The result: JSON when asked for, otherwise text."""
        click.echo(json.dumps(value, ensure_ascii=False, indent=1) if self.as_json else text)

    def say(self, text: str) -> None:
        """A remark for a person."""
        click.echo(text, err=True)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")


@contextmanager
def opened(migrated: bool = True) -> Iterator[Kb]:
    """The Kb of this environment; a database that was never made or is behind is migrated first."""
    kb = open_kb(load_settings())
    try:
        if migrated and kb.database.pending():
            kb.database.migrate()
        yield kb
    finally:
        kb.close()


class Bars:
    """Progress bars on a terminal, one line per stage elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = self._console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=self._console, disable=not self._live,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def stage(self, name: str, done: int, total: int) -> None:
        """Show a stage at `done` of `total` (0 while the total is unknown)."""
        label = STAGES.get(name, name)
        if label not in self._tasks:
            self._tasks[label] = self._progress.add_task(label, total=None)
        self._progress.update(self._tasks[label], completed=done, total=total or None)
        if not self._live and total and done == total:
            self._console.print(f"{label}: {done}", highlight=False)


_ROOM = "Make room on that disk and do it again; what was there is as it was."
_RIGHTS = "Give this account the right to, or name another place."
_HINTS = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.EIO: "Do it again; if it stays, see whether the disk is sound.",
}


class Translated(click.Group):
    """A group whose commands end with a message and exit code instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (KbError, SearchError) as error:
            hint = f"\n  {error.hint}" if error.hint else ""
            click.echo(f"kb: {error}{hint}", err=True)
            sys.exit(1)
        except OSError as error:
            if error.errno == errno.EPIPE:  # The reader went away; click ends quietly.
                raise
            hint = _HINTS.get(error.errno or 0, _HINTS[errno.EIO])
            click.echo(f"kb: {error.filename or 'the system'}: {error.strerror or error}\n  {hint}", err=True)
            sys.exit(1)
