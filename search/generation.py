"""A generation: one immutable, checksummed index folder, and the pointer to the current one.

index/
  current          the number of the generation in use, replaced atomically
  7/manifest.json  written last: sizes and SHA-256 of every other file, and what made them
  7/documents.jsonl passages.jsonl columns.npy vectors.npy centroids.npy hashes.npy completions.jsonl
  7/spelling.npz lexical/
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from search.errors import IndexCorrupt, IndexMissing

FORMAT = 4
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileSeal:
    """Size in bytes and SHA-256 of one file."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation holds and what made it; `outbox_id` is the last change it contains."""

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
        files = {name: FileSeal(**seal) for name, seal in raw.pop("files").items()}
        raw |= {name: tuple(raw[name]) for name in ("categories", "products", "tags")}
        manifest = Manifest(**raw, files=files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise IndexCorrupt(
            f"{folder / 'manifest.json'} cannot be read: {error}", "run `kb index build`; the database has everything"
        ) from error
    if manifest.format != FORMAT:
        raise IndexCorrupt(
            f"{folder} has index format {manifest.format}, this version reads {FORMAT}", "run `kb index build`"
        )
    return manifest


def verify(folder: Path, manifest: Manifest) -> None:
    """Compare every file with its checksum; `IndexCorrupt` names the first that differs."""
    for name, seal in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise IndexCorrupt(f"{path} is missing", "run `kb index build`; the database has everything")
        if path.stat().st_size != seal.size or _sha256(path) != seal.sha256:
            raise IndexCorrupt(f"{path} differs from its checksum", "run `kb index build`; the database has everything")


def seal(folder: Path) -> dict[str, FileSeal]:
    """Fsync every file of a folder and return their checksums by relative name."""
    seals = {}
    for path in _files(folder):
        sync(path)
        seals[path.relative_to(folder).as_posix()] = FileSeal(path.stat().st_size, _sha256(path))
    return seals


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, which makes the folder a generation, and fsync it and its folders."""
    raw = asdict(manifest)
    replace_file(folder / "manifest.json", json.dumps(raw | {"sha256": _digest(raw)}, ensure_ascii=False, indent=1))
    for inner in sorted({path.parent for path in _files(folder)} | {folder}):
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
    """The manifest without its list of files, for status pages."""
    return {k: v for k, v in asdict(manifest).items() if k not in ("files", "tags")}


def _digest(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "manifest.json")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
