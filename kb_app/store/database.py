"""Two SQLite files, their connections and their migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session, sessionmaker

from kb_app.errors import Unavailable
from kb_app.store.failures import translated

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MILLISECONDS = 10_000


@dataclass(frozen=True, slots=True)
class Half:
    """One database file: its name, its migrations and how hard it syncs."""

    name: str
    synchronous: str


KNOWLEDGE = Half("knowledge", "FULL")
TRAFFIC = Half("traffic", "NORMAL")
HALVES = (KNOWLEDGE, TRAFFIC)


class Database:
    """Sessions over both files. `read` never blocks; `write` holds the file's one write lock to its end."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._engines = {half.name: _engine(home, half) for half in (KNOWLEDGE, TRAFFIC)}
        self._sessions = {name: sessionmaker(engine, expire_on_commit=False) for name, engine in self._engines.items()}

    @contextmanager
    def read(self, half: Half = KNOWLEDGE) -> Iterator[Session]:
        """A session on one snapshot, for reading."""
        with translated(self.home), self._sessions[half.name]() as session:
            session.connection(execution_options={"begin": "BEGIN"})
            yield session

    @contextmanager
    def write(self, half: Half = KNOWLEDGE) -> Iterator[Session]:
        """A session that commits when the block ends and rolls back when it raises."""
        with translated(self.home), self._sessions[half.name]() as session, session.begin():
            session.connection(execution_options={"begin": "BEGIN IMMEDIATE"})
            yield session

    def migrate(self) -> None:
        """Bring both files to the newest schema, creating them if need be; `Unavailable` when theirs is newer."""
        refuse_unknown(self.revisions())
        for half in HALVES:
            with translated(self.home), self._remaking(half) as connection:
                command.upgrade(_config(half, connection), "head")

    def downgrade(self, half: Half, revision: str) -> None:
        """Take one file back to an earlier schema."""
        with translated(self.home), self._remaking(half) as connection:
            command.downgrade(_config(half, connection), revision)

    @contextmanager
    def _remaking(self, half: Half) -> Iterator[Connection]:
        """A connection for migrations, which change a table by dropping it after its rows are in another.

        With foreign keys on, dropping it would delete every row that refers to it as well.
        """
        with self._engines[half.name].connect() as connection:
            connection.detach()
            # Past SQLAlchemy, which would begin a transaction, where this does nothing.
            connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
            yield connection

    def pending(self) -> list[str]:
        """Files whose schema is not the newest."""
        have = self.revisions()
        return [half.name for half in HALVES if have[half.name] != _scripts(half).get_current_head()]

    def revisions(self) -> dict[str, str]:
        """The schema of each file, "" for one that has none."""
        found = {}
        for half in HALVES:
            with translated(self.home), self._engines[half.name].connect() as connection:
                found[half.name] = MigrationContext.configure(connection).get_current_revision() or ""
        return found

    def check(self) -> list[str]:
        """What SQLite's own integrity check finds, empty when all is well."""
        found = []
        for half in (KNOWLEDGE, TRAFFIC):
            with self.read(half) as session:
                lines = session.execute(text("PRAGMA integrity_check")).scalars().all()
            found += [f"{half.name}: {line}" for line in lines if line != "ok"]
        return found

    def close(self) -> None:
        """Close every connection."""
        for engine in self._engines.values():
            engine.dispose()


def open_database(home: Path) -> Database:
    """The database under `home`; `Unavailable` when the folder cannot be written."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise Unavailable(
            f"KB_HOME {home} cannot be written: {error.strerror or error}",
            "Give this account the right to write there, or set KB_HOME to a folder that it may write.",
        ) from error
    return Database(home)


def refuse_unknown(revisions: Mapping[str, str]) -> None:
    """`Unavailable` when one of these schemas, by name of the file, comes from a later version than this."""
    for half in HALVES:
        try:
            _scripts(half).get_revision(revisions[half.name] or "base")
        except CommandError as error:
            raise Unavailable(
                f"{half.name}.sqlite has schema {revisions[half.name]}, made by a later version than this",
                "Install that version, or restore a backup made by this one.",
            ) from error


def _engine(home: Path, half: Half) -> Engine:
    engine = create_engine(f"sqlite:///{home / half.name}.sqlite")

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver's own BEGIN comes too late and never IMMEDIATE: transactions are begun below.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={BUSY_MILLISECONDS}",
            "journal_mode=WAL",
            f"synchronous={half.synchronous}",
            "foreign_keys=ON",
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def _scripts(half: Half) -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(half, None))


def _config(half: Half, connection: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("version_locations", str(MIGRATIONS / half.name))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, half=half.name)
    return config
