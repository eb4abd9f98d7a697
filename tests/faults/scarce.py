"""A place on a disk that has little room, or whose files may not grow."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILLER = "filler"


@contextmanager
def little_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own; needs root."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        # What was killed may still be closing its files.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, left: int) -> None:
    """Leave `left` bytes of room."""
    free = shutil.disk_usage(disk).free
    with (disk / FILLER).open("wb") as filler:
        for _ in range(max(0, free - left) // (1 << 16)):
            filler.write(bytes(1 << 16))
        filler.write(bytes(max(0, shutil.disk_usage(disk).free - left) // 4096 * 4096))


def make_room(disk: Path) -> None:
    """Give the room back."""
    (disk / FILLER).unlink()


def may_not_grow(size: int) -> list[str]:
    """What goes before a command so that it cannot write a file beyond `size` bytes."""
    return ["prlimit", f"--fsize={size}"]
