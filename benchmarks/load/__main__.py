"""Load on a real server: `python -m benchmarks.load --data FOLDER --articles N --tickets M [--scenario L1,L4 ...]`.

Prints Markdown; --json FILE keeps every single latency. The driver runs beside the server, on the same cores, and says
what it took of them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import corpus
from benchmarks.corpus import Size
from benchmarks.load import processes
from benchmarks.load.client import Client
from benchmarks.load.report import Check, Outcome, as_json, table
from benchmarks.load.scenarios import SCENARIOS, Bench
from benchmarks.load.server import Account, Failed, Place, Server, agents, index_status, prepared

QUESTIONS = 2000
AT_ONCE = 4
"""People who sign in at the same time: checking a password is meant to be slow."""


def main() -> int:
    given = _parser().parse_args()
    # Told to stop, the server and what is temporary go as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        with ExitStack() as stack:
            home = given.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="load-")))
            home.mkdir(parents=True, exist_ok=True)
            return _measure(given, prepared(home, given.data, _size(given), given.processes))
    except Failed as error:
        print(error, file=sys.stderr)
        return 1


def _measure(given: argparse.Namespace, place: Place) -> int:
    people = agents(place, given.agents)
    questions = corpus.questions(given.data, _size(given), QUESTIONS)
    index = index_status(place)
    # What was needed to get ready is not looked at again: the driver shall cost little.
    gc.collect()
    gc.freeze()
    server = Server(place)
    try:
        print(_heading(index, server, given), flush=True)
        outcomes = asyncio.run(_scenarios(given, server, people, questions))
    finally:
        server.stop()
    if given.json:
        given.json.write_text(json.dumps(_saved(index, server, given, outcomes), ensure_ascii=False), "utf-8")
    return 0


async def _scenarios(
    given: argparse.Namespace, server: Server, people: list[Account], questions: list[str]
) -> dict[str, Outcome]:
    clients = await _signed_in(server.place, people)
    bench = Bench(server, clients, questions, given.minutes * 60, given.seed)
    done: dict[str, Outcome] = {}
    for name in given.scenario:
        done[name] = await _outcome(name, bench)
        print(f"\n{table([done[name]])}\n\n{_memory(server)}", flush=True)
    return done


async def _outcome(name: str, bench: Bench) -> Outcome:
    """What a scenario found; one that cannot be run has failed, and the others still go on."""
    try:
        return await SCENARIOS[name](bench)
    except Failed as error:
        return Outcome([], [Check(name, "can be run", str(error).replace("\n", " "), "yes", False)])


async def _signed_in(place: Place, people: list[Account]) -> list[Client]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def enter(account: Account) -> Client:
        client = Client("127.0.0.1", place.port)
        async with gate:
            await client.sign_in(account.login, account.password)
        return client

    return list(await asyncio.gather(*map(enter, people)))


def _heading(index: Any, server: Server, given: argparse.Namespace) -> str:
    size = f"{given.articles} articles, {given.tickets} tickets, {index['passages']} passages"
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"
    how = f"{given.processes} web processes, {given.agents} agents, {given.minutes:g} minutes, seed {given.seed}"
    tried = "".join(f"{name}={value}; " for name, value in sorted(os.environ.items()) if name.startswith("KB_"))
    return f"{machine}; {size}; {how}; {tried}ready {server.ready_after:.2f} s after the start"


def _memory(server: Server) -> str:
    parts = [f"{one.part} {one.rss:.0f} (PSS {one.pss:.0f})" for one in processes.usage(server.pid)]
    return f"memory in MB: {', '.join(parts)}"


def _saved(index: Any, server: Server, given: argparse.Namespace, outcomes: dict[str, Outcome]) -> dict[str, Any]:
    return {
        "heading": _heading(index, server, given),
        "index": dict(index),
        "ready_seconds": server.ready_after,
        "outcomes": {name: as_json(outcome) for name, outcome in outcomes.items()},
    }


def _size(given: argparse.Namespace) -> Size:
    return Size(given.articles, given.tickets, given.seed)


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(SCENARIOS)}")
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of texts, see benchmarks/corpus.py")
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--tickets", type=int, default=50_000)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of each scenario; a soak wants 60")
    parser.add_argument("--scenario", type=_names, default=["L1", "L2", "L4", "L5", "R9"], help="names, with commas")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="web processes")
    parser.add_argument("--home", type=Path, help="KB_HOME to use and to keep; by default a temporary one")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, help="file for every single latency")
    return parser


if __name__ == "__main__":
    sys.exit(main())
