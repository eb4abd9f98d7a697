"""`kb serve` as its users run it."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from kb_app import accounts
from kb_app.access import Scope
from kb_app.kb import open_kb
from kb_app.settings import load_settings
from tests.kb_app.conftest import rewrite
from tests.kb_app.served import Served, gone, kb_process


@pytest.fixture
def bot(place: Path) -> str:
    kb = open_kb(load_settings({"KB_HOME": str(place / "home")}))
    issued = accounts.issue_key(kb, "bot", frozenset(Scope), None, "test")
    kb.close()
    return issued.key


@pytest.fixture
def served(place: Path) -> Iterator[Served]:
    server = Served(place, KB_PROCESSES="2")
    yield server
    if server.process.poll() is None:
        server.stop()


def test_it_answers_refuses_a_second_follows_edits_and_stops(served: Served, place: Path, bot: str) -> None:
    assert served.ask(bot, "退款多久能到账")["hits"][0]["url"].startswith("/articles/refund-arrival")
    for second in (kb_process(place, "serve"), kb_process(place, "worker")):
        assert second.returncode == 1
        assert f"writes to {place / 'home'}" in second.stderr
        assert "Stop it first" in second.stderr
        assert "Traceback" not in second.stderr
    children = served.children()
    assert sorted(line.split(" kb_app ")[1].split()[0] for line in children.values()) == ["web", "web", "worker"]

    path = place / "articles" / "made" / "public.md"
    path.write_text(path.read_text("utf-8").replace("七天内", "九天内"), "utf-8")
    done = kb_process(place, "sync", "--json")
    assert json.loads(done.stdout)["changed"] == ["made/public.md"]
    # The command waits for the worker, and each web process opens what it made within moments.
    deadline, answers = time.monotonic() + 10, [""]
    while not all("九天内" in answer for answer in answers):
        assert time.monotonic() < deadline
        answers = [json.dumps(served.ask(bot, "白鲸会员怎么退"), ensure_ascii=False) for _ in range(6)]

    # The worker holds the lock: it is asked to build anew, and does.
    before = json.loads(kb_process(place, "index", "status", "--json").stdout)["number"]
    built = json.loads(kb_process(place, "index", "build", "--json").stdout)
    assert built["number"] == built["built"] > before

    rewrite(place, "a_public01", "白鲸会员十一天内可退。")
    deadline = time.monotonic() + 5
    while "十一天" not in json.dumps(served.ask(bot, "白鲸会员怎么退"), ensure_ascii=False):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "十一天内" in path.read_text("utf-8")

    # As Ctrl-C does.
    assert served.stop(signal.SIGINT) == 0
    assert gone(list(children), 1)
    assert "Traceback" not in served.said


def test_a_killed_child_is_revived_and_orphans_end(served: Served, bot: str) -> None:
    children = served.children()
    victim = next(pid for pid, line in children.items() if " web " in line)
    os.kill(victim, signal.SIGKILL)
    for _ in range(5):
        assert served.ask(bot, "退款多久能到账")["hits"]
    deadline = time.monotonic() + 20
    while len(served.children()) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    alive = list(served.children())
    assert len(alive) == 3
    assert victim not in alive
    served.process.kill()
    served.process.wait()
    assert gone(alive, 10)


def test_a_burst_of_signals_stops_it_as_well(served: Served) -> None:
    children = list(served.children())
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2]))):
        for _ in range(30):
            for pid in (*children, served.process.pid):
                # A process that is gone already has done what it was asked.
                if gone([pid], 0):
                    continue
                os.kill(pid, signal.SIGTERM)
            time.sleep(0.002)
        assert served.process.wait(20) == 0
    assert time.monotonic() - start < 10
    assert gone(children, 1)
    assert "is killed" not in served.said


def test_a_first_start_makes_everything(tmp_path: Path) -> None:
    (tmp_path / "articles" / "refund").mkdir(parents=True)
    (tmp_path / "articles" / "refund" / "x.md").write_text("# 退款多久到账\n\n一到三天。", "utf-8")
    server = Served(tmp_path)
    try:
        secret = tmp_path / "home" / "admin-password.txt"
        assert str(secret) in server.said
        assert secret.read_text("ascii") not in server.said
        assert secret.stat().st_mode & 0o077 == 0
        with urlopen(f"{server.url}/readyz", timeout=5) as response:
            assert json.load(response)["status"] == "ready"
    finally:
        server.stop()


def test_port_in_use(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = kb_process(place, "serve", KB_PORT=port)
    assert done.returncode == 1
    assert port in done.stderr
    assert "KB_PORT" in done.stderr
    assert "Traceback" not in done.stderr
