"""The load driver: how it types, what it sends, how it counts."""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import count, islice, pairwise
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load import people, processes
from benchmarks.load.client import Client, Unexpected, parse
from benchmarks.load.desk import Agent, Log
from benchmarks.load.editors import Edited, marked
from benchmarks.load.freshness import Watch, probes
from benchmarks.load.people import Act, Edit, Step
from benchmarks.load.report import Goal, Outcome, Row, Taken, percentile, table
from indexer.articles import ArticleFile

TEXTS = st.text(alphabet="退款多久到账 refund7天？\n", min_size=1, max_size=30)
SEEDS = st.integers(0, 10_000)
T = TypeVar("T")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@given(TEXTS, TEXTS, SEEDS)
def test_what_is_typed_ends_in_the_question(question: str, other: str, seed: int) -> None:
    edits = people.typed(question, other, Random(seed), 5.0)
    assert edits[-1].text == question
    assert all(before.at < after.at for before, after in pairwise([Edit(5.0, ""), *edits]))
    assert edits == people.typed(question, other, Random(seed), 5.0)


@given(TEXTS, TEXTS, SEEDS)
def test_a_key_adds_at_the_end_or_takes_away_from_it(question: str, other: str, seed: int) -> None:
    states = ["", *people.states(question, other, Random(seed))]
    for before, after in pairwise(states):
        assert before != after
        assert after.startswith(before) or before.startswith(after)
        assert len(after) - len(before) <= 4


@given(TEXTS, SEEDS)
def test_pieces_make_the_text_and_only_chinese_comes_by_the_word(text: str, seed: int) -> None:
    pieces = people.pieces(text, Random(seed))
    assert "".join(pieces) == text
    assert all(len(piece) == 1 or (len(piece) <= 4 and min(piece) >= "\u3400") for piece in pieces)


def test_a_burst_has_three_keys_a_second() -> None:
    chance = Random(1)
    assert statistics.mean(people.gap(chance) for _ in range(20_000)) == pytest.approx(1 / 3, rel=0.02)


@given(st.lists(st.tuples(st.floats(0.01, 3), st.sampled_from(["退", "退款", "", " "])), min_size=1, max_size=20))
def test_the_page_asks_what_stands_in_the_box_when_it_asks(keys: list[tuple[float, str]]) -> None:
    now, edits = 0.0, []
    for wait, text in keys:
        now += wait
        edits.append(Edit(now, text))
    steps = list(people.sent(edits))
    for step in steps:
        standing = [edit for edit in edits if edit.at < step.at][-1]
        assert step.text == standing.text
        waited = people.SETTLED if step.act is Act.FINAL else people.PAUSE
        assert step.at - standing.at == pytest.approx(waited)
        assert (step.act is Act.CLEAR) == (not step.text.strip())
    assert steps[-1].text == edits[-1].text
    assert sum(step.act is Act.FINAL for step in steps) == sum(
        bool(edit.text.strip()) and (after.at - edit.at > people.SETTLED)
        for edit, after in pairwise([*edits, Edit(math.inf, "")])
    )


@given(SEEDS)
def test_a_day_goes_forward_and_is_the_same_for_its_seed(seed: int) -> None:
    steps, again = (list(islice(people.day(["怎么退款", "how to pay"], Random(seed)), 200)) for _ in range(2))
    assert steps == again
    assert all(before.at <= after.at for before, after in pairwise(steps))
    assert {Act.TYPING, Act.FINAL, Act.CLEAR} <= {step.act for step in steps}


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.001, 1))
def test_percentile_is_the_least_value_that_covers_its_share(values: list[float], part: float) -> None:
    covering = [v for v in values if sum(other <= v for other in values) >= part * len(values)]
    assert percentile(values, part) == min(covering)


def test_a_goal_is_missed_by_an_error_by_a_slow_answer_and_by_silence() -> None:
    goal, good = Goal(p50=15, p99=60), [Taken(0, "typing", 0.01)] * 100
    assert Row("L1", "typing", good, goal).met()
    assert not Row("L1", "typing", [*good, Taken(0, "typing", 0.01, "status 500")], goal).met()
    assert not Row("L1", "typing", [*good, *[Taken(0, "typing", 0.2, "aborted")] * 2], goal).met()
    assert not Row("L1", "typing", [], goal).met()
    assert Row("L1", "typing", good).met() is None


