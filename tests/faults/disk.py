"""A disk that loses its power: what was synced stays, what was not is lost, kept or torn as chance has it.

The model of POSIX, not of one file system: `fsync` of a file keeps its bytes, `fsync` of a folder keeps its names, and
neither keeps the other. Changes of names reach the disk in order, as with a journal; bytes in any order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

PAGE = 4096
SECTOR = 512


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes written at a place, and when."""

    at: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Length:
    """A file cut or grown to a length, and when."""

    at: int
    length: int


@dataclass(eq=False)
class File:
    """A file: its bytes on the disk and the changes that were not synced."""

    disk: bytes = b""
    unsynced: list[Bytes | Length] = field(default_factory=list)


@dataclass(eq=False)
class Folder:
    """A folder: its names as processes see them, and on the disk."""

    seen: dict[str, File | Folder] = field(default_factory=dict)
    disk: dict[str, File | Folder] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Names:
    """One change of names, which happens whole or not at all: (folder, name, what it names now)."""

    at: int
    changes: tuple[tuple[Folder, str, File | Folder | None], ...]


class Disk:
    """A tree of files. `now` counts every change."""

    def __init__(self, source: Path, honest: bool = True) -> None:
        """Take `source` as it is for synced; a disk that is not honest acknowledges syncs and forgets them."""
        self.root = _read(source)
        self.now = 0
        self._honest = honest
        self._unsynced: list[Names] = []

    def find(self, path: str) -> File | Folder:
        """What a path names; KeyError when it names nothing."""
        here: File | Folder = self.root
        for name in _parts(path):
            assert isinstance(here, Folder)
            here = here.seen[name]
        return here

    def write(self, file: File, offset: int, data: bytes) -> None:
        """Bytes that will be on the disk some day."""
        self.now += 1
        file.unsynced.append(Bytes(self.now, offset, data))

    def truncate(self, file: File, length: int) -> None:
        """A length that will be on the disk some day."""
        self.now += 1
        file.unsynced.append(Length(self.now, length))

    def name(self, path: str, what: File | Folder) -> None:
        """Let a path name something: a new file or folder, or a second name for one."""
        self._names((path, what))

    def remove(self, path: str) -> None:
        """Let a path name nothing."""
        self._names((path, None))

    def rename(self, old: str, new: str) -> None:
        """Let a path name what another did, in one step."""
        self._names((old, None), (new, self.find(old)))

    def sync(self, what: File | Folder) -> None:
        """Make the bytes of a file or the names in a folder stay."""
        self.now += 1
        if not self._honest:
            return
        if isinstance(what, File):
            what.disk, what.unsynced = _applied(what.disk, what.unsynced), []
            return
        mine = [step for step in self._unsynced if any(folder is what for folder, _, _ in step.changes)]
        _happen(mine)
        self._unsynced = [step for step in self._unsynced if step not in mine]

    def cut(self, target: Path, random: Random) -> str:
        """Write what a power cut leaves to `target`, and say how the unsynced fared: lost, prefix or subset."""
        fate = random.choice(("lost", "prefix", "subset"))
        upto = {"lost": 0, "prefix": random.randint(0, self.now), "subset": self.now}[fate]
        last_name = random.randint(0, self.now) if fate == "subset" else upto
        _happen(step for step in self._unsynced if step.at <= last_name)
        _write(self.root, target, {}, lambda file: _survivors(file, upto, fate == "subset", random))
        return fate

    def _names(self, *changes: tuple[str, File | Folder | None]) -> None:
        self.now += 1
        step = Names(self.now, tuple((*self._entry(path), what) for path, what in changes))
        for folder, name, what in step.changes:
            _set(folder.seen, name, what)
        self._unsynced.append(step)

    def _entry(self, path: str) -> tuple[Folder, str]:
        *parents, name = _parts(path)
        folder = self.find("/".join(parents))
        assert isinstance(folder, Folder)
        return folder, name


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _read(source: Path) -> Folder:
    folder = Folder()
    for path in source.iterdir():
        folder.seen[path.name] = _read(path) if path.is_dir() else File(path.read_bytes())
    folder.disk = dict(folder.seen)
    return folder


def _set(names: dict[str, File | Folder], name: str, what: File | Folder | None) -> None:
    if what is None:
        names.pop(name, None)
    else:
        names[name] = what


def _happen(steps: Iterable[Names]) -> None:
    for step in steps:
        for folder, name, what in step.changes:
            _set(folder.disk, name, what)


def _applied(data: bytes, changes: Iterable[Bytes | Length]) -> bytes:
    result = bytearray(data)
    for change in changes:
        end = change.length if isinstance(change, Length) else change.offset + len(change.data)
        if len(result) < end:
            result += bytes(end - len(result))
        if isinstance(change, Length):
            del result[end:]
        else:
            result[change.offset : end] = change.data
    return bytes(result)


def _survivors(file: File, upto: int, scattered: bool, random: Random) -> bytes:
    """The bytes of a file after the cut; in scattered changes the last one that survives is torn."""
    kept = [change for change in file.unsynced if change.at <= upto]
    if scattered:
        kept = [piece for change in kept for piece in _pieces(change) if random.random() < 0.5]
        if kept and isinstance(last := kept[-1], Bytes):
            kept[-1] = Bytes(last.at, last.offset, last.data[: random.randrange(0, len(last.data) + 1, SECTOR)])
    return _applied(file.disk, kept)


def _pieces(change: Bytes | Length) -> list[Bytes | Length]:
    """A change as the pages that reach the disk one by one."""
    if isinstance(change, Length):
        return [change]
    starts = range(-(change.offset % PAGE), len(change.data), PAGE)
    return [Bytes(change.at, change.offset + max(s, 0), change.data[max(s, 0) : s + PAGE]) for s in starts]


def _write(folder: Folder, target: Path, written: dict[int, Path], survivors: Callable[[File], bytes]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name, what in folder.disk.items():
        path = target / name
        if isinstance(what, Folder):
            _write(what, path, written, survivors)
        elif id(what) in written:
            os.link(written[id(what)], path)
        else:
            path.write_bytes(survivors(what))
            written[id(what)] = path
