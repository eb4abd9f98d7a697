"""A generation: one immutable, checksummed index folder, and the pointer to the current one.

index/
  current          the number of the generation in use, replaced atomically
  7/manifest.json  written last: sizes and SHA-256 of every other file, and what made them
  7/blocks/5-1/ …  documents, passages and vectors, see `search.blocks`; shared with other generations by hard links
  7/lexical/       the lexical engine's own files
  7/dead.npy       documents that a later block replaced
  7/calibration.json
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from search.errors import IndexCorrupt, IndexMismatch, IndexMissing

FORMAT = 5
DEAD = "dead.npy"
SEALS = "seals.json"
_CHUNK = 1 << 20
_LONG = ("files", "blocks", "categories", "products", "tags")
_LOCK = ".lock"
_MEND = "run `kb index build`; the database has everything"


@dataclass(frozen=True, slots=True)
class FileSeal:
    """Size in bytes and SHA-256 of one file."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation holds and what made it.

    `outbox_id` is the last change it contains; `documents` and `passages` can be found, `dead` documents were replaced.
    `built` is the number of the full build it goes back to, which made the first `built_blocks` of its `blocks`.
    """

    format: int
    number: int
    created_at: str
    analyser: str
    lexical: str
    vectors: str
    encoder: str
    dimension: int
    outbox_id: int
    documents: int
    passages: int
    dead: int
    built: int
    built_blocks: int
    blocks: tuple[str, ...]
    categories: tuple[str, ...]
    products: tuple[str, ...]
    tags: tuple[str, ...]
    files: Mapping[str, FileSeal]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a generation folder; `IndexCorrupt` when it cannot be read."""
    try:
        raw = json.loads((folder / "manifest.json").read_text("utf-8"))
        if raw.pop("sha256") != _digest(raw):
            raise ValueError("it differs from its checksum")
        if raw["format"] != FORMAT:
            raise IndexMismatch(
                f"{folder} has index format {raw['format']}, this version reads {FORMAT}", "run `kb index build`"
            )
        files = {name: FileSeal(**seal) for name, seal in raw.pop("files").items()}
        raw |= {name: tuple(raw[name]) for name in ("blocks", "categories", "products", "tags")}
        manifest = Manifest(**raw, files=files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise IndexCorrupt(f"{folder / 'manifest.json'} cannot be read: {error}", _MEND) from error
    return manifest


class Stamp(NamedTuple):
    """A file that was compared with a checksum; one that is written again has another."""

    device: int
    inode: int
    size: int
    changed: int
    sha256: str

    @staticmethod
    def of(path: Path, sha256: str) -> Stamp:
        """The stamp of a file that is said to have this checksum."""
        status = path.stat()
        return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, sha256)


def verify(folder: Path, manifest: Manifest, verified: frozenset[Stamp] = frozenset()) -> frozenset[Stamp]:
    """Compare every file of a generation with its checksum; `IndexCorrupt` names the first that differs.

    Files among `verified` are not read again. Returns the stamps of all files of this generation.
    """
    return verify_files(folder, manifest.files, verified)


def verify_files(
    folder: Path, files: Mapping[str, FileSeal], verified: frozenset[Stamp] = frozenset()
) -> frozenset[Stamp]:
    """The same for some files of a folder."""
    return frozenset(_compared(folder / name, seal, verified) for name, seal in files.items())


def _compared(path: Path, seal: FileSeal, verified: frozenset[Stamp]) -> Stamp:
    try:
        stamp = Stamp.of(path, seal.sha256)
        intact = path.is_file() and stamp.size == seal.size and (stamp in verified or _sha256(path) == seal.sha256)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IndexCorrupt(f"{path} is missing", _MEND) from error
    if not intact:
        raise IndexCorrupt(f"{path} differs from its checksum", _MEND)
    return stamp


def seal(folder: Path, shared: Mapping[str, FileSeal] | None = None) -> dict[str, FileSeal]:
    """Fsync every file of a folder and return their checksums by relative name.

    `shared` are files that are hard links to ones that were sealed before.
    """
    seals = dict(shared or {})
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if name not in seals:
            sync(path)
            seals[name] = FileSeal(path.stat().st_size, _sha256(path))
    return seals


