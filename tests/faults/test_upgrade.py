"""From one version to the next and back: schema, backups, index."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults import homes
from tests.faults.homes import differences, done, exported, refused, snapshot, tables
from tests.kb_app.conftest import ROOT
from tests.kb_app.served import Served, environment, kb_process

pytestmark = pytest.mark.faults
NEWER = '''"""What a later version might add."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("{table}") as batch:
        batch.add_column(sa.Column("later", sa.String(), nullable=False, server_default="so far"))
    op.create_table("laters", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade() -> None:
    op.drop_table("laters")
    with op.batch_alter_table("{table}") as batch:
        batch.drop_column("later")
'''
DOWN = """
import sys
from kb_app.kb import open_kb
from kb_app.settings import load_settings
from kb_app.store.database import HALVES
kb = open_kb(load_settings())
for half in HALVES:
    kb.database.downgrade(half, sys.argv[1])
kb.close()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = homes.make(tmp_path_factory.mktemp("made"))
    done(kb_process(place, "backup", str(place / "backup")))
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(made, tmp_path / "kb")
    return tmp_path / "kb"


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This version with one more schema for each database: the next version's folder."""
    folder = tmp_path_factory.mktemp("later")
    shutil.copytree(ROOT / "kb_app", folder / "kb_app")
    for path in (ROOT / "search", ROOT / "indexer", ROOT / "static"):
        (folder / path.name).symlink_to(path)
    for half, table in (("knowledge", "articles"), ("traffic", "queries")):
        versions = folder / "kb_app" / "store" / "migrations" / half
        head = max(path.name[:4] for path in versions.glob("[0-9]*.py"))
        (versions / "9999_later.py").write_text(NEWER.format(head=head, table=table), "utf-8")
    return folder


def _run(version: Path, place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of Python on a knowledge base, with the code in the folder `version`."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=version, env=environment(place), capture_output=True, text=True, timeout=120)


def _schema(home: Path) -> dict[tuple[str, str], object]:
    """Columns, keys and indexes of every table: the text that made it may differ in quotes and order."""
    found: dict[tuple[str, str], object] = {}
    for half in ("knowledge", "traffic"):
        with closing(sqlite3.connect(home / f"{half}.sqlite")) as connection:
            named = connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            for (name,) in named.fetchall():
                asked = (f"PRAGMA {about}('{name}')" for about in ("table_info", "foreign_key_list", "index_list"))
                columns, keys, indexes = (connection.execute(pragma).fetchall() for pragma in asked)
                found[half, name] = columns, sorted(key[2:] for key in keys), sorted(row[2:] for row in indexes)
    return found


def test_a_later_version_migrates_and_going_back_loses_nothing(place: Path, later: Path) -> None:
    before, schema = {half: tables(place / "home", half) for half in ("knowledge", "traffic")}, _schema(place / "home")
    done(_run(later, place, "-m", "kb_app", "init", "--no-samples"))
    after = tables(place / "home")
    assert {row["later"] for row in after["articles"]} == {"so far"}
    assert after["alembic_version"] == [{"version_num": "9999"}]

    head = before["knowledge"]["alembic_version"][0]["version_num"]
    done(_run(later, place, "-c", DOWN, head))
    assert _schema(place / "home") == schema
    assert {half: tables(place / "home", half) for half in ("knowledge", "traffic")} == before
    assert differences(place) == []


def test_this_version_refuses_what_a_later_one_made(place: Path, later: Path, tmp_path: Path) -> None:
    done(_run(later, place, "-m", "kb_app", "init", "--no-samples"))
    done(_run(later, place, "-m", "kb_app", "backup", str(tmp_path / "backup")))
    before = snapshot(place / "home")
    for command in (("init",), ("serve",), ("export", str(tmp_path / "x")), ("restore", str(tmp_path / "backup"))):
        said = refused(kb_process(place, *command))
        assert "knowledge.sqlite has schema 9999, made by a later version than this" in said
    assert snapshot(place / "home") == before
    assert not (tmp_path / "x").exists()


def test_an_older_backup_is_migrated_forward(made: Path, later: Path, tmp_path: Path) -> None:
    done(_run(later, tmp_path, "-m", "kb_app", "restore", str(made / "backup")))
    assert {row["later"] for row in tables(tmp_path / "home")["articles"]} == {"so far"}
    done(_run(later, tmp_path, "-m", "kb_app", "export", str(tmp_path / "later.jsonl"), "--format", "jsonl"))
    assert (tmp_path / "later.jsonl").read_bytes() == exported(made)
    # The backup is as it was: only what came out of it was migrated.
    done(kb_process(tmp_path / "again", "restore", str(made / "backup")))


def test_down_to_nothing_and_up_again(place: Path) -> None:
    """Every step of every migration can be undone and done again; the article files fill it anew."""
    schema, before = _schema(place / "home"), tables(place / "home")
    done(_run(ROOT, place, "-c", DOWN, "base"))
    assert {name for _, name in _schema(place / "home")} <= {"alembic_version", "sqlite_sequence"}
    (place / "home" / "admin-password.txt").unlink()
    done(kb_process(place, "init", "--no-samples"))
    assert _schema(place / "home") == schema
    assert differences(place) == []
    kept = ("articles", "categories", "scripts")
    after = tables(place / "home")
    assert [[row["slug"] for row in after[name]] for name in kept[:2]] == [
        [row["slug"] for row in before[name]] for name in kept[:2]
    ]
    assert len(after["scripts"]) == len(before["scripts"])


def _format(number: int) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        path = next(root.glob("*/manifest.json"))
        raw = json.loads(path.read_text("utf-8"))
        raw.pop("sha256")
        raw["format"] = number
        digest = hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()
        path.write_text(json.dumps(raw | {"sha256": digest}), "utf-8")

    return damage


def _garbage(name: str) -> Callable[[Path], None]:
    return lambda root: next(root.glob(name)).write_bytes(b"\x00garbage\xff" * 40) and None


OLD: dict[str, Callable[[Path], None]] = {
    "format 3": _format(3),
    "format 99": _format(99),
    "garbage for a manifest": _garbage("*/manifest.json"),
    "garbage for a pointer": _garbage("current"),
    "an older manifest with fewer fields": lambda root: (
        next(root.glob("*/manifest.json")).write_text('{"format": 1}') and None
    ),
    "a pointer to nothing": lambda root: (root / "current").write_text("77", "ascii") and None,
    "no index": shutil.rmtree,
}


@pytest.mark.parametrize("kind", OLD)
def test_an_index_of_another_format_is_rebuilt_by_itself(place: Path, tmp_path: Path, kind: str) -> None:
    OLD[kind](place / "home" / "index")
    if kind.startswith("format"):
        assert f"index {kind}" in done(kb_process(place, "index", "status", KB_ENCODER="none"))
    done(kb_process(place, "init", "--no-samples", KB_ENCODER="none"))
    assert differences(place, KB_ENCODER="none") == []
    found = json.loads(done(kb_process(place, "search", "退款多久能到账", "--json", KB_ENCODER="none")))
    assert found["hits"]


def test_a_server_starts_on_an_older_index(place: Path) -> None:
    key = json.loads(done(kb_process(place, "key", "create", "--name", "bot", "--json")))["key"]
    _format(3)(place / "home" / "index")
    server = Served(place)
    try:
        assert server.ask(key, "退款多久能到账")["hits"]
    finally:
        server.stop()
    assert differences(place) == []


def test_a_backup_with_an_older_index_restores(place: Path, tmp_path: Path) -> None:
    """What the copy says of its index is right, and the index is not read: it is built anew."""
    target = tmp_path / "backup"
    shutil.copytree(place / "backup", target)
    _format(3)(target / "index")
    raw = json.loads((target / "backup.json").read_text("utf-8"))
    raw.pop("sha256")
    name = next(target.glob("index/*/manifest.json"))
    raw["files"][str(name.relative_to(target))] = hashlib.sha256(name.read_bytes()).hexdigest()
    digest = hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()
    (target / "backup.json").write_text(json.dumps(raw | {"sha256": digest}), "utf-8")
    done(kb_process(tmp_path, "restore", str(target)))
    assert differences(tmp_path) == []
