"""What SQLite says when its files cannot be used, in our words."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from kb_app.errors import DiskFull, KbError, Unavailable

LITTLE_BYTES = 1 << 20
"""With less than this SQLite's "I/O error" is one about space: it says so of its shared memory and its log."""


@contextmanager
def translated(home: Path) -> Iterator[None]:
    """Turn a full disk, an I/O error, a lock that is not given up and a damaged file into errors with a hint."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        told = _told(cause, home)
        if told is None:
            raise
        raise told from error


def _told(cause: BaseException | None, home: Path) -> KbError | None:
    code = (getattr(cause, "sqlite_errorcode", None) or 0) & 0xFF  # The rest says where it happened.
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(home)):
        return DiskFull(f"the disk of {home} is full", "Make room there and do it again; nothing is half stored.")
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
        return Unavailable(
            f"the database in {home} cannot be used: {cause}",
            "Do it again; if it stays, see whether the disk is sound and this account may write there.",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Unavailable(f"the database in {home} is in use by another process", "Do it again in a moment.")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return KbError(f"the database in {home} is damaged: {cause}", "Restore a backup.")
    return None


def _is_full(home: Path) -> bool:
    return shutil.disk_usage(home).free < LITTLE_BYTES
