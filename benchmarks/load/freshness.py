"""How long a change takes until every web process answers with it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.load.client import FAILURES, Client, Reply
from benchmarks.load.editors import Edited
from benchmarks.load.report import Taken

BLIND = 8
"""Connections that are asked where answers do not name their process: two processes both hold one of them, 127 to 1."""
TRIES = 200
POLL = 0.25
POLL_LATE = 1.0
PATIENCE = 3.0
"""Seconds after a change from which it is asked for less often: the goal is missed, and asking is load."""
GIVE_UP = 30.0
PROCESS = "X-Process"


@dataclass
class Probe:
    """A connection that stays with one web process."""

    client: Client
    process: str
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def agrees(self, edited: Edited, shown: bool) -> bool:
        """Whether this process finds that version of the article by its word, or no longer does, as `shown` says."""
        async with self._busy:
            try:
                reply = await self.client.get(f"/api/v1/search?q={edited.word}&mode=typing&top_k=8")
            except FAILURES:
                return False
        if reply.header(PROCESS) not in ("", self.process):
            # Opened anew, the connection may have come to another process.
            self.client.close()
            return False
        return reply.status == 200 and _finds(reply, edited) is shown


async def probes(signed_in: Client, processes: set[int]) -> list[Probe]:
    """A connection to each web process, or `BLIND` connections where answers do not name the process."""
    found: dict[str, Probe] = {}
    for number in range(TRIES):
        client = signed_in.another()
        reply = await client.get("/healthz")
        process = reply.header(PROCESS) or f"connection {number + 1}"
        if process in found:
            client.close()
        else:
            found[process] = Probe(client, process)
        if processes <= {int(p) for p in found if p.isdigit()} or len(found) >= max(BLIND, len(processes)):
            break
    return list(found.values())


class Watch:
    """Follows every change until all probes show it."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = probes
        self._start = time.monotonic()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self.saves: list[Taken] = []
        self.seen: list[Taken] = []

    @property
    def watched(self) -> str:
        """What is watched, in words."""
        return ", ".join(probe.process for probe in self._probes)

    async def read(self, lines: asyncio.StreamReader) -> None:
        """Take what the editors print until they end, and wait for what is still being followed."""
        async for line in lines:
            self._take(Edited(**json.loads(line)))
        await asyncio.gather(*self._under_way.values())

    def _take(self, edited: Edited) -> None:
        began = edited.at - edited.seconds - self._start
        self.saves.append(Taken(began, edited.act, edited.seconds, edited.error or "ok"))
        if edited.error:
            return
        # A save that is archived before it was seen cannot be seen any more: it counts as long as it was waited for.
        if before := self._under_way.get(edited.article):
            before.cancel()
        self._under_way[edited.article] = asyncio.create_task(self._follow(edited))

    async def _follow(self, edited: Edited) -> None:
        what, shown = ("searchable", True) if edited.act == "save" else ("gone", False)
        outcome = "ok"
        try:
            async with asyncio.timeout(GIVE_UP):
                # One after the other: what a process shows it goes on showing, and asking is load as well.
                for probe in self._probes:
                    await _await(probe, edited, shown)
        except TimeoutError:
            outcome = f"not {what} after {GIVE_UP:.0f} s"
        except asyncio.CancelledError:
            outcome = "aborted"
        self.seen.append(Taken(edited.at - self._start, what, time.monotonic() - edited.at, outcome))


def _finds(reply: Reply, edited: Edited) -> bool:
    return any(hit["id"] == edited.article and hit["version"] == edited.version for hit in reply.json()["hits"])


async def _await(probe: Probe, edited: Edited, shown: bool) -> None:
    while not await probe.agrees(edited, shown):
        late = time.monotonic() - edited.at > PATIENCE
        await asyncio.sleep(POLL_LATE if late else POLL)
