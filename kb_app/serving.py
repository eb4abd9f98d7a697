"""The processes of a server: web children that share one socket, and one worker."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from kb_app import indexing
from kb_app.errors import KbError, Unavailable
from kb_app.kb import Kb
from kb_app.lock import writer_lock
from kb_app.settings import Settings
from kb_app.stopping import Stop
from search.errors import SearchError

STOP_SECONDS = 10.0
READY_SECONDS = 60.0
WORKER_NICENESS = 10
CONNECTIONS = 4_000
LOCK_SECONDS = 0.2
SWITCH_SECONDS = 0.0005
_log = logging.getLogger(__name__)


@dataclass
class _Child:
    """A process that is started again when it ends by itself."""

    name: str
    command: Sequence[str]
    descriptors: tuple[int, ...]
    process: subprocess.Popen[bytes]
    started: float


def listen(settings: Settings) -> socket.socket:
    """The bound socket; `Unavailable` says when the port is taken or the address is not ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as error:
        bound.close()
        raise Unavailable(
            f"cannot serve on {settings.host}:{settings.port}: {error.strerror}",
            "Stop what uses the port, or choose another with KB_PORT (0 takes any free one).",
        ) from error
    bound.listen(1024)
    return bound


def address(bound: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server:
    """The parent: starts the children, keeps them running, stops them together."""

    def __init__(self, settings: Settings, bound: socket.socket) -> None:
        self._settings = settings
        self._bound = bound
        self._children: list[_Child] = []
        self._stopping = Stop()
        # Children hold the reading end: it closes when this process dies, however it dies, and they stop.
        self._lifeline, self._keep = os.pipe()

    def run(self, ready: Callable[[], None]) -> int:
        """Serve until SIGTERM or SIGINT; `ready` is called when questions can be answered. The exit code."""
        self._stopping.on_signals()
        try:
            self._start_all()
            self._await_ready()
            if not self._stopping.is_set():
                ready()
            while not self._stopping.wait(0.5):
                self._revive()
        finally:
            self._stop_all()
        return 0

    def _start_all(self) -> None:
        web, life = self._bound.fileno(), self._lifeline
        for number in range(self._settings.processes):
            command = ["web", "--socket", str(web), "--lifeline", str(life)]
            self._children.append(_start(f"web {number + 1}", command, (web, life)))
        self._children.append(_start("worker", ["worker", "--lifeline", str(life)], (life,)))

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        host, port = self._bound.getsockname()[:2]
        while not _is_ready(host, port) and not self._stopping.wait(0.1):
            ended = [child for child in self._children if child.process.poll() is not None]
            if ended or time.monotonic() > deadline:
                name = ended[0].name if ended else "web"
                raise Unavailable(
                    f"the {name} process did not start", "Its log is above; `kb doctor` checks the parts."
                )

    def _revive(self) -> None:
        for place, child in enumerate(self._children):
            if child.process.poll() is None or time.monotonic() - child.started < 1:
                continue
            _log.error("%s ended with status %s and is started again", child.name, child.process.returncode)
            self._children[place] = _start(child.name, child.command, child.descriptors)

    def _stop_all(self) -> None:
        os.close(self._keep)
        for child in self._children:
            child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _log.error("%s did not stop in time and is killed", child.name)
                child.process.kill()
                child.process.wait()
        os.close(self._lifeline)
        self._bound.close()


def serve_web(kb: Kb, descriptor: int, lifeline: int) -> None:
    """A web child: answer requests on the shared socket until told to stop."""
    # Flask and waitress are loaded in the children that serve, not in every command.
    import waitress

    from kb_app.app import create_app

    # First of all: what is still being loaded when the parent dies ends as well.
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    app = create_app(kb)
    _warm(kb)
    # What is loaded now stays: the collector need not go through it again, which would hold up everybody.
    gc.collect()
    gc.freeze()
    # A new generation is opened beside the questions, in slices short enough that none of them waits long for its turn.
    sys.setswitchinterval(SWITCH_SECONDS)
    threading.Thread(target=kb.engine.follow, args=(_pause,), daemon=True).start()
    bound = socket.socket(fileno=descriptor)
    server = waitress.create_server(
        app,
        sockets=[bound],
        threads=kb.settings.threads,
        ident=None,
        clear_untrusted_proxy_headers=True,
        # Whoever sends slowly or nothing holds a connection and no thread; `select` would end at 1024 of them.
        connection_limit=CONNECTIONS,
        asyncore_use_poll=True,
    )
    signal.signal(signal.SIGTERM, _raise_exit)
    try:
        server.run()
    except SystemExit:
        server.close()


def serve_worker(kb: Kb, lifeline: int | None) -> None:
    """The worker: hold the writer lock and follow the outbox until told to stop."""
    lock, stop = writer_lock(kb.settings.home), Stop()
    if lifeline is None:
        lock.require()
    else:
        os.nice(WORKER_NICENESS)
        threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    stop.on_signals()
    # The worker of a server that was killed may still be at its last step.
    while lifeline is not None and not lock.acquire() and not stop.wait(LOCK_SECONDS):
        pass
    try:
        indexing.work(kb, stop)
    finally:
        lock.release()


def _start(name: str, command: Sequence[str], descriptors: tuple[int, ...]) -> _Child:
    process = subprocess.Popen([sys.executable, "-m", "kb_app", *command], pass_fds=descriptors)
    return _Child(name, command, descriptors, process, time.monotonic())


def _is_ready(host: str, port: int) -> bool:
    connection = HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _warm(kb: Kb) -> None:
    """Load index, encoder and analyser before the first question waits for them."""
    try:
        kb.engine.index()
        kb.analyzer.query_terms("预热")
    except (SearchError, KbError) as error:
        _log.error("started without an index: %s", error)


def _end_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _pause(seconds: float) -> bool:
    """Wait; it is never time to stop, as the thread ends with its process."""
    time.sleep(seconds)
    return False


def _raise_exit(*_signal: object) -> None:
    # Once is enough: the parent and the lifeline may both ask, and closing is not to be interrupted.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(0)
