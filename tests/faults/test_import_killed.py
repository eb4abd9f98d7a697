"""An import that is killed at any row and run again ends as one that was never disturbed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.homes import differences, done, killed, tables
from tests.faults.rounds import rounds
from tests.kb_app.served import kb_process

pytestmark = pytest.mark.faults
TICKETS = 1200
"""More than two transactions of 500."""
ARTICLES = 120
"""More than two transactions of 50."""
KILLS = 4
"""In each of five rounds: twenty kills."""
QUICK = {"KB_ENCODER": "none"}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A knowledge base without anything in it."""
    place = tmp_path_factory.mktemp("empty")
    done(kb_process(place, "init", "--no-samples", **QUICK))
    return place


def _ticket(number: int) -> str:
    said = [{"from": "customer", "text": f"第 {number} 单怎么退"}, {"from": "agent", "text": f"第 {number} 单点退款"}]
    moment = "2026-03-01T10:00:00+08:00"
    row = {
        "id": f"T{number}",
        "subject": f"退款 {number}",
        "status": "resolved",
        "created_at": moment,
        "messages": said,
    }
    return json.dumps(row, ensure_ascii=False) + "\n"


def _write_tickets(path: Path) -> None:
    """Some rows bring a ticket again, one of them with another text, and one is no ticket."""
    rows = [_ticket(number) for number in range(TICKETS)]
    rows.insert(20, _ticket(9).replace("点退款", "不能退"))
    path.write_text("".join([*rows, rows[7], rows[TICKETS // 2], "not a ticket\n"]), "utf-8")


def _write_articles(folder: Path) -> None:
    for number in range(ARTICLES):
        path = folder / f"c{number % 7}" / f"n{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# 第 {number} 篇\n\n第 {number} 篇的正文。\n\n## 然后\n\n再点 {number}。\n", "utf-8")
    (folder / "scripts" / "c1").mkdir(parents=True)
    (folder / "scripts" / "c1" / "say.md").write_text("---\ntitle: 话术\nkind: script\n---\n\n您好。\n", "utf-8")


@pytest.mark.parametrize(
    ("what", "write", "row", "count"),
    [
        ("tickets", _write_tickets, "kb_app.store.tickets:save", TICKETS),
        ("articles", _write_articles, "kb_app.store.articles:save", ARTICLES + 1),
    ],
)
def test_an_import_killed_at_any_row(
    empty: Path, tmp_path: Path, what: str, write: Callable[[Path], None], row: str, count: int
) -> None:
    """Run again and killed again, each time at one of the rows that are left, before it may end."""
    write(source := tmp_path / "source")
    command = ("import", what, str(source), "--name", "made")
    kb_process(_copy(empty, tmp_path / "whole"), *command, **QUICK)
    wanted = tables(tmp_path / "whole" / "home")
    for round_ in rounds(f"import {what}", 5):
        place, chance = _copy(empty, tmp_path / "killed"), round_.random
        with round_.logged() as found:
            stops = found["stops"] = []
            for _ in range(KILLS):
                stops.append(chance.randint(1, count - len(tables(place / "home")[what])))
                assert killed(place, row, stops[-1], *command, **QUICK)
            # All but the first are killed once more where all rows are in and none is indexed.
            if round_.number > 1:
                assert killed(place, "kb_app.indexing:catch_up_alone", 1, *command, **QUICK)
            else:
                kb_process(place, *command, **QUICK)
                assert differences(place, **QUICK) == []
            assert tables(place / "home") == wanted
        shutil.rmtree(place)
    keys = Counter(entry.get("external_id", entry.get("source_path")) for entry in wanted[what])
    assert len(keys) == count
    assert set(keys.values()) == {1}


def _copy(empty: Path, place: Path) -> Path:
    shutil.copytree(empty, place)
    return place
