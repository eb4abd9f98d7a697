"""The disk that loses its power does what it says: synced stays, unsynced may go, a lie about syncing shows."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.faults.disk import Disk, File


def cut(tmp_path: Path, seed: int, honest: bool, synced: bool) -> Path:
    """Replace a file by a new one, as the product does: write beside, sync, rename, sync the folder; then cut."""
    (source := tmp_path / f"source-{seed}").mkdir()
    (source / "text").write_bytes(b"old" * 3000)
    disk, beside = Disk(source, honest), File()
    disk.name("/text.new", beside)
    disk.write(beside, 0, b"new" * 3000)
    if synced:
        disk.sync(beside)
    disk.rename("/text.new", "/text")
    if synced:
        disk.sync(disk.root)
    disk.cut(tmp_path / f"cut-{seed}", Random(seed))
    return tmp_path / f"cut-{seed}" / "text"


def test_what_was_synced_stays(tmp_path: Path) -> None:
    for seed in range(30):
        assert cut(tmp_path, seed, honest=True, synced=True).read_bytes() == b"new" * 3000


def test_what_was_not_synced_is_lost_kept_or_torn(tmp_path: Path) -> None:
    left = [cut(tmp_path, seed, honest=True, synced=False).read_bytes() for seed in range(300)]
    assert {b"old" * 3000, b"new" * 3000, b""} <= set(left)
    assert any(data not in (b"old" * 3000, b"new" * 3000, b"") for data in left)


def test_a_disk_that_lies_about_syncing_loses_it(tmp_path: Path) -> None:
    left = [cut(tmp_path, seed, honest=False, synced=True).read_bytes() for seed in range(30)]
    assert b"old" * 3000 in left
