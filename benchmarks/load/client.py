"""A browser as far as the server can tell: cookies and one keep-alive connection, closed to abort a question.

HTTP/1.1 with Content-Length and no more: the driver shares its cores with the server it measures.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

TIMEOUT = 10.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_COOKIE = re.compile(rb"\r\nset-cookie: *([^=;\r]+)=([^;\r]*)", re.IGNORECASE)
_FIELD = re.compile(rb'name="csrf_token" value="([^"]+)"')
_META = re.compile(rb'name="csrf-token" content="([^"]+)"')


class Broken(Exception):
    """The connection ended before the reply; `unanswered` when not one byte of it had come."""

    def __init__(self, unanswered: bool) -> None:
        super().__init__("the connection was closed before the reply was whole")
        self.unanswered = unanswered


class Unexpected(Exception):
    """The server said something that this client cannot go on with."""


FAILURES = (OSError, Broken, Unexpected, TimeoutError)
"""How a request ends without a reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response; `head` is the status line and the headers as they came."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        """The status code."""
        return int(self.head[9:12])

    def header(self, name: str) -> str:
        """A header's value, "" when it is missing."""
        found = re.search(rb"\r\n" + re.escape(name.encode()) + rb": *([^\r]*)", self.head, re.IGNORECASE)
        return found[1].decode("latin-1") if found else ""

    def cookies(self) -> dict[str, str]:
        """The cookies that are set."""
        return {name.decode(): value.decode() for name, value in _COOKIE.findall(self.head)}

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


def parse(data: bytes) -> Reply | None:
    """The reply at the start of `data`, None while it is not whole; `Unexpected` when it names no length."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = _LENGTH.search(data, 0, end)
    if length is None:
        raise Unexpected(f"a reply without Content-Length: {data[:end].decode('latin-1')}")
    stop = end + 4 + int(length[1])
    return Reply(data[:end], data[end + 4 : stop]) if len(data) >= stop else None


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.closed = False
        self.used = False
        self._came = b""
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Reply] | None = None

    async def exchange(self, request: bytes) -> Reply:
        """Send a request and wait for its reply; `Broken` when the other side closes."""
        assert self._transport is not None
        self._came = b""
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._waiting
        finally:
            self.used = True

    def close(self) -> None:
        """Hang up, whatever is under way."""
        self.closed = True
        if self._transport:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A part of a reply has come."""
        self._came += data
        waiting = self._waiting
        if waiting is None or waiting.done():
            return
        try:
            reply = parse(self._came)
        except Unexpected as error:
            waiting.set_exception(error)
            return
        if reply:
            waiting.set_result(reply)

    def connection_lost(self, _error: Exception | None) -> None:
        """The other side has closed, or this one."""
        self.closed = True
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(Broken(not self._came))


class Client:
    """One person's browser."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._cookies: dict[str, str] = {}
        self._token = ""
        self._connection: Connection | None = None

    def another(self) -> Client:
        """The same person in another window: a connection of its own."""
        copy = Client(self.host, self.port)
        copy._cookies, copy._token = dict(self._cookies), self._token
        return copy

    async def get(self, path: str) -> Reply:
        """Fetch a path."""
        return await self.send("GET", path)

    async def sign_in(self, login: str, password: str) -> None:
        """As the page does it: form, cookie, and the token that the desk's page holds; `Unexpected` when refused."""
        form = await self.get("/sign-in")
        body = urlencode({"login": login, "password": password, "csrf_token": _found(_FIELD, form)}).encode()
        reply = await self.send("POST", "/sign-in", body, "application/x-www-form-urlencoded")
        if reply.status != 303:
            raise Unexpected(f"signing in as {login} was answered with {reply.status}")
        self._token = _found(_META, await self.get("/"))

    async def ask(self, text: str, mode: str) -> Reply:
        """Ask as the desk does."""
        return await self._post("/api/v1/search", {"query": text, "mode": mode, "kinds": []})

    async def tell(self, query_id: str, hit_id: str, event: str) -> Reply:
        """Say what became of a hit."""
        return await self._post("/api/v1/feedback", {"query_id": query_id, "hit_id": hit_id, "event": event})

    async def send(self, method: str, path: str, body: bytes = b"", kind: str = "") -> Reply:
        """One request; cancelled, it hangs up. Sent again when a connection kept alive had just been closed."""
        request = self._head(method, path, body, kind) + body
        try:
            async with asyncio.timeout(TIMEOUT):
                reply = await self._exchange(request)
        except BaseException:
            self.close()
            raise
        self._cookies |= reply.cookies()
        return reply

    def close(self) -> None:
        """Hang up; the next request opens a connection."""
        if self._connection:
            self._connection.close()

    async def _post(self, path: str, sent: dict[str, Any]) -> Reply:
        return await self.send("POST", path, json.dumps(sent, ensure_ascii=False).encode(), "application/json")

    async def _exchange(self, request: bytes) -> Reply:
        connection = await self._open()
        again = connection.used
        try:
            return await connection.exchange(request)
        except Broken as error:
            if not (again and error.unanswered):
                raise
        return await (await self._open()).exchange(request)

    async def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            loop = asyncio.get_running_loop()
            _, self._connection = await loop.create_connection(Connection, self.host, self.port)
        return self._connection

    def _head(self, method: str, path: str, body: bytes, kind: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}", "Accept-Language: zh-CN"]
        if self._cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self._cookies.items()))
        if method == "POST":
            lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}", f"X-CSRFToken: {self._token}"]
        return "\r\n".join([*lines, "\r\n"]).encode()


def _found(pattern: re.Pattern[bytes], reply: Reply) -> str:
    match = pattern.search(reply.body)
    if match is None:
        raise Unexpected(f"a page of status {reply.status} has no form token")
    return match[1].decode()
