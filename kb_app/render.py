"""Markdown to safe HTML, in one disposable child process, so that no article can hold up a worker."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from kb_app.errors import BadInput, Unavailable

INPUT_LIMIT = 200 * 1024
"""Bytes of UTF-8 in one article."""

READY = b"ready"
"""First frame of a child: it has imported everything and set its limits."""

_SPLIT = "split the article into several and link them to each other"
_REFUSALS = {
    "time": (
        "rendering this article took too long and was stopped",
        f"look for long runs of brackets, asterisks or backticks, or {_SPLIT}",
    ),
    "memory": (
        "rendering this article needs too much memory",
        f"look for one long reference that is used many times, or {_SPLIT}",
    ),
    "output": (
        "this article grows too large when rendered (limit 4 MB)",
        f"look for one long reference that is used many times, or {_SPLIT}",
    ),
    "depth": (
        "lists or quotations are nested too deeply to be rendered",
        "remove some levels of indentation or of `>`",
    ),
    "unstable": ("the raw HTML in this article cannot be made safe", "write it as Markdown"),
    "url": ("a link or image in this article has an address of more than 4000 characters", "shorten it"),
    "died": (
        "the renderer's child process died twice on this article",
        "remove raw HTML and unusual constructs; the server log has the details",
    ),
}
# The child parses hostile text: it gets what Python needs to start and none of our secrets.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG")


@dataclass(frozen=True, slots=True)
class LinkRewrite:
    """Where links lead: the path that article slugs hang under, and our own scheme and host ("" when unknown)."""

    articles: str = "/articles/"
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """One line of the table of contents; `id` is the element's, `h-` included."""

    level: int
    text: str
    id: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """Safe HTML and the headings in it, in order."""

    html: str
    toc: tuple[Heading, ...]


class RenderRefused(BadInput):
    """This Markdown is not rendered; the message says why and the hint how to mend it."""

    status = 422
    code = "render_refused"


class Renderer:
    """Renders one article at a time in a child process that is replaced when it dies or overruns.

    `cpu_seconds` and `wall_seconds` hold for one article, `memory_mb` for the child's address space.
    The child starts with the first article; threads may share a renderer, forked processes each get a child.
    """

    def __init__(self, cpu_seconds: float = 2.0, wall_seconds: float = 10.0, memory_mb: int = 512) -> None:
        self._limits = (cpu_seconds, memory_mb)
        self._wall_seconds = wall_seconds
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the child; a later render starts another."""
        with self._lock:
            self._drop()

    def render(self, markdown: str, link: LinkRewrite | None = None) -> Rendered:
        """Safe HTML of an article, relative links to `*.md` rewritten by `link`; raises RenderRefused."""
        request = _request(markdown, link)
        with self._lock:
            try:
                reply = self._ask(request)
            except _Died:
                # Killed from outside, before or during this article: once more on a new child.
                try:
                    reply = self._ask(request)
                except _Died as death:
                    raise _refusal("died") from death
        return Rendered(reply["html"], tuple(Heading(*entry) for entry in reply["toc"]))

    def _ask(self, request: bytes) -> dict[str, Any]:
        try:
            reply: dict[str, Any] = json.loads(self._running().ask(request, self._wall_seconds))
            if "refused" in reply:
                raise _refusal(reply["refused"])
        except BaseException:
            # After anything but a plain answer the pipe may hold half a reply: never reuse it.
            self._drop()
            raise
        return reply

    def _running(self) -> _Child:
        if self._child and self._child.owner != os.getpid():
            self._child = None
        self._child = self._child or _Child(*self._limits)
        return self._child

    def _drop(self) -> None:
        if self._child:
            self._child.kill()
        self._child = None


class _Died(Exception):
    """The child is gone for a reason that the article need not be to blame for."""


class _Child:
    """One process and its pipes."""

    def __init__(self, cpu_seconds: float, memory_mb: int) -> None:
        self.owner = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kb_app.render_child", str(cpu_seconds), str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[1],
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )
        self.kill = weakref.finalize(self, _end, self._process)
        self._ready = False
        self._overdue = False

    def ask(self, request: bytes, wall_seconds: float) -> bytes:
        """The reply to one request; raises RenderRefused when its time is up, _Died when the child is gone."""
        # A timer that kills also ends a write to, or a read from, a child that has stopped moving.
        timer = threading.Timer(wall_seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            return self._exchange(request)
        finally:
            timer.cancel()

    def _exchange(self, request: bytes) -> bytes:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin and stdout
        if not self._ready and read_frame(stdout) != READY:
            raise self._death() if self._overdue else _no_start(self._process.wait())
        self._ready = True
        try:
            write_frame(stdin, request)
            reply = read_frame(stdout)
        except BrokenPipeError as error:
            raise self._death() from error
        if reply is None:
            raise self._death()
        return reply

    def _expire(self) -> None:
        self._overdue = True
        self._process.kill()

    def _death(self) -> Exception:
        code = self._process.wait()
        if self._overdue or code == -signal.SIGPROF:
            return _refusal("time")
        return _Died(f"exit status {code}")


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """Send bytes behind their length, four bytes big-endian."""
    stream.write(struct.pack(">I", len(data)) + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """Bytes sent by `write_frame`, None when the other side is gone."""
    header = stream.read(4)
    if len(header) < 4:
        return None
    (size,) = struct.unpack(">I", header)
    data = stream.read(size)
    return data if len(data) == size else None


def _request(markdown: str, link: LinkRewrite | None) -> bytes:
    try:
        size = len(markdown.encode())
    except UnicodeEncodeError as error:
        raise RenderRefused(
            f"character {error.start + 1} of the article is not valid Unicode", "type it again"
        ) from error
    if size > INPUT_LIMIT:
        raise RenderRefused(
            f"the article is too large to render: {size // 1024} KB (limit {INPUT_LIMIT // 1024} KB)", _SPLIT
        )
    return json.dumps({"markdown": markdown, "link": asdict(link) if link else None}).encode()


def _refusal(reason: str) -> RenderRefused:
    return RenderRefused(*_REFUSALS[reason])


def _no_start(code: int) -> Unavailable:
    return Unavailable(
        f"the renderer cannot start (exit status {code})", "run `python -m kb_app.render_child 2 512` to see why"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        assert stream
        # What was still to be written to a dead child is lost anyway; the pipe is closed all the same.
        with contextlib.suppress(BrokenPipeError):
            stream.close()
