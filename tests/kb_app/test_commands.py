"""The command line and the server, as processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.kb_app.conftest import ROOT


def environment(place: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KB_")}
    paths = {"KB_HOME": str(place / "home"), "KB_ARTICLES": str(place / "articles"), "KB_PORT": "0"}
    return kept | paths | {"PYTHONWARNINGS": "default"} | more


def kb(place: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kb_app", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(place, **more), capture_output=True, text=True, timeout=120
    )


def data(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Served:
    """A running `kb serve`."""

    def __init__(self, place: Path, **more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kb_app", "serve", "--no-samples"],
            cwd=ROOT, env=environment(place, **more), stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.said = ""
        assert self.process.stderr
        for line in self.process.stderr:
            self.said += line
            if found := re.search(r"http://\S+", line):
                self.url = found[0]
            if "Ctrl-C" in line:
                return
        raise AssertionError(self.said)

    def ask(self, key: str, text: str) -> dict[str, Any]:
        body = json.dumps({"query": text}).encode()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        with urlopen(Request(f"{self.url}/api/v1/search", body, headers), timeout=10) as response:
            return json.load(response)  # type: ignore[no-any-return]

    def children(self) -> dict[int, str]:
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True
        ).stdout
        return {
            int(line.split()[0]): line
            for line in listed.splitlines()
            if "kb_app" in line and "render_child" not in line
        }

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(15)
        assert self.process.stderr
        self.process.stderr.close()
        return code


@pytest.fixture
def served(place: Path) -> Iterator[Served]:
    server = Served(place, KB_PROCESSES="2")
    yield server
    if server.process.poll() is None:
        server.stop()


@pytest.fixture
def bot(place: Path) -> str:
    return str(data(kb(place, "key", "create", "--name", "bot", "--json"))["key"])


def gone(pids: list[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids):
            return True
        time.sleep(0.1)
    return False


def test_key_create_prints_id_and_key(place: Path) -> None:
    made = data(kb(place, "key", "create", "--name", "bot", "--scope", "search", "--json"))
    assert set(made) == {"id", "key"}
    assert made["key"].startswith(f"kb_{made['id']}_")
    listed = data(kb(place, "key", "list", "--json"))
    assert [entry["id"] for entry in listed] == [made["id"]]
    assert made["key"].rsplit("_", 1)[1] not in json.dumps(listed)


def test_search_prints_what_the_api_answers(place: Path) -> None:
    found = data(kb(place, "search", "退款多久能到账", "--json"))
    assert found["hits"][0]["url"].startswith("/articles/refund-arrival")
    assert {"query_id", "decision", "confidence", "timing_ms", "index"} <= set(found)
    plain = kb(place, "search", "退款多久能到账", "--explain")
    assert "asked as" in plain.stdout
    assert "ms:" in plain.stdout
    bot = data(kb(place, "search", "白鲸", "--as", "bot", "--json"))
    assert "芝麻" not in json.dumps(bot, ensure_ascii=False)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["search", "  "], 1),
        (["search"], 2),
        (["nonsense"], 2),
        (["import", "articles", "no-such-folder"], 1),
        (["import", "tickets", "no-such-file"], 1),
        (["user", "create", "Bad Login", "--password", "long enough password"], 1),
        (["key", "revoke", "nokey"], 1),
        (["search", "退款", "-n", "99"], 2),
    ],
)
def test_exit_codes_and_no_traceback(place: Path, arguments: list[str], code: int) -> None:
    done = kb(place, *arguments)
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("KB_PORT", "99999"), ("KB_PROCESSES", "0"), ("KB_LEXICAL", "grep"), ("KB_SECURE_COOKIES", "maybe")],
)
def test_settings_that_cannot_be_used_stop_the_start(place: Path, name: str, value: str) -> None:
    done = kb(place, "doctor", **{name: value})
    assert done.returncode == 1
    assert name in done.stderr
    assert value in done.stderr


def test_doctor_masks_secrets(place: Path) -> None:
    done = kb(place, "doctor", KB_ADMIN_PASSWORD="very secret thing")
    assert done.returncode == 0, done.stdout
    assert "very secret thing" not in done.stdout + done.stderr


def test_index_status_build_verify(place: Path) -> None:
    assert data(kb(place, "index", "status", "--json"))["stale"] == ""
    assert data(kb(place, "index", "build", "--json"))["number"] == 2
    assert data(kb(place, "index", "verify", "--json"))["differences"] == []


def test_a_damaged_index_is_put_aside_and_built_again(place: Path) -> None:
    vectors = place / "home" / "index" / "1" / "vectors.npy"
    vectors.write_bytes(vectors.read_bytes()[:-7])
    assert kb(place, "index", "verify").returncode == 1
    assert kb(place, "sync").returncode == 0
    assert data(kb(place, "index", "verify", "--json"))["differences"] == []
    assert any(".corrupt-" in path.name for path in (place / "home" / "index").iterdir())


def test_another_encoder_builds_anew_and_without_any_search_says_degraded(place: Path) -> None:
    lexical = data(kb(place, "search", "退款多久能到账", "--json", KB_ENCODER="none"))
    assert lexical["degraded"] == ["encoder"]
    assert lexical["hits"]
    missing = kb(place, "search", "退款多久能到账", "--json", KB_ENCODER="/no/such/model")
    assert data(missing)["degraded"] == ["encoder"]
    assert "cannot be loaded" in missing.stderr
    assert kb(place, "sync", KB_ENCODER="none").returncode == 0
    assert data(kb(place, "index", "status", "--json", KB_ENCODER="none"))["stale"] == ""
    assert "encoder" in data(kb(place, "index", "status", "--json"))["stale"]


def test_export_and_users(place: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.zip"
    assert data(kb(place, "export", str(target), "--json"))["articles"] > 20
    assert target.stat().st_size > 10_000
    assert data(kb(place, "user", "create", "new", "--password", "long enough password", "--json"))["role"] == "agent"
    assert kb(place, "user", "disable", "new").returncode == 0
    assert next(u for u in data(kb(place, "user", "list", "--json")) if u["login"] == "new")["disabled"] is True


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    done = kb(tmp_path, "search", "退款")
    assert done.returncode == 1
    assert "KB_HOME" in done.stderr
    assert "Traceback" not in done.stderr


def test_port_in_use(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = kb(place, "serve", KB_PORT=str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "KB_PORT" in done.stderr


def test_serve_answers_stops_and_refuses_a_second(served: Served, place: Path, bot: str) -> None:
    answer = served.ask(bot, "退款多久能到账")
    assert answer["hits"][0]["id"].startswith("a_")
    second = kb(place, "serve")
    assert second.returncode == 1
    assert "KB_HOME" in second.stderr
    assert str(served.process.pid) in second.stderr
    assert kb(place, "worker").returncode == 1
    children = list(served.children())
    assert len(children) == 3
    assert served.stop() == 0
    assert gone(children, 1)


def test_an_edit_is_live_within_seconds(served: Served, place: Path, bot: str) -> None:
    path = place / "articles" / "made" / "public.md"
    path.write_text(path.read_text("utf-8").replace("七天内", "九天内"), "utf-8")
    done = kb(place, "sync", "--json")
    assert data(done)["changed"] == ["made/public.md"]
    assert "九天内" in json.dumps(served.ask(bot, "白鲸会员怎么退"), ensure_ascii=False)


def test_a_killed_child_is_revived_and_orphans_end(served: Served, bot: str) -> None:
    children = served.children()
    victim = next(pid for pid, line in children.items() if " web " in line)
    os.kill(victim, signal.SIGKILL)
    for _ in range(5):
        assert served.ask(bot, "退款多久能到账")["hits"]
    deadline = time.monotonic() + 15
    while len(served.children()) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    alive = list(served.children())
    assert len(alive) == 3
    served.process.kill()
    served.process.wait()
    served.process.stderr.close()  # type: ignore[union-attr]
    assert gone(alive, 10)


def test_a_first_start_makes_everything(tmp_path: Path) -> None:
    (tmp_path / "articles" / "refund").mkdir(parents=True)
    (tmp_path / "articles" / "refund" / "x.md").write_text("# 退款多久到账\n\n一到三天。", "utf-8")
    server = Served(tmp_path)
    try:
        assert "admin-password.txt" in server.said
        assert (tmp_path / "home" / "admin-password.txt").stat().st_mode & 0o077 == 0
        with urlopen(f"{server.url}/readyz", timeout=5) as response:
            assert json.load(response)["status"] == "ready"
    finally:
        server.stop()
