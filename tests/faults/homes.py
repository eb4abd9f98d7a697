"""Knowledge bases on disk: making them, writing to them, killing commands on them, comparing them."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.kb_app.conftest import ROOT, write_articles
from tests.kb_app.served import environment, kb_process

WRITERS = ("w1", "w2", "w3", "w4")
MOMENTS = {"at", "created_at", "updated_at", "imported_at", "found_at", "previous", "hash"}
"""Columns that differ between two runs of the same: times, and the audit hashes that take them in."""

Tables = dict[str, list[dict[str, Any]]]


def make(place: Path) -> Path:
    """home/ and articles/ under `place`, ready and indexed."""
    write_articles(place / "articles")
    done(kb_process(place, "init", "--no-samples"))
    return place


def done(run: subprocess.CompletedProcess[str]) -> str:
    """What a command that must succeed printed."""
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
    return run.stdout


def refused(run: subprocess.CompletedProcess[str]) -> str:
    """What a command said that must end with a message and nothing else."""
    assert run.returncode == 1, run.stdout + run.stderr
    assert run.stderr.startswith("kb: ") or "\nkb: " in run.stderr, run.stderr
    assert "Traceback" not in run.stderr
    return run.stderr


def exported(place: Path, **more: str) -> bytes:
    """`kb export` as JSON Lines: the same bytes for the same articles."""
    target = place / "export.jsonl"
    done(kb_process(place, "export", str(target), "--format", "jsonl", **more))
    return target.read_bytes()


def intact(home: Path) -> bool:
    """What SQLite says of both databases."""
    return all(_integrity(home / name) == "ok" for name in ("knowledge.sqlite", "traffic.sqlite"))


def differences(place: Path, **more: str) -> list[str]:
    """Documents of which the index and the database of a knowledge base have different versions."""
    run = kb_process(place, "index", "verify", "--json", **more)
    assert run.stdout, run.stderr
    return json.loads(run.stdout)["differences"]  # type: ignore[no-any-return]


def tables(home: Path, half: str = "knowledge") -> Tables:
    """Every row of every table but for `MOMENTS`; articles by slug, since their ids are drawn by chance."""
    with closing(sqlite3.connect(home / f"{half}.sqlite")) as connection:
        connection.row_factory = sqlite3.Row
        names = connection.execute("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'")
        found = {name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')] for (name,) in names}
    slugs = {row["id"]: row["slug"] for row in found.get("articles", [])}
    return {
        table: [{key: slugs.get(value, value) for key, value in row.items() if key not in MOMENTS} for row in rows]
        for table, rows in found.items()
    }


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; locks and what SQLite keeps beside its files left out."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if not p.name.endswith((".lock", "-shm", "-wal"))}


@contextmanager
def writing(place: Path, names: Iterable[str] = WRITERS) -> Iterator[None]:
    """Processes that publish one version after the other until the block ends."""
    command = [sys.executable, "-m", "tests.faults.writing"]
    running = [
        subprocess.Popen([*command, name, str(place / f"{name}.log")], cwd=ROOT, env=environment(place))
        for name in names
    ]
    try:
        yield
        assert [process.poll() for process in running] == [None] * len(running)
    finally:
        for process in running:
            process.terminate()
        assert [process.wait(20) for process in running] == [0] * len(running)


def acknowledged(place: Path) -> dict[str, int]:
    """The newest version of each article that a writer was told is stored."""
    lines = [line for name in WRITERS for line in _lines(place / f"{name}.log")]
    return {key: int(version) for key, version in map(str.split, lines)}


def killed(place: Path, where: str, number: int, *arguments: str, **more: str) -> bool:
    """Run `kb ARGUMENTS`, killed when it comes to `where` (`module:name`) for the `number`th time; whether it did."""
    command = [sys.executable, "-m", "tests.faults.killed", where, str(number), *arguments]
    run = subprocess.run(command, cwd=ROOT, env=environment(place, **more), capture_output=True, text=True, timeout=120)
    assert run.returncode in (0, -signal.SIGKILL), run.stderr
    return run.returncode != 0


def _lines(path: Path) -> list[str]:
    """The whole lines of a log that may be written at this moment."""
    return path.read_text("ascii").rpartition("\n")[0].splitlines() if path.exists() else []


def _integrity(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]  # type: ignore[no-any-return]
