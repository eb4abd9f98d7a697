"""Make a generation: a full one from all records, or the next one from what changed. Write beside, seal, publish."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from indexer.blocks import chunks, join_blocks, write_block
from indexer.embedding import KnownVectors
from indexer.plan import Plan, Progress
from indexer.records import Record
from indexer.terms import lexical_rows
from search.blocks import FOLDER, Places, load_array, map_array, rows_in
from search.columns import Codes
from search.confidence import write_calibration
from search.crash import crash_point
from search.encoder import StaticEncoder
from search.errors import SearchError
from search.generation import (
    DEAD,
    FORMAT,
    FileSeal,
    Manifest,
    clone,
    current_number,
    kept_links,
    next_number,
    read_manifest,
    read_seals,
    seal,
    set_current,
    write_manifest,
)
from search.lexical import extend_lexical, write_lexical

WHOOSH_MOST = 2_000
"""Passages up to which `auto` takes Whoosh: a publish writes it anew in a second (`benchmarks/engines.py`)."""
JOIN_RATIO = 4
"""Blocks of changes are joined while the earlier is not this much larger: their number grows with the logarithm."""
BUILDING = ".building"


@dataclass(frozen=True, slots=True)
class Change:
    """Documents to take out by id, and what is to be found in their place or besides."""

    gone: Collection[str]
    records: Sequence[Record]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A generation whose files are written and not yet sealed. `built` made the first `built_blocks` of `blocks`."""

    folder: Path
    number: int
    lexical: str
    built: int
    built_blocks: int
    blocks: Sequence[str]
    codes: Codes
    dead: frozenset[int]


def build_generation(records: Iterable[Record], plan: Plan) -> Manifest:
    """Build and publish a generation of all records; until the last step readers keep the one they have.

    Vectors of the current generation, and of a build that was interrupted, are not computed again.
    """
    plan.root.mkdir(parents=True, exist_ok=True)
    with _beside(plan.root) as (number, beside):
        names, codes = _write_blocks(records, _Site(beside, number, Codes(), _known(plan)), plan)
        lexical = _write_lexical(beside, names, plan)
        write_calibration(beside / "calibration.json", plan.calibration)
        draft = _Draft(beside, number, lexical, number, len(names), names, codes, frozenset())
        manifest = _finish(draft, {}, plan)
    _publish(plan.root, number)
    return manifest


def extend_generation(change: Change, plan: Plan) -> Manifest:
    """Publish a generation that is the current one with some documents replaced, added or taken out.

    Its lexical engine must be one of `search.lexical.EXTENDED`, its analyser and encoder those of the plan.
    """
    before = read_manifest(folder := plan.root / str(current_number(plan.root)))
    with _beside(plan.root) as (number, beside):
        shared = clone(folder, beside)
        crash_point("index.clone")
        dead = _dead(folder)
        gone = _numbers_of(folder, before.blocks, change.gone) - dead
        codes = Codes(before.categories, before.products, before.tags)
        site = _Site(beside, number, codes, _known_of(folder, before.blocks, gone, plan))
        added, codes = _write_blocks(change.records, site, plan) if change.records else ([], codes)
        names = [*before.blocks, *added]
        extend_lexical(before.lexical, beside / "lexical", gone, lexical_rows(beside, names, len(before.blocks), plan))
        crash_point("index.lexical")
        names = _join_small(beside, names, before, number)
        draft = _Draft(beside, number, before.lexical, before.built, before.built_blocks, names, codes, dead | gone)
        manifest = _finish(draft, kept_links(folder, beside, shared), plan)
    _publish(plan.root, number)
    return manifest


def prune(root: Path) -> None:
    """Remove what nobody goes back to, and what interrupted builds left.

    Kept are the current generation, the one it was made from, and the last one of the full build before.
    """
    kept = _kept(root)
    for path in root.iterdir():
        if path.name.endswith(BUILDING) or (path.name.isdigit() and int(path.name) not in kept):
            shutil.rmtree(path)


def generations(root: Path) -> list[Manifest]:
    """The generations that are there, newest first; those that cannot be read are left out."""
    numbers = sorted((int(path.name) for path in root.iterdir() if path.name.isdigit()), reverse=True)
    found = []
    for number in numbers:
        try:
            found.append(read_manifest(root / str(number)))
        except SearchError:
            continue
    return found


def _kept(root: Path) -> set[int]:
    current = current_number(root)
    older = [manifest for manifest in generations(root) if manifest.number < current]
    built = read_manifest(root / str(current)).built
    other = next((manifest.number for manifest in older if manifest.built != built), current)
    return {current, *(manifest.number for manifest in older[:1]), other}


@contextmanager
def _beside(root: Path) -> Iterator[tuple[int, Path]]:
    """A number and an empty folder for the next generation; the folder goes away when making it fails.

    Whoever interrupts a build finds the blocks that were finished when building again.
    """
    number = next_number(root)
    beside = root / f"{number}{BUILDING}"
    beside.mkdir()
    try:
        yield number, beside
        crash_point("index.manifest")
        beside.rename(root / str(number))
        crash_point("index.rename")
    except Exception:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _publish(root: Path, number: int) -> None:
    set_current(root, number)
    crash_point("index.pointer")
    prune(root)
    crash_point("index.prune")


@dataclass(frozen=True, slots=True)
class _Site:
    """Where blocks are written, the codes there are already, and vectors that need not be computed."""

    folder: Path
    number: int
    codes: Codes
    known: KnownVectors


