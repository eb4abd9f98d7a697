"""Copy a knowledge base while it is in use, and make a knowledge base of a copy.

TARGET/
  backup.json        written last: what made the copy, what it holds, and the SHA-256 of every other file
  knowledge.sqlite traffic.sqlite   each one moment of its database
  secret.key calibration.json samples-imported models/ runs/   what else KB_HOME cannot make again
  index/             the generation in use: it is never newer than the database beside it
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from kb_app.clock import Clock, stamp
from kb_app.errors import BadInput, Conflict, NotFound, Unavailable
from kb_app.lock import server_lock, writer_lock
from kb_app.settings import Settings
from kb_app.store import copies
from kb_app.store.database import HALVES, Database, refuse_unknown
from search.errors import SearchError
from search.generation import current_number, read_manifest, replace_file, set_current, sync, verify

FORMAT = 1
MANIFEST = "backup.json"
INDEX = "index"
TRUTH = "knowledge.sqlite"
DATABASES = tuple(f"{half.name}.sqlite" for half in HALVES)
KEPT = ("secret.key", "calibration.json", "samples-imported", "models", "runs")
"""Besides databases and index. `admin-password.txt` stays behind: the password's hash is in the database."""
STAGE = ".restoring"
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds. `rows` counts by database and table; `index` is a generation's number, None without one."""

    format: int
    version: str
    created_at: str
    revisions: Mapping[str, str]
    rows: Mapping[str, Mapping[str, int]]
    index: int | None
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: where it put what was there before, None when nothing was."""

    backup: Backup
    aside: Path | None


def backup(settings: Settings, target: Path, clock: Clock, with_index: bool = True) -> Backup:
    """Copy the knowledge base into the new folder `target`; servers and workers go on writing.

    Everything acknowledged before the call is in it. The folder appears whole or not at all.
    """
    target = target.absolute()
    _refuse_target(settings, target)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir(mode=0o700)
        made = _fill(settings, beside, stamp(clock), with_index)
        beside.rename(target)
        sync(target.parent)
    except OSError as error:
        raise Unavailable(
            f"the backup cannot be written to {target}: {error.strerror or error}",
            "Nothing is left of it. Give it room and the right to write there, or name another folder.",
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return made


def restore(settings: Settings, source: Path, clock: Clock, replace: bool = False, with_index: bool = True) -> Restored:
    """Make `settings.home` what the backup `source` holds, in this version's schema.

    Everything is checked before anything is touched. `Conflict` when there is a database already, unless `replace`,
    which moves it aside; `HomeInUse` while a process works with it.
    """
    made = check(source, with_index)
    home = settings.home
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        _refuse_home(home, replace)
        stage = home / STAGE
        shutil.rmtree(stage, ignore_errors=True)
        try:
            _stage(source, stage, _wanted(made, with_index))
            aside = _put_aside(home, stamp(clock))
            _move_in(stage, home)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    return Restored(made, aside)


def check(source: Path, with_index: bool = True) -> Backup:
    """What the backup `source` holds, every checksum compared; raises what is wrong with it."""
    made = _read(source)
    refuse_unknown(made.revisions)
    for name in _wanted(made, with_index):
        path = source / name
        if not path.is_file() or _sha256(path) != made.files[name]:
            state = "differs from its checksum" if path.is_file() else "is missing"
            hint = "`--no-index` restores without it." if name.startswith(f"{INDEX}/") else "Take another backup."
            raise BadInput(f"{path} {state}; nothing was restored", hint)
    return made


def _refuse_target(settings: Settings, target: Path) -> None:
    if target.exists():
        raise Conflict(f"{target} exists already", "Name a folder that does not exist yet; it will be made.")
    if not (settings.home / TRUTH).is_file():
        raise NotFound(f"there is no knowledge base in {settings.home}", "Set KB_HOME to the folder that has it.")


def _fill(settings: Settings, folder: Path, at: str, with_index: bool) -> Backup:
    # The index first: then the database knows every change that it holds.
    number = _copy_index(settings.index_root, folder / INDEX) if with_index else None
    for name in DATABASES:
        copies.copy(settings.home / name, folder / name)
    for name in KEPT:
        _copy_tree(settings.home / name, folder / name)
    found = {half.name: copies.contents(folder / f"{half.name}.sqlite") for half in HALVES}
    made = Backup(
        format=FORMAT,
        version=metadata.version("zhida"),
        created_at=at,
        revisions={name: held.revision for name, held in found.items()},
        rows={name: held.rows for name, held in found.items()},
        index=number,
        files=_sealed(folder),
    )
    raw = asdict(made)
    replace_file(folder / MANIFEST, json.dumps(raw | {"sha256": _digest(raw)}, ensure_ascii=False, indent=1))
    return made


def _copy_index(root: Path, target: Path) -> int | None:
    """Link or copy the generation in use; None when there is none that is whole."""
    for _ in range(_ATTEMPTS):
        try:
            number = current_number(root)
            folder = target / str(number)
            _copy_tree(root / str(number), folder, linked=True)
            verify(folder, read_manifest(folder))
            set_current(target, number)
            return number
        except (FileNotFoundError, SearchError):
            # It may have been replaced and cleared away while it was read: then the next one is there.
            shutil.rmtree(target, ignore_errors=True)
    return None


def _copy_tree(source: Path, target: Path, linked: bool = False) -> None:
    """Copy a file or all files of a folder, or nothing where there is nothing."""
    for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if path.is_file():
            goal = target / path.relative_to(source)
            goal.parent.mkdir(parents=True, exist_ok=True)
            (_link if linked else shutil.copy)(path, goal)


def _link(source: Path, target: Path) -> None:
    """Link a file that never changes; copy it where the file system cannot."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy(source, target)


