"""Every kind of reader down every road: what they may not see never comes out.

Each document holds a word of its own in every field, so that a leak shows wherever it is.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kb_app import accounts, exporting, importing, indexing, publishing, syncing
from kb_app.access import Role, Scope
from kb_app.accounts import NewUser
from kb_app.app import create_app
from kb_app.kb import Kb, open_kb
from kb_app.publishing import Origin
from kb_app.store import articles, tickets
from search.types import Audience
from tests.kb_app.conftest import NOW, PASSWORD, bearer, csrf, settings_for, sign_in

WORD = re.compile("zq[a-z]{4,8}zq")
TICKET_WORD = "zqticketzq"
READERS = ("anonymous", "bot", "agent", "reviewer", "admin")
STAFF = ("agent", "reviewer", "admin")
EDITORS = ("reviewer", "admin")


@dataclass(frozen=True)
class Case:
    """One article or script in one of the states that visibility depends on."""

    kind: str
    audience: str
    state: str
    time: str

    @property
    def word(self) -> str:
        state = {"draft": "d", "in_review": "r", "published": "p", "archived": "x"}[self.state]
        return f"zq{self.kind[0]}{self.audience[0]}{state}{self.time[0]}zq"

    @property
    def inner(self) -> str:
        """The word in the article's internal block."""
        return self.word.replace("zq", "zqin", 1)

    @property
    def slug(self) -> str:
        return f"{self.kind}-{self.audience}-{self.state.replace('_', '-')}-{self.time}"

    @property
    def id(self) -> str:
        return f"{self.kind[0]}_{self.word}"

    def in_answers(self, reader: str) -> bool:
        """Who finds it: nobody finds what is not published and in force now."""
        may = reader in STAFF or (reader == "bot" and self.audience == "public")
        return may and self.state == "published" and self.time == "now"

    def readable(self, reader: str) -> bool:
        """Who may open it by name: editors everything, others what they find."""
        return reader in EDITORS or self.in_answers(reader)

    def text(self) -> str:
        times = {"now": "", "future": "valid_from: 2030-01-01\n", "expired": "valid_until: 2026-01-01\n"}
        fields = "".join(f"{name}: {self.word}\n" for name in ("summary", "product", "owner", "category"))
        body = f"白鲸会员 {self.word}。\n"
        if self.kind == "script":
            fields += f"kind: script\nsource: article-public-published-now\nchannels: {{sms: 白鲸 {self.word}}}\n"
        else:
            body += (
                f"\n## 白鲸 {self.word} {{#part}}\n\n白鲸 {self.word}。\n\n!!! internal\n    白鲸口令 {self.inner}\n"
            )
        return (
            f"---\nid: {self.id}\ntitle: 白鲸会员 {self.word}\naudience: {self.audience}\nstate: {self.state}\n"
            f"tags: [{self.word}]\nquestions: [白鲸 {self.word} 怎么退]\n{fields}{times[self.time]}---\n\n{body}"
        )


CASES = [
    Case(*values)
    for values in product(
        ("article", "script"),
        ("public", "internal"),
        ("draft", "in_review", "published", "archived"),
        ("now", "future", "expired"),
    )
]
TICKET = (
    '{"id": "T1", "subject": "白鲸 zqticketzq", "status": "resolved", "created_at": "2026-03-01T10:00:00+08:00", "tags": '
    '["zqticketzq"], "messages": [{"from": "customer", "text": "白鲸会员 zqticketzq"}, {"from": "agent", "text": "白鲸 zqticketzq"}]}'
)


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kb]:
    base = tmp_path_factory.mktemp("roads")
    (base / "articles").mkdir()
    for case in CASES:
        (base / "articles" / f"{case.slug}.md").write_text(case.text(), "utf-8")
    (base / "tickets.jsonl").write_text(TICKET, "utf-8")
    opened = open_kb(settings_for(base / "home", base / "articles"), lambda: NOW)  # type: ignore[arg-type]
    opened.database.migrate()
    assert syncing.sync(opened).problems == []
    importing.import_tickets(opened, base / "tickets.jsonl", "made")
    for name in STAFF:
        accounts.create_user(opened, NewUser(name, name, Role[name.upper()], PASSWORD), "test")
    indexing.catch_up(opened)
    yield opened
    opened.close()


