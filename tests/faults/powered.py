"""A folder mounted over a disk that can lose its power: `python -m tests.faults.powered SOURCE MOUNT CUT JSON`.

JSON has `at`, the number of the change before which the power goes, `seed`, and `honest`. From the cut on every call
fails; CUT then holds what is left, and CUT.json what was lost how. Without a cut in time it happens at unmounting.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from random import Random
from typing import Any

import mfusepy as fuse

from tests.faults.disk import Disk, File, Folder


class Powered(fuse.Operations):
    """Passes every call on to a folder and keeps account of what a cut would leave."""

    use_ns = True

    def __init__(self, source: Path, cut: Path, plan: dict[str, Any]) -> None:
        self._source = source
        self._cut = cut
        self._at = plan["at"]
        self._random = Random(plan["seed"])
        self._disk = Disk(source, plan["honest"])
        self._off = False
        self._files: dict[int, File] = {}

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        self._power()
        status = os.lstat(self._real(path)) if fh is None else os.fstat(fh)
        names = ("mode", "nlink", "uid", "gid", "size", "ino")
        times = {f"st_{name}time": getattr(status, f"st_{name}time_ns") for name in "amc"}
        return {f"st_{name}": getattr(status, f"st_{name}") for name in names} | times

    def readdir(self, path: str, fh: int) -> list[str]:
        self._power()
        return [".", "..", *os.listdir(self._real(path))]

    def statfs(self, path: str) -> dict[str, int]:
        status = os.statvfs(self._real(path))
        return {name: getattr(status, name) for name in dir(status) if name.startswith("f_") and name != "f_fsid"}

    def open(self, path: str, flags: int) -> int:
        self._power()
        handle = os.open(self._real(path), flags & ~os.O_APPEND)
        self._files[handle] = self._file(path)
        if flags & os.O_TRUNC:
            self._disk.truncate(self._files[handle], 0)
        return handle

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self._change()
        handle = os.open(self._real(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)
        self._files[handle] = File()
        self._disk.name(path, self._files[handle])
        return handle

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self._power()
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._change()
        self._disk.write(self._files[fh], offset, bytes(data))
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        self._change()
        self._disk.truncate(self._file(path) if fh is None else self._files[fh], length)
        os.truncate(self._real(path) if fh is None else fh, length)
        return 0

    def flush(self, path: str, fh: int) -> int:
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._change()
        self._disk.sync(self._files[fh])
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self._change()
        self._disk.sync(self._disk.find(path))
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        self._files.pop(fh, None)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        self._change()
        os.mkdir(self._real(path), mode)
        self._disk.name(path, Folder())
        return 0

    def unlink(self, path: str) -> int:
        self._change()
        os.unlink(self._real(path))
        self._disk.remove(path)
        return 0

    def rmdir(self, path: str) -> int:
        self._change()
        os.rmdir(self._real(path))
        self._disk.remove(path)
        return 0

    def rename(self, old: str, new: str) -> int:
        self._change()
        os.rename(self._real(old), self._real(new))
        self._disk.rename(old, new)
        return 0

    def link(self, target: str, source: str) -> int:
        self._change()
        os.link(self._real(source), self._real(target))
        self._disk.name(target, self._disk.find(source))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._power()
        os.chmod(self._real(path), mode)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        self._power()
        os.utime(self._real(path), ns=times)
        return 0

    def destroy(self, path: str) -> None:
        self._cut_now()

    def _real(self, path: str) -> str:
        return f"{self._source}{path}"

    def _file(self, path: str) -> File:
        found = self._disk.find(path)
        assert isinstance(found, File)
        return found

    def _change(self) -> None:
        if self._disk.now >= self._at:
            self._cut_now()
        self._power()

    def _power(self) -> None:
        if self._off:
            raise fuse.FuseOSError(errno.EIO)

    def _cut_now(self) -> None:
        if self._off:
            return
        self._off = True
        fate = self._disk.cut(self._cut, self._random)
        self._cut.with_suffix(".json").write_text(json.dumps({"fate": fate, "changes": self._disk.now}))


def main(source: str, mount: str, cut: str, plan: str) -> None:
    """Serve the mount until it is unmounted."""
    operations = Powered(Path(source), Path(cut), json.loads(plan))
    # One thread: changes have one order.
    fuse.FUSE(operations, mount, foreground=True, nothreads=True, hard_remove=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