def test_the_table_names_what_was_missed() -> None:
    row = Row("L2", "final", [Taken(0, "final", 0.6)], Goal(p99=500))
    lines = table([Outcome([row], notes=["said"])]).splitlines()
    assert lines[2] == "| L2 | final | 1 | 0 | 600.0 | 600.0 | 600.0 | 600.0 | p99 <= 500 ms, 0 errors | **no** |"
    assert lines[-1] == "* said"


def test_growth_is_a_trend_and_not_a_peak() -> None:
    assert processes.growth([100.0] * 10 + [400.0] + [100.0] * 10) == 0
    assert processes.growth([float(n) for n in range(100, 200)]) > 0.5


def test_a_word_replaces_the_one_before() -> None:
    article = ArticleFile("a_1", "到账", "退款到账要三天。\n", "refund", questions=("多久到账",))
    once, other = marked(article, "abc"), marked(marked(article, "xyz"), "abc")
    assert once == other
    assert once.body == "退款到账要三天。\n\n编号 abc\n"
    assert once.questions == ("多久到账", "编号 abc")


def test_a_reply_is_read_in_parts_and_needs_a_length() -> None:
    whole = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\n{}"
    assert [parse(whole[:end]) for end in range(len(whole))] == [None] * len(whole)
    reply = parse(whole)
    assert reply is not None and (reply.status, reply.json(), reply.cookies()) == (200, {}, {"a": "b"})
    with pytest.raises(Unexpected, match="Content-Length"):
        parse(b"HTTP/1.1 200 OK\r\n\r\n")


def test_one_connection_serves_many_requests_and_a_closed_one_is_opened_again() -> None:
    connections = 0

    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def use(client: Client) -> list[int]:
        return [(await client.get("/")).status for _ in range(4)]

    assert _run(_with_server(twice, use)) == [200] * 4
    assert connections == 2


def test_an_agent_hangs_up_on_a_question_that_is_out_of_date() -> None:
    hung_up = []

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.read()
        hung_up.append(True)
        writer.close()

    async def use(client: Client) -> Log:
        log = Log()
        steps = [Step(0.0, Act.TYPING, "退"), Step(0.05, Act.TYPING, "退款"), Step(0.1, Act.CLEAR, "")]
        await Agent(client, log).live(iter(steps), 1.0)
        await asyncio.sleep(0.05)
        return log

    log = _run(_with_server(never, use))
    assert [one.outcome for one in log.taken] == ["aborted", "aborted"]
    assert all(0.03 < one.seconds < 0.5 for one in log.taken)
    assert hung_up == [True, True]


def test_a_change_counts_until_the_last_process_shows_it() -> None:
    """Two processes behind one socket; the second follows 0.3 s later."""
    edited = Edited("save", "a_1", 2, "abc", time.monotonic(), 0.01)
    hit, connections = json.dumps({"hits": [{"id": "a_1", "version": 2}]}), count()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        process = next(connections) % 2
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            shown = time.monotonic() - edited.at > 0.3 * process
            body = hit if shown else '{"hits": []}'
            writer.write(
                f"HTTP/1.1 200 OK\r\nX-Process: {process}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            )
        writer.close()

    async def use(client: Client) -> tuple[list[str], Watch]:
        found = await probes(client, {0, 1})
        watch, lines = Watch(found), asyncio.StreamReader()
        lines.feed_data(json.dumps(asdict(edited)).encode() + b"\n")
        lines.feed_eof()
        await watch.read(lines)
        for probe in found:
            probe.client.close()
        return [probe.process for probe in found], watch

    processes_found, watch = _run(_with_server(answer, use))
    assert processes_found == ["0", "1"]
    (seen,) = watch.seen
    assert (seen.what, seen.outcome) == ("searchable", "ok")
    assert 0.3 < seen.seconds < 5.0
    assert [(save.what, save.seconds) for save in watch.saves] == [("save", 0.01)]


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run in a thread of its own: a browser that another test left open has a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _with_server(handler: Handler, use: Callable[[Client], Awaitable[T]]) -> T:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    client = Client("127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        return await use(client)
    finally:
        client.close()
        server.close()
        here = asyncio.current_task()
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not here))
        await asyncio.sleep(0.01)