@dataclass(frozen=True, slots=True)
class Seals:
    """The checksums of a finished block, and the encoder that made its vectors."""

    encoder: str
    files: Mapping[str, FileSeal]


def write_seals(folder: Path, seals: Seals) -> None:
    """Write the checksums of a block beside its files, which shows that it is complete."""
    raw = asdict(seals)
    replace_file(folder / SEALS, json.dumps(raw | {"sha256": _digest(raw)}))


def read_seals(folder: Path) -> Seals:
    """What `write_seals` wrote; `IndexCorrupt` when the block is not complete or its seals are damaged."""
    try:
        raw = json.loads((folder / SEALS).read_text("utf-8"))
        if raw.pop("sha256") != _digest(raw):
            raise ValueError("it differs from its checksum")
        return Seals(raw["encoder"], {name: FileSeal(**seal) for name, seal in raw["files"].items()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise IndexCorrupt(f"{folder / SEALS} cannot be read: {error}", _MEND) from error


def clone(folder: Path, beside: Path) -> dict[str, FileSeal]:
    """Link every file of a generation into a new folder; their seals by relative name.

    The manifest is left out, and what each generation has of its own: the lexical engine's locks and the documents
    that are dead.
    """
    files = read_manifest(folder).files
    shared = {name: seal for name, seal in files.items() if name != DEAD}
    for name in shared:
        (beside / name).parent.mkdir(parents=True, exist_ok=True)
        _link(folder / name, beside / name)
    return shared


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        # Some file systems have no hard links, and each has a limit of them for one file.
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            raise
        shutil.copy2(source, target)


def kept_links(folder: Path, beside: Path, shared: Mapping[str, FileSeal]) -> dict[str, FileSeal]:
    """Those of the linked files that are still the same file: what was replaced has to be sealed again."""
    return {name: seal for name, seal in shared.items() if _same_file(folder / name, beside / name)}


def _same_file(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, which makes the folder a generation, and fsync it and its folders."""
    raw = asdict(manifest)
    replace_file(folder / "manifest.json", json.dumps(raw | {"sha256": _digest(raw)}, ensure_ascii=False, indent=1))
    for inner in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        sync(inner)
    sync(folder.parent)


def replace_file(path: Path, text: str) -> None:
    """Replace a small file in one step: after a crash it is the old or the new one, never half."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, "utf-8")
    sync(beside)
    beside.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Fsync a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def current_number(root: Path) -> int:
    """The number the `current` pointer names; `IndexMissing` when there is none."""
    try:
        return int((root / "current").read_text("ascii"))
    except FileNotFoundError as error:
        raise IndexMissing("there is no search index yet", "run `kb index build`") from error
    except ValueError as error:
        raise IndexCorrupt(f"{root / 'current'} does not hold a number", "run `kb index build`") from error


def set_current(root: Path, number: int) -> None:
    """Point readers at a generation."""
    replace_file(root / "current", str(number))


def pointer_stamp(root: Path) -> tuple[int, int] | None:
    """What changes when the pointer changes; one `stat`."""
    try:
        status = (root / "current").stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino


def next_number(root: Path) -> int:
    """A number above every generation ever made here, quarantined ones included."""
    numbers = [int(name) for path in root.iterdir() if (name := path.name.partition(".")[0]).isdigit()]
    return max(numbers, default=0) + 1


def quarantine(folder: Path) -> Path:
    """Move a broken generation aside, keeping the evidence."""
    aside = folder.with_name(f"{folder.name}.corrupt-{time.strftime('%Y%m%dT%H%M%S')}")
    folder.rename(aside)
    return aside


def describe(manifest: Manifest) -> dict[str, Any]:
    """The manifest without its long lists, for status pages."""
    return {k: v for k, v in asdict(manifest).items() if k not in _LONG}


def _digest(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "manifest.json" and path.suffix != _LOCK:
            yield path


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
