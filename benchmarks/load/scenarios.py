"""The scenarios and their goals; each is a coroutine from a `Bench` to an `Outcome`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field

from benchmarks.load import desk, processes
from benchmarks.load.attack import under_attack
from benchmarks.load.client import Client
from benchmarks.load.desk import Log
from benchmarks.load.freshness import PROCESS, Watch, probes
from benchmarks.load.processes import Sample, growth
from benchmarks.load.report import Check, Goal, Outcome, Row, percentile, problems
from benchmarks.load.server import ROOT, Failed, Server, kb

TYPING = Goal(p50=15, p99=60)
FINAL = Goal(p99=500)
SAVE = Goal(p99=500)
FRESH = Goal(p99=2000)
RATE = 5.0
"""Finished questions a second in L2 and R9."""
EDITORS = 10
SAVE_EVERY = 30.0
SOAK_SAVE_EVERY = 60.0
SAMPLE_EVERY = 5.0
WARM_UP = 0.1
"""Share of a soak after which growth counts."""
MOST_GROWTH = 0.05
LARGEST_WAL = 64.0
WORSE = 2.0
"""How many times its usual p99 an answer may take while the index is rebuilt ..."""
TAKEN_UP = 10.0
"""... and in so many seconds after it, in which the web processes take the new one up."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A running server, people signed in to it, and what they may ask."""

    server: Server
    clients: Sequence[Client]
    questions: Sequence[str]
    seconds: float
    seed: int


async def typing(bench: Bench) -> Outcome:
    """L1: everybody types."""
    async with _cpu(bench) as spent:
        log = await _typed(bench)
    return Outcome(_typing_rows("L1", log), notes=[_note("L1", log, spent), *_rates("L1", log, bench)])


async def finished(bench: Bench) -> Outcome:
    """L2: finished questions at a fixed rate."""
    async with _cpu(bench) as spent:
        log = await _asked(bench, asyncio.sleep(bench.seconds))
    return Outcome([Row("L2", f"final, {RATE:.0f}/s", log.taken, FINAL)], notes=[_note("L2", log, spent)])


async def soak(bench: Bench) -> Outcome:
    """L3: typing and saving for long; nothing grows."""
    samples: list[Sample] = []
    sampling = asyncio.create_task(_sample(bench, samples))
    async with _cpu(bench) as spent:
        log, watch = await _typed_and_saved(bench, SOAK_SAVE_EVERY)
    sampling.cancel()
    rows = [*_typing_rows("L3", log), *_editing_rows("L3", watch)]
    return Outcome(rows, _growth_checks(samples), [_note("L3", log, spent)], {"samples": [asdict(s) for s in samples]})


async def saving(bench: Bench) -> Outcome:
    """L4: editors save while everybody types."""
    async with _cpu(bench) as spent:
        log, watch = await _typed_and_saved(bench, SAVE_EVERY)
    rows = [*_typing_rows("L4", log), *_editing_rows("L4", watch)]
    return Outcome(rows, notes=[_note("L4", log, spent), *_seen_by("L4", watch)])


async def attacked(bench: Bench) -> Outcome:
    """L5: everybody types, first undisturbed, then the same beside connections that do not behave."""
    usual = await _typed(bench)
    _hang_up(bench)
    place = bench.clients[0]
    async with _cpu(bench) as spent, under_attack(place.host, place.port) as closed:
        await asyncio.sleep(2)
        log = await _typed(bench)
    rows = [*_typing_rows("L5 undisturbed", usual, None), *_typing_rows("L5 attacked", log)]
    before, during = (percentile(row.milliseconds(), 0.99) for row in (rows[0], rows[-2]))
    seen = f"p99 {during:.1f} ms, {before:.1f} ms undisturbed"
    check = Check(
        "L5", "others are unaffected", seen, "within 1.5 times or 10 ms", during <= max(before * 1.5, before + 10)
    )
    note = f"L5: the server closed or refused {closed[0]} hostile connections"
    return Outcome(rows, [check], [_note("L5", log, spent), note])


async def rebuilding(bench: Bench) -> Outcome:
    """R9: finished questions at a fixed rate, first undisturbed, then while the whole index is built anew."""
    usual = await _asked(bench, asyncio.sleep(bench.seconds))
    started = time.monotonic()
    async with _cpu(bench) as spent:
        log = await _asked(bench, _rebuild(bench))
    took = time.monotonic() - started - TAKEN_UP
    p99 = percentile(Row("", "", usual.taken).milliseconds(), 0.99)
    goal = Goal(p99=WORSE * p99, max=WORSE * p99)
    rows = [Row("R9 usual", f"final, {RATE:.0f}/s", usual.taken), Row("R9 rebuilding", "final", log.taken, goal)]
    return Outcome(rows, notes=[_note("R9", log, spent), f"R9: the rebuild took {took:.1f} s"])


SCENARIOS: dict[str, Callable[[Bench], Awaitable[Outcome]]] = {
    "L1": typing, "L2": finished, "L4": saving, "L5": attacked, "R9": rebuilding, "L3": soak,
}  # fmt: skip


async def _typed(bench: Bench) -> Log:
    return await desk.typing(bench.clients, bench.questions, bench.seconds, bench.seed)


