"""What happens when somebody else works on the same KB_HOME."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import homes
from tests.faults.homes import differences, done, exported, refused, tables
from tests.kb_app.conftest import ROOT
from tests.kb_app.served import Served, environment, kb_process

pytestmark = pytest.mark.faults
TICKET = {
    "id": "T9", "subject": "紫藤会员退款", "status": "resolved", "created_at": "2026-03-01T10:00:00+08:00",
    "messages": [{"from": "customer", "text": "紫藤会员怎么退"}, {"from": "agent", "text": "紫藤页面点退款"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return homes.make(tmp_path_factory.mktemp("made"))


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(made, tmp_path / "kb")
    return tmp_path / "kb"


@pytest.fixture
def served(place: Path) -> Iterator[Served]:
    server = Served(place)
    yield server
    server.stop()


def test_beside_a_server(served: Served, place: Path, tmp_path: Path) -> None:
    """What would replace worker or database refuses; what writes articles and tickets goes the usual way."""
    key = json.loads(done(kb_process(place, "key", "create", "--name", "bot", "--json")))["key"]
    done(kb_process(place, "backup", str(tmp_path / "backup")))
    before = exported(place)
    restore = ("restore", str(tmp_path / "backup"), "--replace")
    for command in (("serve",), ("worker",), ("calibrate",), restore):
        said = refused(kb_process(place, *command))
        assert f"another process writes to {place / 'home'}" in said
        assert "Stop it first" in said
    assert exported(place) == before
    assert not list((place / "home").glob("replaced-*"))

    _write(tmp_path / "new" / "c" / "wisteria.md", "# 紫藤退货\n\n紫藤十五天内可退。\n")
    done(kb_process(place, "import", "articles", str(tmp_path / "new"), "--audience", "public"))
    _is_told(served, key, "紫藤退货几天", "十五天")
    (tmp_path / "tickets.jsonl").write_text(json.dumps(TICKET), "utf-8")
    assert "1 added" in done(kb_process(place, "import", "tickets", str(tmp_path / "tickets.jsonl")))
    _write(
        place / "articles" / "made" / "magnolia.md", "---\naudience: public\n---\n\n# 玉兰换货\n\n玉兰二十天内可换。\n"
    )
    done(kb_process(place, "sync"))
    _is_told(served, key, "玉兰换货几天", "二十天")
    # The index is built anew by the worker.
    done(kb_process(place, "index", "build"))
    # Each of them waited for the running worker: there is nothing left to follow.
    assert differences(place) == []
    assert served.process.poll() is None
    assert "Traceback" not in served.said


def test_restore_refuses_while_anybody_has_the_database_open(place: Path, tmp_path: Path) -> None:
    """Web processes that were started by something else hold no lock file."""
    done(kb_process(place, "backup", str(tmp_path / "backup")))
    code = (
        "import sys; from kb_app.kb import open_kb; from kb_app.settings import load_settings\n"
        "from kb_app.store import articles\n"
        "kb = open_kb(load_settings())\n"
        "with kb.database.read() as session: articles.count(session)\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(place), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert reader.stdin
    assert reader.stdout
    assert reader.stdout.readline() == b"open\n"
    said = refused(kb_process(place, "restore", str(tmp_path / "backup"), "--replace"))
    assert "has" in said
    assert "knowledge.sqlite open" in said
    reader.communicate()
    done(kb_process(place, "restore", str(tmp_path / "backup"), "--replace"))


def test_an_import_indexes_itself_when_the_one_that_did_is_gone(place: Path, tmp_path: Path) -> None:
    """It found another process indexing and waited for it; that one ended, by itself or killed, without seeing it."""
    hold = "import sys; from pathlib import Path; from kb_app.lock import writer_lock\n"
    hold += "writer_lock(Path(sys.argv[1])).require(); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(place / "home")], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    _write(tmp_path / "new" / "c" / "wisteria.md", "# 紫藤退货\n\n紫藤十五天内可退。\n")
    running = _started(place, "import", "articles", str(tmp_path / "new"))
    while "new:c/wisteria.md" not in {row["source_path"] for row in tables(place / "home")["articles"]}:
        assert running.poll() is None
        time.sleep(0.1)
    time.sleep(1)
    holder.kill()
    holder.communicate()
    start = time.monotonic()
    assert running.wait(110) == 0, running.communicate()
    running.communicate()
    assert time.monotonic() - start < 30
    assert differences(place) == []


def test_two_imports_at_once(place: Path, tmp_path: Path) -> None:
    """Whichever of the two indexes, both end well and everything of both can be found."""
    for name in ("one", "two"):
        for number in range(30):
            _write(tmp_path / name / "c" / f"n{number}.md", f"# {name} {number}\n\n{name} 的第 {number} 篇。\n")
    running = [_started(place, "import", "articles", str(tmp_path / name)) for name in ("one", "two")]
    ended = [(process.communicate(timeout=110)[1], process.returncode) for process in running]
    assert [code for _, code in ended] == [0, 0], ended
    assert differences(place) == []
    paths = {row["source_path"] for row in tables(place / "home")["articles"]}
    assert {f"{name}:c/n{number}.md" for name in ("one", "two") for number in range(30)} <= paths


def test_the_same_import_twice_at_once(place: Path, tmp_path: Path) -> None:
    for number in range(120):
        _write(tmp_path / "same" / "c" / f"n{number}.md", f"# 同 {number}\n\n第 {number} 篇。\n")
    (tmp_path / "same.jsonl").write_text(json.dumps(TICKET) + "\n", "utf-8")
    commands = [("import", "articles", str(tmp_path / "same")), ("import", "tickets", str(tmp_path / "same.jsonl"))] * 2
    running = [_started(place, *command) for command in commands]
    ended = [(process.communicate(timeout=110)[1], process.returncode) for process in running]
    assert [code for _, code in ended] == [0] * 4, ended
    found = tables(place / "home")
    assert len([row for row in found["articles"] if str(row["source_path"]).startswith("same:")]) == 120
    assert len([row for row in found["tickets"] if row["source"] == "same"]) == 1
    assert differences(place) == []


def _started(place: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "kb_app", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment(place), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _is_told(served: Served, key: str, text: str, wanted: str) -> None:
    """A web process opens within moments what the command has waited for."""
    deadline = time.monotonic() + 10
    while wanted not in json.dumps(served.ask(key, text), ensure_ascii=False):
        assert time.monotonic() < deadline
        time.sleep(0.1)
