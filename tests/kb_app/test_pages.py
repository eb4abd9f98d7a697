"""Pages: what is written into articles and tickets is shown, never run."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient

from kb_app import importing, publishing
from kb_app.kb import Kb
from kb_app.publishing import Origin
from kb_app.store import articles, tickets
from search.types import Kind
from tests.kb_app.conftest import csrf, sign_in

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"


class Tags(HTMLParser):
    """All tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def harmless(page: str) -> None:
    for tag, attributes in Tags(page).found:
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
        assert not (attributes.get("href") or "").lower().startswith(("javascript:", "data:"))
        if tag == "img":
            assert ":" not in (attributes.get("src") or "")
        if tag == "script":
            assert attributes.get("type") == "application/json" or (attributes["src"] or "").startswith("/static/js/")


@pytest.mark.parametrize("kind", [Kind.ARTICLE, Kind.SCRIPT])
def test_html_in_every_field_of_an_article(client: FlaskClient, kb: Kb, kind: Kind) -> None:
    with kb.database.read() as session:
        stored = articles.get(session, "s_public01" if kind is Kind.SCRIPT else "a_public01")
    assert stored
    evil = replace(
        stored.content,
        title=f"题{EVIL}",
        summary=EVIL,
        tags=(EVIL,),
        owner=EVIL,
        questions=(EVIL,),
        channels={EVIL: EVIL} if kind is Kind.SCRIPT else {},
        body=f"{EVIL}\n\n[点我](javascript:alert(3)) ![x](data:text/html,x) <a href='java\tscript:alert(4)'>x</a>\n\n## {EVIL}\n",
    )
    publishing.publish(kb, stored.slug, evil, Origin("test", "evil"))
    sign_in(client, "agent")
    page = client.get(f"/articles/{stored.slug}").get_data(as_text=True)
    harmless(page)
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    found = client.get(f"/api/v1/articles/{stored.facts.id}")
    assert found.content_type == "application/json"
    harmless(found.get_json()["html"])


def test_html_in_a_ticket(client: FlaskClient, kb: Kb) -> None:
    path = kb.settings.home / "evil.jsonl"
    path.write_text(
        '{"id": "E", "subject": "%s", "status": "resolved", "created_at": "2026-03-01T10:00:00+08:00", '
        '"messages": [{"from": "customer", "text": "%s"}, {"from": "agent", "text": "可以的 %s"}]}' % ((EVIL,) * 3),
        "utf-8",
    )
    assert importing.import_tickets(kb, path, "evil").added == 1
    with kb.database.read() as session:
        ticket = next(ticket for ticket in tickets.every(session) if ticket.source == "evil")
    sign_in(client, "agent")
    page = client.get(f"/tickets/{ticket.id}").get_data(as_text=True)
    harmless(page)
    assert page.count("&lt;script&gt;") >= 3


@pytest.mark.parametrize("path", [f"/articles/{EVIL}", f"/sign-in?next={EVIL}", f"/no/{EVIL}", f"/?x={EVIL}"])
def test_html_in_an_address(client: FlaskClient, path: str) -> None:
    harmless(client.get(path, follow_redirects=True).get_data(as_text=True))


def test_html_in_a_login(client: FlaskClient) -> None:
    form = {"login": f'"{EVIL}', "password": "x" * 10, "next": f'"{EVIL}', "csrf_token": csrf(client)}
    page = client.post("/sign-in", data=form).get_data(as_text=True)
    harmless(page)
    assert "&lt;script&gt;" in page


def test_an_old_slug_leads_to_the_present_one(client: FlaskClient, kb: Kb) -> None:
    with kb.database.read() as session:
        stored = articles.get(session, "a_public01")
    assert stored
    publishing.publish(kb, "new-name", stored.content, Origin("test", "rename"))
    sign_in(client, "agent")
    response = client.get("/articles/public")
    assert (response.status_code, response.headers["Location"]) == (301, "/articles/new-name")
    assert client.get("/articles/new-name").status_code == 200


def test_pages_in_both_languages(client: FlaskClient) -> None:
    chinese = client.get("/sign-in", headers={"Accept-Language": "zh-CN"}).get_data(as_text=True)
    english = client.get("/sign-in", headers={"Accept-Language": "en-GB"}).get_data(as_text=True)
    assert 'lang="zh-CN"' in chinese
    assert '<html lang="en">' in english
    assert not re.search("[\u4e00-\u9fff]", re.sub(r"<button[^>]*lang=.zh-CN.*?</button>", "", english))
    client.post("/language/en", data={"csrf_token": csrf(client), "next": "/sign-in"})
    assert '<html lang="en">' in client.get("/sign-in", headers={"Accept-Language": "zh"}).get_data(as_text=True)