@dataclass(frozen=True)
class Reader:
    """A client and the headers it sends."""

    name: str
    client: FlaskClient
    headers: dict[str, str]

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers=self.headers)

    def search(self, **body: object) -> TestResponse:
        asked = {"top_k": 50, "include": ["html", "below_threshold"]} | body
        return self.client.post("/api/v1/search", json=asked, headers=self.headers)


@pytest.fixture(params=READERS)
def reader(kb: Kb, request: pytest.FixtureRequest) -> Reader:
    return _reader(kb, request.param)


def _reader(kb: Kb, name: str) -> Reader:
    client = create_app(kb).test_client()
    if name == "bot":
        return Reader(name, client, bearer(accounts.issue_key(kb, "bot", frozenset(Scope), None, "test").key))
    if name in STAFF:
        sign_in(client, name)
        return Reader(name, client, {"X-CSRFToken": csrf(client)})
    return Reader(name, client, {})


def words(response: TestResponse) -> set[str]:
    return set(WORD.findall(response.get_data(as_text=True)))


def allowed(reader: Reader, found: list[Case]) -> set[str]:
    """The words of some documents, with those of their internal blocks for staff."""
    inner = {case.inner for case in found} if reader.name in STAFF else set()
    return {case.word for case in found} | inner


def test_the_words_are_all_different() -> None:
    every = [case.word for case in CASES] + [case.inner for case in CASES] + [TICKET_WORD]
    assert len(set(every)) == len(every) == 97
    assert all(WORD.fullmatch(word) for word in every)


@pytest.mark.parametrize("mode", ["typing", "final"])
@pytest.mark.parametrize("text", ["白鲸", "白鲸会员怎么退", "白鲸口令", "会员"])
def test_searching_in_general(reader: Reader, text: str, mode: str) -> None:
    response = reader.search(query=text, mode=mode)
    assert response.status_code == (401 if reader.name == "anonymous" else 200)
    mine = [case for case in CASES if case.in_answers(reader.name)]
    tickets_too = {TICKET_WORD} if reader.name in STAFF else set()
    assert words(response) <= allowed(reader, mine) | tickets_too
    if reader.name != "anonymous" and text == "白鲸":
        assert {hit["id"] for hit in response.get_json()["hits"]} >= {case.id for case in mine}


def test_searching_for_each_by_its_own_word(reader: Reader) -> None:
    mine = [case for case in CASES if case.in_answers(reader.name)]
    may = allowed(reader, mine) | ({TICKET_WORD} if reader.name in STAFF else set())
    for case in CASES:
        for word in (case.word, case.inner):
            # Half a word, as typed: the whole one would be in the question's own echo, if there were one.
            response = reader.search(query=f"白鲸会员 {word[:-1]}", mode="typing")
            assert words(response) <= may, (case, word)
    for case in mine:
        assert case.id in {hit["id"] for hit in reader.search(query=case.word, mode="typing").get_json()["hits"]}


def test_completions_and_links(reader: Reader) -> None:
    if reader.name == "anonymous":
        return
    answer = reader.search(query="白鲸", mode="typing").get_json()
    assert answer["completions"]
    assert reader.search(query="白鲸", kinds=["ticket"]).status_code == (200 if reader.name in STAFF else 400)


def test_opening_each_by_name(reader: Reader) -> None:
    for case in CASES:
        for suffix in ("", ".md"):
            response = reader.get(f"/api/v1/articles/{case.id}{suffix}")
            if reader.name == "anonymous":
                assert response.status_code == 401
            else:
                assert response.status_code == (200 if case.readable(reader.name) else 404), case
            assert words(response) <= allowed(reader, [case] if case.readable(reader.name) else [])


