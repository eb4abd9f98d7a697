"""A backup made while everything is in use, and the knowledge base that comes out of it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kb_app import backup as backups
from tests.faults import homes
from tests.faults.homes import acknowledged, differences, done, exported, intact, killed, refused, snapshot
from tests.faults.rounds import rounds
from tests.kb_app.conftest import ROOT
from tests.kb_app.served import Served, environment, kb_process

LEFT_OUT = {"server.lock", "writer.lock", "admin-password.txt", "index", *backups.DATABASES}
SMALL = 64 * 1024


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A knowledge base with something of everything that KB_HOME may hold."""
    place = homes.make(tmp_path_factory.mktemp("made"))
    home = place / "home"
    (home / "secret.key").touch(0o600)
    (home / "secret.key").write_text("a secret that signs cookies", "ascii")
    (home / "calibration.json").write_bytes(next(home.glob("index/*/calibration.json")).read_bytes())
    (home / "samples-imported").touch()
    (home / "models" / "adapted-1").mkdir(parents=True)
    (home / "models" / "adapted-1" / "card.json").write_text("{}", "ascii")
    (home / "runs").mkdir()
    (home / "runs" / "before.json").write_text("{}", "ascii")
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(made, tmp_path / "kb")
    return tmp_path / "kb"


@pytest.fixture(scope="module")
def good(made: Path) -> Path:
    """A backup to copy and damage."""
    done(kb_process(made, "backup", str(made / "backup")))
    return made / "backup"


@pytest.mark.faults
def test_backups_while_four_write(place: Path, tmp_path: Path) -> None:
    key = json.loads(done(kb_process(place, "key", "create", "--name", "bot", "--json")))["key"]
    before: dict[Path, dict[str, int]] = {}
    server = Served(place)
    try:
        with homes.writing(place):
            for round_ in rounds("backup", 5):
                with round_.logged():
                    _write_more(place)
                    target = tmp_path / f"backup-{round_.number}"
                    before[target] = acknowledged(place)
                    done(kb_process(place, "backup", str(target)))
    finally:
        server.stop()
    # Now that nobody writes, a backup can be compared with what it was made of.
    before[tmp_path / "last"] = acknowledged(place)
    done(kb_process(place, "backup", str(tmp_path / "last")))
    for target, versions in before.items():
        restored = target.with_name(f"{target.name}-restored")
        found = _restores(target, restored, versions)
    assert found == exported(place)
    again = Served(restored)
    try:
        assert again.ask(key, "写手 w3 的文章 7")["hits"][0]["id"] == "a_w3000007"
        assert (restored / "home" / "secret.key").read_bytes() == (place / "home" / "secret.key").read_bytes()
    finally:
        again.stop()
    assert exported(restored) == found


