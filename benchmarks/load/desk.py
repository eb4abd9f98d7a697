"""Agents at work: each lives through the steps of `people.day` in a browser of its own."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from benchmarks.load.client import FAILURES, Client, Reply
from benchmarks.load.people import Act, Step, day
from benchmarks.load.report import Taken, percentile

Send = Callable[[], Awaitable[Reply]]
_OK = (200, 202)


@dataclass
class Log:
    """What was measured since `start`, and how late the driver itself began each act."""

    start: float = field(default_factory=time.monotonic)
    taken: list[Taken] = field(default_factory=list)
    late: list[float] = field(default_factory=list)

    def of(self, *what: str) -> list[Taken]:
        """The acts of some kinds."""
        return [one for one in self.taken if one.what in what]

    async def measure(self, what: str, send: Send) -> Reply | None:
        """Send and note; the reply when it is good. Cancelled, it is noted as given up."""
        began = time.monotonic()
        reply, outcome = None, "aborted"
        try:
            reply = await send()
            outcome = "ok" if reply.status in _OK else f"status {reply.status}"
        except FAILURES as error:
            outcome = f"{type(error).__name__}: {error}"
        finally:
            self.taken.append(Taken(began - self.start, what, time.monotonic() - began, outcome))
        return reply if outcome == "ok" else None

    async def until(self, at: float) -> None:
        """Wait for a moment (seconds after `start`), and note how late it has become."""
        await asyncio.sleep(max(0.0, self.start + at - time.monotonic()))
        self.late.append(time.monotonic() - self.start - at)

    def lateness(self) -> str:
        """What the driver's own lateness was."""
        return f"driver began p99 {percentile(self.late, 0.99) * 1000:.1f} ms late"


class Agent:
    """One agent: a new question aborts the one under way, as the page does."""

    def __init__(self, client: Client, log: Log) -> None:
        self._client, self._log = client, log
        self._under_way: asyncio.Task[None] | None = None
        self._answer: Reply | None = None

    async def live(self, steps: Iterator[Step], seconds: float) -> None:
        """Act at the moments of `steps` for so long."""
        for step in steps:
            if step.at > seconds:
                break
            await self._log.until(step.at)
            await self._act(step)
        if self._under_way:
            await asyncio.wait([self._under_way])

    async def _act(self, step: Step) -> None:
        if step.act is Act.ENTER and self._answer and (self._under_way is None or self._under_way.done()):
            await self._take()
            return
        await self._abort()
        if step.act is Act.CLEAR:
            self._answer = None
            return
        mode = Act.FINAL if step.act is Act.ENTER else step.act
        self._under_way = asyncio.create_task(self._ask(step.text, mode))

    async def _abort(self) -> None:
        task, self._under_way = self._under_way, None
        if task and not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _ask(self, text: str, mode: Act) -> None:
        self._answer = await self._log.measure(mode, lambda: self._client.ask(text, mode)) or self._answer

    async def _take(self) -> None:
        """Enter with hits on the page copies the first one and says so; without, it asks for good."""
        assert self._answer is not None
        answer = self._answer.json()
        if answer["hits"]:
            sent = answer["query_id"], answer["hits"][0]["id"], "copied"
            await self._log.measure("feedback", lambda: self._client.tell(*sent))


async def typing(clients: Sequence[Client], questions: Sequence[str], seconds: float, seed: int) -> Log:
    """All agents type for so long; the same seed types the same at the same moments."""
    log = Log()
    days = [day(questions, Random(f"{seed} agent {number}")) for number in range(len(clients))]
    lives = [Agent(client, log).live(steps, seconds) for client, steps in zip(clients, days, strict=True)]
    await asyncio.gather(*lives)
    return log


async def asking(
    clients: Sequence[Client], questions: Sequence[str], rate: float, seed: int, stop: asyncio.Event
) -> Log:
    """Finished questions, `rate` a second at random moments, until `stop`; nobody waits for another's answer."""
    log, chance, at, idle = Log(), Random(f"{seed} asking"), 0.0, deque(clients)
    under_way: set[asyncio.Task[None]] = set()
    while not stop.is_set():
        at += chance.expovariate(rate)
        await log.until(at)
        task = asyncio.create_task(_ask_once(log, idle, chance.choice(questions)))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    return log


async def _ask_once(log: Log, idle: deque[Client], text: str) -> None:
    if not idle:
        log.taken.append(Taken(time.monotonic() - log.start, "final", 0.0, "every agent still waits for an answer"))
        return
    client = idle.popleft()
    await log.measure("final", lambda: client.ask(text, "final"))
    idle.append(client)
