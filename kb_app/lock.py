"""One writer per KB_HOME."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from kb_app.errors import HomeInUse


class FileLock:
    """A lock file held by a process until it releases it or dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock; False when another process holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def require(self) -> None:
        """Take the lock or raise `HomeInUse`."""
        if not self.acquire():
            raise self.in_use(f"another process writes to {self._path.parent}")

    def in_use(self, message: str) -> HomeInUse:
        """The error that names the process holding the lock."""
        holder = self._path.read_text("ascii", "replace").strip() or "unknown"
        return HomeInUse(f"{message} (process {holder})", "Stop it first, or give this one a KB_HOME of its own.")


def writer_lock(home: Path) -> FileLock:
    """Held by the worker, the only process that builds indexes and writes article files."""
    return FileLock(home / "writer.lock")


def server_lock(home: Path) -> FileLock:
    """Held by `kb serve`: one server per KB_HOME."""
    return FileLock(home / "server.lock")