def _write_more(place: Path) -> None:
    """Wait until every writer has stored some more."""
    enough = {name: _written(place, name) + 5 for name in homes.WRITERS}
    deadline = time.monotonic() + 60
    while any(_written(place, name) < number for name, number in enough.items()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _written(place: Path, name: str) -> int:
    return sum(version for key, version in acknowledged(place).items() if key.startswith(f"a_{name}"))


def _restores(target: Path, restored: Path, before: dict[str, int]) -> bytes:
    """Restore into an empty folder and compare with the databases of the backup; what is exported of it."""
    made = json.loads((target / "backup.json").read_text("utf-8"))
    assert made["index"], "the backup has no index"
    summary = json.loads(done(kb_process(restored, "restore", str(target), "--json")))
    assert summary["missing"] == []
    state = restored.with_name(f"{restored.name}-state")
    (state / "home").mkdir(parents=True)
    for name in backups.DATABASES:
        shutil.copy(target / name, state / "home" / name)
    found = exported(restored)
    assert found == exported(state)
    assert intact(restored / "home")
    assert differences(restored) == []
    assert (restored / "home" / "index" / str(made["index"])).is_dir()
    _holds(found, before)
    return found


def _holds(found: bytes, before: dict[str, int]) -> None:
    """Every version that was acknowledged, or a later one, and each of them whole."""
    articles = {article["id"]: article for article in map(json.loads, found.splitlines())}
    assert {key for key, version in before.items() if articles[key]["version"] < version} == set()
    for key in before:
        version = articles[key]["version"]
        assert f"第 {version} 稿" in articles[key]["text"]
        assert articles[key]["text"].count(f"每一行都写着 {version}。") == 20


def test_all_that_cannot_be_made_again_is_in_it(made: Path, good: Path, tmp_path: Path) -> None:
    """A file in KB_HOME that neither list knows is one that somebody has to decide about."""
    kept = {path.name for path in (made / "home").iterdir()}
    assert kept <= {*backups.KEPT, *LEFT_OUT}
    assert {*backups.KEPT, *backups.DATABASES, "index", "backup.json"} == {path.name for path in good.iterdir()}
    assert stat.S_IMODE(good.stat().st_mode) == 0o700
    done(kb_process(tmp_path, "restore", str(good)))
    assert stat.S_IMODE((tmp_path / "home" / "secret.key").stat().st_mode) == 0o600
    for name in backups.KEPT:
        assert _content(tmp_path / "home" / name) == _content(made / "home" / name)


def _content(path: Path) -> object:
    return snapshot(path) if path.is_dir() else path.read_bytes()


def test_article_files_that_are_gone_come_back(made: Path, good: Path, tmp_path: Path) -> None:
    done(kb_process(tmp_path, "restore", str(good)))
    before = exported(tmp_path)
    report = json.loads(done(kb_process(tmp_path, "sync", "--json")))
    assert (report["added"], report["changed"], report["archived"], report["problems"]) == ([], [], [], [])
    assert exported(tmp_path) == before

    bare = tmp_path / "bare"
    said = kb_process(bare, "restore", str(good), KB_ARTICLES_WRITE="0")
    done(said)
    assert "public.md is not there: the next `kb sync` archives its article" in said.stderr
    assert not (bare / "articles").exists()


def test_index_files_are_links_where_they_can_be(made: Path, good: Path, place: Path) -> None:
    name = next(path.relative_to(good) for path in good.rglob("documents.jsonl"))
    assert (good / name).samefile(made / "home" / name)
    done(kb_process(place, "restore", str(good), "--replace"))
    # What is restored is a copy: nothing that happens to it reaches the backup.
    assert not (place / "home" / name).samefile(good / name)


def test_a_backup_on_another_disk(made: Path, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=_another_disk(tmp_path)) as elsewhere:
        target = Path(elsewhere) / "deep" / "backup"
        done(kb_process(made, "backup", str(target)))
        assert {path.stat().st_nlink for path in target.rglob("*") if path.is_file()} == {1}
        done(kb_process(tmp_path, "restore", str(target)))
    assert exported(tmp_path) == exported(made)


def test_without_the_index(made: Path, tmp_path: Path) -> None:
    done(kb_process(made, "backup", str(tmp_path / "backup"), "--no-index"))
    assert not (tmp_path / "backup" / "index").exists()
    done(kb_process(tmp_path, "restore", str(tmp_path / "backup")))
    assert differences(tmp_path) == []


def test_a_damaged_index_stays_behind(place: Path, tmp_path: Path) -> None:
    """It can be built anew, and a backup is worth more than its index."""
    path = next((place / "home" / "index").rglob("documents.jsonl"))
    path.write_bytes(path.read_bytes()[:-1])
    assert "without an index" in done(kb_process(place, "backup", str(tmp_path / "backup")))
    done(kb_process(tmp_path, "restore", str(tmp_path / "backup")))
    assert differences(tmp_path) == []


def test_a_damaged_database_is_not_backed_up(place: Path, tmp_path: Path) -> None:
    path = place / "home" / "knowledge.sqlite"
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 20_000] = bytes(20_000)
    path.write_bytes(data)
    assert "knowledge.sqlite cannot be copied" in refused(kb_process(place, "backup", str(tmp_path / "backup")))
    assert list(tmp_path.glob("*backup*")) == []


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


DAMAGE: tuple[tuple[str, Callable[[Path], None]], ...] = (
    ("backup.json", _flip),
    ("knowledge.sqlite", _flip),
    ("traffic.sqlite", _flip),
    ("secret.key", _flip),
    ("calibration.json", _flip),
    ("models/adapted-1/card.json", _flip),
    ("runs/before.json", _flip),
    ("index/current", _flip),
    ("index/*/manifest.json", _flip),
    ("index/**/documents.jsonl", _flip),
    ("backup.json", _cut),
    ("knowledge.sqlite", _cut),
    ("knowledge.sqlite", Path.unlink),
    ("index/*/manifest.json", Path.unlink),
)


def test_a_damaged_backup_is_refused_and_nothing_touched(good: Path, place: Path, tmp_path: Path) -> None:
    before = snapshot(place / "home")
    for kind, damage in DAMAGE:
        copied = tmp_path / "damaged"
        shutil.copytree(good, copied)
        path = next(copied.glob(kind))
        damage(path)
        said = refused(kb_process(place, "restore", str(copied), "--replace"))
        assert f"{path} " in said
        assert "nothing was restored" in said
        assert ("--no-index" in said) == kind.startswith("index")
        shutil.rmtree(copied)
    assert snapshot(place / "home") == before


def test_a_backup_whose_index_alone_is_damaged(good: Path, made: Path, tmp_path: Path) -> None:
    copied = tmp_path / "damaged"
    shutil.copytree(good, copied)
    _flip(next(copied.rglob("documents.jsonl")))
    refused(kb_process(tmp_path, "restore", str(copied)))
    assert not (tmp_path / "home").exists()
    done(kb_process(tmp_path, "restore", str(copied), "--no-index"))
    assert exported(tmp_path) == exported(made)
    assert differences(tmp_path) == []


def test_a_backup_that_names_files_outside_is_refused(good: Path, tmp_path: Path) -> None:
    for name in ("../evil", "index/../../evil", "/etc/evil", "writer.lock"):
        copied = tmp_path / "crafted"
        shutil.copytree(good, copied)
        raw = json.loads((copied / "backup.json").read_text("utf-8"))
        raw.pop("sha256")
        raw["files"][name] = "0" * 64
        text = json.dumps(raw | {"sha256": backups._digest(raw)})
        (copied / "backup.json").write_text(text, "utf-8")
        assert "outside" in refused(kb_process(tmp_path, "restore", str(copied)))
        shutil.rmtree(copied)