def test_pages(reader: Reader, kb: Kb) -> None:
    tied = [case for case in CASES if case.kind == "script" and case.readable(reader.name)]
    for case in CASES:
        response = reader.get(f"/articles/{case.slug}")
        if reader.name not in STAFF:
            assert (response.status_code, words(response)) == (302, set())
        elif not case.readable(reader.name):
            assert (response.status_code, words(response)) == (404, set())
        else:
            assert response.status_code == 200
            assert words(response) - allowed(reader, tied) <= allowed(reader, [case])
    with kb.database.read() as session:
        ticket = next(tickets.every(session))
    response = reader.get(f"/tickets/{ticket.id}")
    assert words(response) == ({TICKET_WORD} if reader.name in STAFF else set())


def test_lists(reader: Reader) -> None:
    offered = [case for case in CASES if case.kind == "script" and case.in_answers(reader.name)]
    for path in ("/api/v1/scripts", "/api/v1/scripts?channel=sms", "/api/v1/scripts?q=白鲸", "/api/v1/scripts?q=zqs"):
        assert words(reader.get(path)) <= allowed(reader, offered), path
    response = reader.get("/api/v1/categories")
    if reader.name == "anonymous":
        assert (response.status_code, words(response)) == (401, set())
        return
    counted = {entry["slug"]: entry["documents"] for entry in response.get_json()["categories"]}
    published = [case for case in CASES if case.state == "published" and case.readable(reader.name)]
    assert {slug: count for slug, count in counted.items() if count} == {case.word: 1 for case in published}
    if reader.name == "bot":
        assert set(counted) == {case.word for case in published}


@pytest.mark.parametrize("road", ["/", "/api/v1/openapi.json", "/healthz", "/readyz", "/sign-in", "/no-such-page"])
def test_other_roads_say_nothing(reader: Reader, road: str) -> None:
    assert words(reader.get(road)) == set()


@pytest.mark.parametrize("form", ["jsonl", "md-zip"])
def test_the_public_export(kb: Kb, tmp_path: Path, form: str) -> None:
    exporting.export(kb, tmp_path / "out", form, Audience.PUBLIC)
    text = (tmp_path / "out").read_bytes().decode("utf-8", "replace")
    if form == "md-zip":
        with zipfile.ZipFile(tmp_path / "out") as archive:
            text = "".join(name + archive.read(name).decode() for name in archive.namelist())
    assert set(WORD.findall(text)) == {case.word for case in CASES if case.in_answers("bot")}


CHANGES = {
    "made internal": {"audience": Audience.INTERNAL},
    "text made an internal block": {
        "body": "没有了。\n\n!!! internal\n    白鲸会员 zqapnnzq。\n",
        "questions": (),
        "tags": (),
    },
    "title changed": {"title": "改了的题目"},
    "archived": {"state": articles.State.ARCHIVED},
    "out of force": {"valid_until": int(NOW) - 1},
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_index_that_is_behind_does_not_leak(kb: Kb, change: str) -> None:
    bot, case = _reader(kb, "bot"), Case("article", "public", "published", "now")
    with kb.database.read() as session:
        stored = articles.get(session, case.id)
    assert stored
    assert case.word in words(bot.search(query="白鲸", mode="typing"))
    publishing.publish(kb, stored.slug, replace(stored.content, **CHANGES[change]), Origin("test", change))
    try:
        for mode in ("typing", "final"):
            for text in ("白鲸", "白鲸会员", "zqappn"):
                answer = bot.search(query=text, mode=mode)
                assert case.word not in words(answer)
                assert case.id not in {hit["id"] for hit in answer.get_json()["hits"]}
    finally:
        publishing.publish(kb, stored.slug, stored.content, Origin("test", "back"))
        indexing.catch_up(kb)
    assert case.word in words(bot.search(query="白鲸", mode="typing"))