def _sealed(folder: Path) -> dict[str, str]:
    """Fsync everything below a folder; the SHA-256 of each file."""
    inside = sorted(folder.rglob("*"))
    for path in [*inside, folder]:
        sync(path)
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in inside if path.is_file()}


def _read(source: Path) -> Backup:
    path = source / MANIFEST
    if not path.is_file():
        raise NotFound(f"{source} is not a backup: it has no {MANIFEST}", "Name a folder that `kb backup` made.")
    try:
        raw = json.loads(path.read_text("utf-8"))
        if raw.pop("sha256") != _digest(raw):
            raise ValueError("it differs from its checksum")
        if raw["format"] != FORMAT:
            raise ValueError(f"it has format {raw['format']}, this version reads {FORMAT}")
        made = Backup(**raw)
        if not all(map(_is_inside, made.files)):
            raise ValueError("it names files outside of the backup")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(f"{path} cannot be used: {error}; nothing was restored", "Take another backup.") from error
    return made


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return ".." not in parts and bool(parts) and parts[0] in (INDEX, *DATABASES, *KEPT)


def _wanted(made: Backup, with_index: bool) -> list[str]:
    return [name for name in made.files if with_index or not name.startswith(f"{INDEX}/")]


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    locks = (server_lock(home), writer_lock(home))
    try:
        for lock in locks:
            lock.require()
        yield
    finally:
        for lock in locks:
            lock.release()


def _refuse_home(home: Path, replace: bool) -> None:
    present = [home / name for name in DATABASES if (home / name).exists()]
    if present and not replace:
        raise Conflict(
            f"there is a knowledge base in {home} already",
            "Restore into an empty KB_HOME, or add --replace: what is there is moved aside, not deleted.",
        )
    for path in present:
        copies.settle(path)


def _stage(source: Path, stage: Path, names: Iterable[str]) -> None:
    """Copy the backup beside the knowledge base, check it and bring it to this version's schema."""
    for name in names:
        _copy_tree(source / name, stage / name)
    database = Database(stage)
    try:
        found = database.check()
        if found:
            raise BadInput(f"{source}: {'; '.join(found)}; nothing was restored", "Take another backup.")
        database.migrate()
    finally:
        database.close()
    _sealed(stage)


def _put_aside(home: Path, at: str) -> Path | None:
    """Move what is there into a folder of its own, the truth last; the folder, None when there was nothing."""
    sides = [name + side for name in DATABASES for side in copies.SIDES]
    present = [name for name in (INDEX, *KEPT, *sides, *reversed(DATABASES)) if (home / name).exists()]
    if not present:
        return None
    aside = _unused(home / f"replaced-{at.replace(':', '')}")
    aside.mkdir()
    for name in present:
        _move(home / name, aside)
    sync(aside)
    return aside


def _unused(path: Path) -> Path:
    names = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
    return next(name for name in itertools.chain([path], names) if not name.exists())


def _move_in(stage: Path, home: Path) -> None:
    """The truth last: while it is missing, the restore has not happened."""
    for path in sorted(stage.iterdir(), key=lambda path: path.name == TRUTH):
        _move(path, home)
    sync(home)


def _move(path: Path, folder: Path) -> None:
    path.rename(folder / path.name)


def _digest(raw: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