def test_what_cannot_be_a_target_or_source(made: Path, good: Path, tmp_path: Path) -> None:
    before = snapshot(good)
    assert "exists already" in refused(kb_process(made, "backup", str(good)))
    assert snapshot(good) == before
    assert "there is no knowledge base in" in refused(kb_process(tmp_path, "backup", str(tmp_path / "backup")))
    assert not (tmp_path / "home").exists()
    assert "is not a backup" in refused(kb_process(tmp_path, "restore", str(made)))
    assert "is not a backup" in refused(kb_process(tmp_path, "restore", str(tmp_path / "missing")))
    assert "--replace" in refused(kb_process(made, "restore", str(good)))


def test_replace_moves_aside_what_was_there(good: Path, place: Path) -> None:
    path = place / "articles" / "made" / "public.md"
    path.write_text(path.read_text("utf-8").replace("七天", "九天"), "utf-8")
    done(kb_process(place, "sync"))
    newer = exported(place)
    summary = json.loads(done(kb_process(place, "restore", str(good), "--replace", "--json")))
    assert exported(place) != newer
    aside = summary["aside"]
    assert exported(place, KB_HOME=aside) == newer
    assert {path.name for path in Path(aside).iterdir()} >= {*backups.KEPT, *backups.DATABASES, "index"}


@pytest.mark.faults
def test_a_restore_killed_at_any_step_can_be_run_again(made: Path, tmp_path: Path) -> None:
    """Until the last step the old one is all there, in place or aside; after it the new one is."""
    plain, command = tmp_path / "plain", ("restore", str(tmp_path / "backup"), "--replace")
    shutil.copytree(made, plain, ignore=shutil.ignore_patterns("backup", *backups.KEPT))
    done(kb_process(plain, "backup", str(tmp_path / "backup"), "--no-index"))
    wanted, step = homes.tables(plain / "home"), 0
    while True:
        step += 1
        place = tmp_path / f"step-{step}"
        shutil.copytree(plain, place)
        (place / "home" / "runs").mkdir()
        (place / "home" / "runs" / "old.json").touch()
        if not killed(place, "kb_app.backup:_move", step, *command, KB_ENCODER="none"):
            break
        where = [place / "home", *(place / "home").glob("replaced-*")]
        assert sum((folder / "knowledge.sqlite").exists() for folder in where) == 1
        done(kb_process(place, *command, KB_ENCODER="none"))
        assert homes.tables(place / "home") == wanted
        assert not (place / "home" / backups.STAGE).exists()
        assert len(list(place.rglob("old.json"))) == 1
        shutil.rmtree(place)
    assert step > 6  # index, runs and two databases aside, two databases in


@pytest.mark.parametrize("where", ["os:link", "kb_app.store.copies:copy", "kb_app.backup:sync", "pathlib:Path.rename"])
def test_a_backup_that_is_killed_leaves_no_folder_of_that_name(made: Path, tmp_path: Path, where: str) -> None:
    assert killed(made, where, 1, "backup", str(tmp_path / "backup"))
    assert not (tmp_path / "backup").exists()
    done(kb_process(made, "backup", str(tmp_path / "backup")))


def test_a_file_that_may_not_grow_ends_with_a_message(made: Path, tmp_path: Path) -> None:
    before = snapshot(made / "home")
    for name in ("backup", "backup --no-index"):
        target, *more = name.split()
        run = subprocess.run(
            [sys.executable, "-m", "kb_app", "backup", str(tmp_path / target), *more],
            cwd=ROOT, env=environment(made), capture_output=True, text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, SMALL)),
        )  # fmt: skip
        said = refused(run)
        assert str(tmp_path) in said
        assert list(tmp_path.iterdir()) == []
    assert snapshot(made / "home") == before


@pytest.mark.parametrize("kilobytes", [64, 256, 512])
def test_a_full_disk_ends_with_a_message(good: Path, made: Path, tmp_path: Path, kilobytes: int) -> None:
    with _small_disk(tmp_path / "disk", kilobytes) as disk:
        said = refused(kb_process(made, "backup", str(disk / "backup")))
        assert str(disk) in said
        assert list(disk.iterdir()) == []
        said = refused(kb_process(tmp_path, "restore", str(good), KB_HOME=str(disk)))
        assert "No space left" in said or "full" in said
        assert not any((disk / name).exists() for name in (*backups.KEPT, *backups.DATABASES, "index", backups.STAGE))


def _another_disk(here: Path) -> Path:
    shared = Path("/dev/shm")
    if not (shared.is_dir() and os.access(shared, os.W_OK)) or shared.stat().st_dev == here.stat().st_dev:
        pytest.skip("no second file system that may be written here")
    return shared


@contextmanager
def _small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    folder.mkdir()
    options = f"size={kilobytes}k"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
