"""A real server on a KB_HOME of a given size: `kb serve` as a process of its own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from benchmarks import corpus
from benchmarks.corpus import Size
from benchmarks.load import processes
from kb_app import accounts
from kb_app.access import COMMAND_LINE, Role
from kb_app.accounts import NewUser
from kb_app.errors import Conflict
from kb_app.kb import open_kb
from kb_app.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 300.0
STOP_SECONDS = 30.0
MARK = "load.json"


class Failed(Exception):
    """The server or one of its commands did not do what the measurement needs."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who signs in."""

    login: str
    password: str


@dataclass(frozen=True, slots=True)
class Place:
    """A KB_HOME, the port to serve it on and how many web processes do."""

    home: Path
    port: int
    processes: int

    def environment(self) -> dict[str, str]:
        """This environment, settings that are to be tried included, with those of the place."""
        paths = {"KB_HOME": str(self.home), "KB_ARTICLES": str(self.home / "articles")}
        return os.environ | paths | {"KB_PORT": str(self.port), "KB_PROCESSES": str(self.processes)}


class Server:
    """A running `kb serve`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._log = place.home / "serve.log"
        started = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                kb("serve", "--no-samples"), cwd=ROOT, env=place.environment(), stdout=log, stderr=log
            )
        self._await_ready()
        self.ready_after = time.monotonic() - started
        self._await_all()

    @property
    def pid(self) -> int:
        """The parent's process number."""
        return self._process.pid

    def web(self) -> set[int]:
        """Process numbers of the web processes."""
        return {pid for pid, part in processes.tree(self.pid).items() if part == "web"}

    def stop(self) -> None:
        """Stop it, at once where it does not listen."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not _ready(self.place.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                raise Failed(f"the server is not ready after {READY_SECONDS:.0f} s; see {self._log}")
            time.sleep(0.02)

    def _await_all(self) -> None:
        """One web process answers before the others have loaded: wait until none of them burns CPU any more."""
        before, settled = processes.cpu(self.pid), 0
        while settled < 3:
            time.sleep(0.5)
            now = processes.cpu(self.pid)
            settled = settled + 1 if sum(now.values()) - sum(before.values()) < 0.1 else 0
            before = now


def kb(*arguments: str) -> list[str]:
    """The command line of `kb ARGUMENTS`."""
    return [sys.executable, "-m", "kb_app", *arguments]


def run(place: Place, *arguments: str) -> str:
    """What `kb ARGUMENTS` prints; `Failed` with what it said when it does not succeed."""
    done = subprocess.run(kb(*arguments), cwd=ROOT, env=place.environment(), capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"kb {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def prepared(home: Path, data: Path, size: Size, web: int) -> Place:
    """A KB_HOME that holds the corpus and its index; one that was filled before is taken as it is."""
    place, mark = Place(home.resolve(), _free_port(), web), home / MARK
    # Sync reads this folder; files are made only of what editors save.
    (home / "articles").mkdir(parents=True, exist_ok=True)
    if mark.exists() and json.loads(mark.read_text("utf-8")) != asdict(size):
        raise Failed(f"{home} holds another corpus: name an empty folder, or its own size and seed")
    if not mark.exists():
        corpus.fill(home, data, size)
        run(place, "init", "--no-samples")
        mark.write_text(json.dumps(asdict(size)), "utf-8")
    return replace(place, port=_free_port())


def index_status(place: Place) -> Mapping[str, Any]:
    """What `kb index status` says."""
    return dict(json.loads(run(place, "index", "status", "--json")))


def agents(place: Place, number: int) -> list[Account]:
    """People who may sign in; their passwords are new."""
    kb_here = open_kb(load_settings(place.environment()))
    try:
        return [_agent(kb_here, f"load-{place_at:03d}") for place_at in range(number)]
    finally:
        kb_here.close()


def _agent(kb_here: Any, login: str) -> Account:
    account = Account(login, secrets.token_urlsafe(12))
    try:
        accounts.create_user(kb_here, NewUser(login, login, Role.AGENT, account.password), COMMAND_LINE.id)
    except Conflict:
        accounts.set_password(kb_here, login, account.password, COMMAND_LINE.id)
    return account


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