async def _asked(bench: Bench, while_this: Awaitable[None]) -> Log:
    """Finished questions until `while_this` is over."""
    stop = asyncio.Event()
    asked = asyncio.create_task(desk.asking(bench.clients, bench.questions, RATE, bench.seed, stop))
    try:
        await while_this
    finally:
        stop.set()
        log = await asked
    return log


async def _typed_and_saved(bench: Bench, every: float) -> tuple[Log, Watch]:
    watch = Watch(await probes(bench.clients[0], bench.server.web()))
    own = {"--editors": EDITORS, "--seconds": bench.seconds, "--every": every, "--seed": bench.seed}
    arguments = [str(word) for pair in own.items() for word in pair]
    editors = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load.editors", *arguments,
        cwd=ROOT, env=bench.server.place.environment(), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert editors.stdout
    log, _ = await asyncio.gather(_typed(bench), watch.read(editors.stdout))
    if await editors.wait():
        raise Failed(f"the editors ended with {editors.returncode}; their log is above")
    return log, watch


async def _rebuild(bench: Bench) -> None:
    done = await asyncio.create_subprocess_exec(
        *kb("index", "build"),
        cwd=ROOT,
        env=bench.server.place.environment(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await done.communicate()
    if done.returncode:
        raise Failed(f"kb index build ended with {done.returncode}: {said.decode('utf-8', 'replace').strip()}")
    await asyncio.sleep(TAKEN_UP)


async def _sample(bench: Bench, samples: list[Sample]) -> None:
    started = time.monotonic()
    while True:
        now = time.monotonic() - started
        # In a thread: what the kernel needs to sum up the memory would count as a slow answer.
        sample = await asyncio.to_thread(processes.sample, bench.server.pid, bench.server.place.home, now)
        samples.append(sample)
        await asyncio.sleep(SAMPLE_EVERY)


def _hang_up(bench: Bench) -> None:
    for client in bench.clients:
        client.close()


def _typing_rows(scenario: str, log: Log, goal: Goal | None = TYPING) -> list[Row]:
    typed = log.of("typing")
    given_up = sum(one.outcome == "aborted" for one in typed)
    what = f"typing ({given_up} given up)"
    return [Row(scenario, what, typed, goal), Row(scenario, "final and feedback", log.of("final", "feedback"), FINAL)]


def _editing_rows(scenario: str, watch: Watch) -> list[Row]:
    saved = [Row(scenario, act, [t for t in watch.saves if t.what == act], SAVE) for act in ("save", "archive")]
    seen = [Row(scenario, what, [t for t in watch.seen if t.what == what], FRESH) for what in ("searchable", "gone")]
    return [row for row in (*saved, *seen) if row.taken]


def _growth_checks(samples: Sequence[Sample]) -> list[Check]:
    warm = samples[int(len(samples) * WARM_UP) :]
    memory = [
        Check("L3", f"growth of {name.upper()}", f"{grown:+.1%}", f"< {MOST_GROWTH:.0%}", grown < MOST_GROWTH)
        for name in ("rss", "pss")
        for grown in [growth([getattr(one, name) for one in warm])]
    ]
    # Connections come and go with what people abort; a leak of one a minute would still stand out.
    counts = [
        Check("L3", f"growth of {name}", f"{grown:+.1%}", f"< {MOST_GROWTH:.0%}", grown < MOST_GROWTH)
        for name in ("fds", "threads", "processes")
        for grown in [growth([getattr(one, name) for one in warm])]
    ]
    wal = max(one.wal for one in samples)
    return [*memory, *counts, Check("L3", "largest WAL", f"{wal:.1f} MB", f"< {LARGEST_WAL:.0f} MB", wal < LARGEST_WAL)]


def _note(scenario: str, log: Log, spent: Spent) -> str:
    return "; ".join([f"{scenario}: {spent.told(len(log.taken))}", log.lateness(), *problems(log.taken)])


def _rates(scenario: str, log: Log, bench: Bench) -> list[str]:
    asked = len(log.of("typing", "final"))
    return [f"{scenario}: {len(bench.clients)} agents sent {asked / bench.seconds:.1f} questions a second"]


def _seen_by(scenario: str, watch: Watch) -> list[str]:
    return [f"{scenario}: freshness watched on {watch.watched}; answers name their process in {PROCESS}"]


@dataclass
class Spent:
    """CPU seconds of driver and server over a scenario, by part, and how long that was."""

    seconds: dict[str, float] = field(default_factory=dict)
    wall: float = 0.0

    def told(self, requests: int) -> str:
        """As shares of one core, and of the web processes what one request took."""
        shares = [
            f"{part} {spent / self.wall:.0%}" for part, spent in self.seconds.items() if spent > 0.005 * self.wall
        ]
        each = self.seconds.get("web", 0.0) / max(1, requests) * 1000
        return f"CPU in % of one core: {', '.join(shares)}; {each:.1f} ms of it a request"


@asynccontextmanager
async def _cpu(bench: Bench) -> AsyncIterator[Spent]:
    spent, started = Spent(), time.monotonic()
    own, before = time.process_time(), processes.cpu(bench.server.pid)
    yield spent
    after = processes.cpu(bench.server.pid)
    spent.wall = time.monotonic() - started
    spent.seconds = {"driver": time.process_time() - own}
    spent.seconds |= {part: after[part] - before.get(part, 0.0) for part in after}
