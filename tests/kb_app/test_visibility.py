"""Nothing internal, unpublished or out of force leaves by any road."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from kb_app import answering, exporting, indexing, publishing
from kb_app.access import Principal, Role, Scope, may_see
from kb_app.answering import Question
from kb_app.kb import Kb
from kb_app.publishing import Origin
from kb_app.store import articles
from kb_app.store.articles import Facts, State
from search.types import FOREVER, Audience, Kind, Mode
from tests.kb_app.conftest import CANARY, NOW, bearer, csrf, sign_in

BOT = Principal("key:x", "bot", None, frozenset(Scope))
STRANGER = Principal("nobody", "nobody")
HIDDEN = ("a_internal", "a_draft001", "a_review01", "a_archived", "a_expired1", "a_future01", "s_internal")
QUESTIONS = ("白鲸", "白鲸会员", CANARY, "白鲸口令", "芝麻", "白鲸内部口径")


def facts(state: State, audience: Audience, start: int = 0, end: int = FOREVER) -> Facts:
    return Facts("a_1", Kind.ARTICLE, state, audience, 1, start, end)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("audience", list(Audience))
@pytest.mark.parametrize(
    ("start", "end", "in_force"), [(0, FOREVER, True), (0, 100, False), (200, FOREVER, False), (150, 151, True)]
)
def test_the_predicate(state: State, audience: Audience, start: int, end: int, in_force: bool) -> None:
    found = facts(state, audience, start, end)
    published = state is State.PUBLISHED and in_force
    for stranger in (BOT, STRANGER):
        assert may_see(stranger, found, 150) == (published and audience is Audience.PUBLIC)
    assert may_see(Principal("u", "u", Role.AGENT), found, 150) == published
    assert all(may_see(Principal("u", "u", role), found, 150) for role in (Role.EDITOR, Role.REVIEWER, Role.ADMIN))


@pytest.mark.parametrize("text", QUESTIONS)
@pytest.mark.parametrize("mode", ["final", "typing"])
def test_a_bot_never_finds_it(client: FlaskClient, key: str, text: str, mode: str) -> None:
    body = {"query": text, "mode": mode, "top_k": 50, "include": ["html", "below_threshold"]}
    response = client.post("/api/v1/search", json=body, headers=bearer(key))
    assert response.status_code == 200
    assert CANARY not in response.get_data(as_text=True).replace(text, "") or text == CANARY
    found = {hit["id"] for hit in response.get_json()["hits"]}
    assert not found & set(HIDDEN)
    assert not any(hit["kind"] == "ticket" or hit["audience"] == "internal" for hit in response.get_json()["hits"])
    assert CANARY not in str(response.get_json()["hits"]) + str(response.get_json()["completions"])


@pytest.mark.parametrize(
    "road",
    [
        "/api/v1/scripts?q=白鲸",
        "/api/v1/scripts",
        "/api/v1/categories",
        "/api/v1/articles/a_public01",
        "/api/v1/articles/a_public01.md",
    ],
)
def test_lists_and_articles_for_bots(client: FlaskClient, key: str, road: str) -> None:
    response = client.get(road, headers=bearer(key))
    assert response.status_code == 200
    assert CANARY not in response.get_data(as_text=True)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("suffix", ["", ".md"])
def test_a_hidden_article_is_no_article(client: FlaskClient, key: str, hidden: str, suffix: str) -> None:
    there = client.get(f"/api/v1/articles/{hidden}{suffix}", headers=bearer(key))
    nowhere = client.get(f"/api/v1/articles/a_nowhere1{suffix}", headers=bearer(key))
    assert there.status_code == nowhere.status_code == 404
    assert there.get_json()["error"]["message"] == nowhere.get_json()["error"]["message"]


def test_a_bot_may_not_ask_for_tickets(client: FlaskClient, key: str) -> None:
    response = client.post("/api/v1/search", json={"query": "白鲸", "kinds": ["ticket"]}, headers=bearer(key))
    assert response.status_code == 400


def test_agents_see_internal_but_no_drafts(client: FlaskClient) -> None:
    sign_in(client, "agent")
    answer = client.post("/api/v1/search", json={"query": "白鲸", "top_k": 50}, headers={"X-CSRFToken": csrf(client)})
    found = {hit["id"] for hit in answer.get_json()["hits"]}
    assert {"a_public01", "a_internal", "s_internal"} <= found
    assert not found & {"a_draft001", "a_review01", "a_archived", "a_expired1", "a_future01"}
    assert client.get("/articles/internal").status_code == 200
    assert CANARY in client.get("/articles/public").get_data(as_text=True)
    assert client.get("/articles/draft").status_code == 404
    sign_in(client, "editor")
    assert client.get("/articles/draft").status_code == 200


def test_categories_count_what_the_caller_may_read(client: FlaskClient, key: str) -> None:
    counted = {
        c["slug"]: c["documents"]
        for c in client.get("/api/v1/categories", headers=bearer(key)).get_json()["categories"]
    }
    assert counted["made"] == 2


def test_the_clock_alone_makes_it_appear_and_go(client: FlaskClient, key: str, clock: list[float]) -> None:
    def found() -> set[str]:
        body = {"query": "白鲸", "top_k": 50, "include": ["below_threshold"]}
        return {hit["id"] for hit in client.post("/api/v1/search", json=body, headers=bearer(key)).get_json()["hits"]}

    assert "a_future01" not in found()
    clock[0] = NOW + 4 * 366 * 86400
    assert "a_future01" in found()


@pytest.mark.parametrize("change", ["audience", "block", "state", "until"])
def test_a_stale_index_does_not_leak(kb: Kb, change: str) -> None:
    with kb.database.read() as session:
        stored = articles.get(session, "a_public01")
    assert stored
    changed = {
        "audience": {"audience": Audience.INTERNAL},
        "block": {"body": "没有了。\n\n!!! internal\n    白鲸会员七天内可退。\n"},
        "state": {"state": State.ARCHIVED},
        "until": {"valid_until": int(NOW) - 1},
    }[change]
    assert "a_public01" in _ids(kb, BOT)
    publishing.publish(kb, stored.slug, replace(stored.content, **changed), Origin("test", change))
    assert "a_public01" not in _ids(kb, BOT)
    if change != "block":
        indexing.catch_up(kb)
        assert "a_public01" not in _ids(kb, BOT)


def test_an_edit_is_back_once_indexed(kb: Kb) -> None:
    with kb.database.read() as session:
        stored = articles.get(session, "a_public01")
    assert stored
    publishing.publish(kb, stored.slug, replace(stored.content, body="白鲸会员八天内可退。"), Origin("test", "edit"))
    indexing.catch_up(kb)
    asked = answering.ask(kb, Question("白鲸会员怎么退"), BOT)
    assert "八天" in asked.answer.hits[0].answer


def test_export_for_the_public_leaves_internal_out(kb: Kb, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("out") / "all.jsonl"
    exporting.export(kb, target, "jsonl", Audience.PUBLIC)
    text = target.read_text("utf-8")
    assert "a_public01" in text
    assert CANARY not in text


def _ids(kb: Kb, who: Principal) -> set[str]:
    asked = answering.ask(kb, Question("白鲸会员怎么退", Mode.TYPING, top_k=50, below_threshold=True), who)
    return {hit.document.id for hit in asked.answer.hits}


def test_ticket_pages_are_for_staff(client: FlaskClient, kb: Kb, with_settings: Callable[..., Kb]) -> None:
    from kb_app.store import tickets

    with kb.database.read() as session:
        ticket = next(tickets.every(session))
    assert client.get(f"/tickets/{ticket.id}").status_code == 302
    sign_in(client, "agent")
    page = client.get(f"/tickets/{ticket.id}").get_data(as_text=True)
    assert "[手机号#1]" in page
    assert "13800138000" not in page
