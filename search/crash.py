"""Named places at which a test can end the process as a crash would: `KB_CRASH_AT=index.manifest kb worker`."""

from __future__ import annotations

import os

VARIABLE = "KB_CRASH_AT"
STATUS = 137
"""What a process that was killed with SIGKILL ends with."""
POINTS = (
    "publish.before_commit",
    "publish.after_commit",
    "files.before_rename",
    "files.after_rename",
    "index.clone",
    "index.block",
    "index.lexical",
    "index.seal",
    "index.manifest",
    "index.rename",
    "index.pointer",
    "index.prune",
)
"""Every step of publishing and indexing after which something is on disk that was not there before."""


def crash_point(name: str) -> None:
    """End here without any cleaning up when this point is asked for; otherwise nothing."""
    if os.environ.get(VARIABLE) == name:
        os._exit(STATUS)
