"""Connections that do not behave: some send a request at a byte in seconds, some send nothing at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

SLOW, IDLE = 200, 200
SECONDS_A_BYTE = 3.0
AGAIN = 1.0
_OPENING = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


@asynccontextmanager
async def under_attack(host: str, port: int, slow: int = SLOW, idle: int = IDLE) -> AsyncIterator[list[int]]:
    """The connections are held while the block runs, and opened again when the server closes them.

    Yields a list of one number: how often the server refused or closed one.
    """
    closed = [0]
    attackers = [asyncio.create_task(_slow(host, port, closed)) for _ in range(slow)]
    attackers += [asyncio.create_task(_idle(host, port, closed)) for _ in range(idle)]
    try:
        yield closed
    finally:
        for attacker in attackers:
            attacker.cancel()
        await asyncio.gather(*attackers, return_exceptions=True)


async def _slow(host: str, port: int, closed: list[int]) -> None:
    while True:
        with suppress(OSError):
            async with _connected(host, port) as writer:
                writer.write(_OPENING)
                while not writer.is_closing():
                    await asyncio.sleep(SECONDS_A_BYTE)
                    writer.write(b"a")
                    await writer.drain()
        closed[0] += 1
        await asyncio.sleep(AGAIN)


async def _idle(host: str, port: int, closed: list[int]) -> None:
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                await reader.read()
            finally:
                writer.close()
        closed[0] += 1
        await asyncio.sleep(AGAIN)


@asynccontextmanager
async def _connected(host: str, port: int) -> AsyncIterator[asyncio.StreamWriter]:
    _, writer = await asyncio.open_connection(host, port)
    try:
        yield writer
    finally:
        writer.close()
