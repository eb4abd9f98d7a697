"""Knowledge bases to break: articles of this repository, recombined to any number, and commands over them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from kb_app import accounts, indexing
from kb_app.access import Scope
from kb_app.kb import Kb, open_kb
from kb_app.settings import load_settings
from search.errors import SearchError
from search.types import Audience, Query, everything
from tests.conftest import NOW
from tests.kb_app.conftest import ROOT
from tests.kb_app.served import environment

_PARTS = re.compile(r"\A---\n(.*?)^---\n(.*)\Z", re.DOTALL | re.MULTILINE)


def write_articles(folder: Path, count: int, first: int = 0) -> None:
    """`count` articles, numbered from `first`: those of this repository, their texts with each other's sections."""
    sources = [path for path in sorted((ROOT / "articles").rglob("*.md")) if "scripts" not in path.parts]
    texts = [path.read_text("utf-8") for path in sources if path.name != "README.md"]
    split = [found.groups() for text in texts if (found := _PARTS.match(text))]
    for number in range(first, first + count):
        front, body = split[number % len(split)]
        extra = split[(number * 7 + number // len(split)) % len(split)][1].split("\n## ")[:3]
        path = folder / f"part{number // 250:03}" / f"article-{number:05}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_article(number, front, "\n## ".join([body.partition("\n## ")[0], *extra[1:]])), "utf-8")


def _article(number: int, front: str, body: str) -> str:
    fields = re.sub(r"^id: .*\n", f"id: a_{number:08}\n", front, count=1, flags=re.MULTILINE)
    fields = re.sub(r"^title: (.*)$", rf"title: \1（{number}）", fields, count=1, flags=re.MULTILINE)
    fields = re.sub(r"^state: .*$", "state: published", fields, count=1, flags=re.MULTILINE)
    return f"---\n{fields}---\n{body}"


def make_place(place: Path, count: int, **more: str) -> Path:
    """`place` with home/ and articles/, ready and indexed; the key of a bot lies in `key`."""
    write_articles(place / "articles", count)
    made = command(place, "init", "--no-samples", **more)
    assert made.returncode == 0, made.stderr
    kb = opened(place)
    issued = accounts.issue_key(kb, "bot", frozenset(Scope), None, "test")
    (place / "key").write_text(issued.key, "ascii")
    kb.close()
    return place


def opened(place: Path, **more: str) -> Kb:
    """The knowledge base of a place, in this process."""
    return open_kb(load_settings(environment(place, **more)))


def command(place: Path, *arguments: str, prefix: Sequence[str] = (), **more: str) -> subprocess.CompletedProcess[str]:
    """`kb ARGUMENTS` to its end, as a person in a terminal runs it."""
    return subprocess.run(
        [*prefix, sys.executable, "-m", "kb_app", *arguments],
        cwd=ROOT, env=environment(place, **more), capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def start_module(
    place: Path,
    module: str,
    *arguments: str,
    prefix: Sequence[str] = (),
    stdin: int | None = None,
    stderr: IO[str] | None = None,
    **more: str,
) -> subprocess.Popen[bytes]:
    """A module of these tests as a process over a place."""
    command = [*prefix, sys.executable, "-m", f"tests.faults.{module}", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment(place, **more), stdin=stdin, stderr=stderr)


def differences(place: Path) -> list[str]:
    """What `kb index verify` finds to differ between database and index; it must find the files intact."""
    done = command(place, "index", "verify", "--json")
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)["differences"]
    assert done.returncode == int(bool(found)), done.stderr
    return list(found)


def refuses_clearly(done: subprocess.CompletedProcess[str]) -> str:
    """ "" when a command succeeded, or failed with a sentence and a hint; otherwise what is wrong with it."""
    if "Traceback" in done.stderr:
        return f"a stack trace: {done.stderr[-1500:]}"
    if done.returncode == 0:
        return ""
    said = re.search(r"^kb: .+\n  \S.+", done.stderr, re.MULTILINE)
    return "" if done.returncode == 1 and said else f"exit code {done.returncode} without a hint: {done.stderr[-500:]}"


def is_root() -> bool:
    """Whether file systems may be mounted."""
    return os.geteuid() == 0


def verified(kb: Kb) -> list[str]:
    """What `kb index verify` says, in this process: damaged files, and what differs from the database."""
    try:
        indexing.verify_index(kb)
    except SearchError as error:
        return [str(error)]
    return [f"differs: {key}" for key in indexing.differences(kb)]


def answer_ids(kb: Kb, text: str) -> list[str]:
    """The documents that answer a question, best first, for somebody who may see everything."""
    answer = kb.engine.answer(Query(text, Audience.INTERNAL, NOW, below_threshold=True), everything)
    return [hit.document.id for hit in answer.hits]