def _write_blocks(records: Iterable[Record], site: _Site, plan: Plan) -> tuple[list[str], Codes]:
    """Write records as blocks; their names, and the codes of all that there is now."""
    names, codes = list[str](), site.codes
    for chunk in chunks(records, plan):
        codes = codes.including(chunk.documents)
        names.append(f"{site.number}-{len(names) + 1}")
        write_block(site.folder / FOLDER / names[-1], chunk, codes, site.known, plan)
        crash_point("index.block")
    return names, codes


def _write_lexical(folder: Path, names: Sequence[str], plan: Plan) -> str:
    """Write the lexical index of a new generation; which engine it is."""
    passages = sum(rows_in(folder, names, "columns.npy"))
    engine = ("whoosh" if passages <= WHOOSH_MOST else "tantivy") if plan.lexical == "auto" else plan.lexical
    (folder / "lexical").mkdir()
    write_lexical(engine, folder / "lexical", lexical_rows(folder, names, 0, plan))
    crash_point("index.lexical")
    return engine


def _join_small(folder: Path, names: Sequence[str], before: Manifest, number: int) -> list[str]:
    """Join the last blocks of changes where the earlier ones are not much larger; the names there are then."""
    sizes = rows_in(folder, names, "ids.npy")
    first = len(names) - 1
    while first > before.built_blocks and sizes[first - 1] <= JOIN_RATIO * sum(sizes[first:]):
        first -= 1
    if len(names) - max(first, before.built_blocks) < 2:
        return list(names)
    parts = [folder / FOLDER / name for name in names[first:]]
    joined = f"{number}-joined"
    join_blocks(parts, folder / FOLDER / joined, before.encoder)
    for part in parts:
        shutil.rmtree(part)
    return [*names[:first], joined]


def _finish(draft: _Draft, shared: Mapping[str, FileSeal], plan: Plan) -> Manifest:
    """Seal the files that are not shared and write the manifest, which makes the folder a generation."""
    plan.progress("seal", 0, 1)
    np.save(draft.folder / DEAD, np.array(sorted(draft.dead), dtype=np.int64), allow_pickle=False)
    documents, passages = _counts(draft)
    sealed = {f"{FOLDER}/{name}/{file}": own for name in draft.blocks for file, own in _seals(draft, name)}
    files = seal(draft.folder, {**sealed, **shared})
    crash_point("index.seal")
    manifest = Manifest(
        format=FORMAT,
        number=draft.number,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        analyser=plan.analyzer.id,
        lexical=draft.lexical,
        vectors=plan.vectors,
        encoder=plan.encoder.id if plan.encoder else "",
        dimension=plan.encoder.dimension if plan.encoder else 0,
        outbox_id=plan.outbox_id,
        documents=documents,
        passages=passages,
        dead=len(draft.dead),
        built=draft.built,
        built_blocks=draft.built_blocks,
        blocks=tuple(draft.blocks),
        categories=draft.codes.categories,
        products=draft.codes.products,
        tags=draft.codes.tags,
        files=files,
    )
    write_manifest(draft.folder, manifest)
    plan.progress("seal", 1, 1)
    return manifest


def _seals(draft: _Draft, name: str) -> Iterable[tuple[str, FileSeal]]:
    return read_seals(draft.folder / FOLDER / name).files.items()


def _counts(draft: _Draft) -> tuple[int, int]:
    """Documents and passages that can be found."""
    columns = [map_array(draft.folder / FOLDER / name / "columns.npy")["document"] for name in draft.blocks]
    starts = Places(rows_in(draft.folder, draft.blocks, "ids.npy")).starts
    dead = np.array(sorted(draft.dead), dtype=np.int64)
    gone = sum(int(np.isin(own + start, dead).sum()) for own, start in zip(columns, starts, strict=False))
    return starts[-1] - len(dead), sum(map(len, columns)) - gone


def _numbers_of(folder: Path, blocks: Sequence[str], ids: Collection[str]) -> frozenset[int]:
    """The numbers of documents, those of earlier versions included."""
    wanted = np.array([key.encode() for key in ids], dtype=np.bytes_)
    names = [load_array(folder / FOLDER / name / "ids.npy") for name in blocks]
    starts = Places([len(own) for own in names]).starts
    found = (np.flatnonzero(np.isin(own, wanted)) + start for own, start in zip(names, starts, strict=False))
    return frozenset(number for numbers in found for number in numbers.tolist()) if len(wanted) else frozenset()


def _dead(folder: Path) -> frozenset[int]:
    return frozenset(load_array(folder / DEAD).tolist())


def _known(plan: Plan) -> KnownVectors:
    """Vectors of the current generation and of what interrupted builds finished."""
    known = KnownVectors()
    if plan.encoder is not None:
        left = sorted(plan.root.glob(f"*{BUILDING}/{FOLDER}/*"))
        for block in [*_current_blocks(plan.root), *left]:
            known.add_block(block, plan.encoder.id)
    return known


def _current_blocks(root: Path) -> list[Path]:
    try:
        folder = root / str(current_number(root))
        return [folder / FOLDER / name for name in read_manifest(folder).blocks]
    except SearchError:
        return []


def _known_of(folder: Path, blocks: Sequence[str], gone: Collection[int], plan: Plan) -> KnownVectors:
    """Vectors of the blocks that hold earlier versions of what is replaced."""
    known = KnownVectors()
    # Encoding again with a static encoder costs less than comparing the old vectors with their checksum.
    if plan.encoder is not None and not isinstance(plan.encoder, StaticEncoder):
        places = Places(rows_in(folder, blocks, "ids.npy"))
        for place in sorted({places.find(number)[0] for number in gone}):
            known.add_block(folder / FOLDER / blocks[place], plan.encoder.id)
    return known


__all__ = ["BUILDING", "Change", "Plan", "Progress", "build_generation", "extend_generation", "generations", "prune"]
