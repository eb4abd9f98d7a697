"""Whole copies of a SQLite file that is in use."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from kb_app.errors import HomeInUse, Unavailable
from kb_app.store.database import BUSY_MILLISECONDS

SIDES = ("-wal", "-shm")
"""What SQLite keeps beside a file in WAL mode. A `-wal` that outlives its file would be replayed into the next one."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The schema of a file, "" when it has none, and the rows of each of its tables."""

    revision: str
    rows: dict[str, int]


def copy(source: Path, target: Path) -> None:
    """Write one moment of `source` into the new file `target` and check it; writers of `source` never wait.

    Raises `Unavailable` when either file cannot be used.
    """
    try:
        with _opened(source) as here, closing(sqlite3.connect(target)) as there:
            here.backup(there)
            # A copy in WAL mode would grow side files as soon as somebody looks into it.
            there.execute("PRAGMA journal_mode=DELETE")
            found = [line for (line,) in there.execute("PRAGMA integrity_check") if line != "ok"]
        shutil.copymode(source, target)
        if found:
            raise sqlite3.DatabaseError("; ".join(found))
    except sqlite3.Error as error:
        raise Unavailable(
            f"{source.name} cannot be copied to {target.parent}: {error}",
            "Is there room on that disk? `kb doctor` checks the database.",
        ) from error


def contents(path: Path) -> Contents:
    """What a file that nobody uses holds."""
    with _opened(path) as connection:
        named = connection.execute("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'")
        tables = sorted(name for (name,) in named)
        rows = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}
        has_schema = rows.pop("alembic_version", 0)
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0] if has_schema else ""
    return Contents(revision, rows)


def settle(path: Path) -> None:
    """Fold the side files into `path`, if it can be read at all; `HomeInUse` while any process has it open."""
    try:
        with _opened(path, seconds=1) as connection:
            # Leaving WAL mode takes the file for itself alone, and so finds every other process out.
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise HomeInUse(
                f"another process has {path} open", "Stop servers, workers and commands that use this KB_HOME."
            ) from error


@contextmanager
def _opened(path: Path, seconds: float = BUSY_MILLISECONDS / 1000) -> Iterator[sqlite3.Connection]:
    """A connection to a file that exists: by its plain name a missing one would be made."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=seconds)) as connection:
        yield connection
