"""A small real knowledge base: real articles, real encoder, real index, made once and copied."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from kb_app import accounts, importing, indexing, publishing, syncing
from kb_app.access import Role, Scope
from kb_app.accounts import NewUser
from kb_app.app import create_app
from kb_app.kb import Kb, open_kb
from kb_app.publishing import Origin
from kb_app.settings import load_settings
from kb_app.store import articles as store

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_795_600_000.0
PASSWORD = "correct horse battery"
CANARY = "芝麻开门"
PICKED = (
    "refund/refund-arrival.md",
    "account/forgot-password.md",
    "english/*.md",
    "shipping/*.md",
    "scripts/refund/*.md",
)

MADE = {
    "plain.md": "# 没有文件头的文章\n\n这篇没有文件头，默认只给内部看。",
    "made/public.md": (
        "---\nid: a_public01\ntitle: 白鲸会员怎么退\naudience: public\nquestions: [白鲸会员退费]\n---\n\n"
        f"白鲸会员七天内可退。\n\n## 超过七天 {{#late}}\n\n超过七天不退。\n\n!!! internal\n    白鲸口令{CANARY}\n"
    ),
    "made/internal.md": f"---\nid: a_internal\ntitle: 白鲸内部口径{CANARY}\naudience: internal\n---\n\n白鲸内部{CANARY}\n",
    "made/draft.md": f"---\nid: a_draft001\ntitle: 白鲸草稿{CANARY}\naudience: public\nstate: draft\n---\n\n白鲸{CANARY}\n",
    "made/review.md": f"---\nid: a_review01\ntitle: 白鲸待审{CANARY}\naudience: public\nstate: in_review\n---\n\n白鲸{CANARY}\n",
    "made/archived.md": f"---\nid: a_archived\ntitle: 白鲸归档{CANARY}\naudience: public\nstate: archived\n---\n\n白鲸{CANARY}\n",
    "made/expired.md": (
        f"---\nid: a_expired1\ntitle: 白鲸过期{CANARY}\naudience: public\nvalid_until: 2026-01-01\n---\n\n白鲸{CANARY}\n"
    ),
    "made/future.md": (
        f"---\nid: a_future01\ntitle: 白鲸未来{CANARY}\naudience: public\nvalid_from: 2030-01-01\n---\n\n白鲸{CANARY}\n"
    ),
    "scripts/made/say-internal.md": (
        f"---\nid: s_internal\ntitle: 白鲸内部话术{CANARY}\naudience: internal\nkind: script\nsource: made/public\n---\n\n"
        f"白鲸{CANARY}\n"
    ),
    "scripts/made/say-public.md": (
        "---\nid: s_public01\ntitle: 白鲸会员退费话术\naudience: public\nkind: script\nsource: made/public\n"
        "variables: [{name: 客户姓名, example: 王女士}]\nchannels: {sms: '{客户姓名}，可退。'}\n---\n\n您好{客户姓名}，白鲸会员七天内可退。\n"
    ),
}
TICKET = (
    '{"id": "T1", "subject": "白鲸会员退了", "status": "resolved", "created_at": "2026-03-01T10:00:00+08:00", '
    '"messages": [{"from": "customer", "text": "白鲸会员能退吗，我电话13800138000"}, '
    f'{{"from": "agent", "text": "白鲸可以退，{CANARY}"}}]}}\n'
)


def write_articles(folder: Path) -> Path:
    """Some real articles and those made for the tests."""
    for pattern in PICKED:
        for path in sorted((ROOT / "articles").glob(pattern))[:8]:
            target = folder / path.relative_to(ROOT / "articles")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    for name, text in MADE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def settings_for(home: Path, articles: Path, **environment: str) -> object:
    return load_settings({"KB_HOME": str(home), "KB_ARTICLES": str(articles), **environment})


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with home/ and articles/, ready and indexed."""
    base = tmp_path_factory.mktemp("made")
    write_articles(base / "articles")
    (base / "tickets.jsonl").write_text(TICKET, "utf-8")
    kb = open_kb(settings_for(base / "home", base / "articles"), lambda: NOW)  # type: ignore[arg-type]
    kb.database.migrate()
    syncing.sync(kb)
    importing.import_tickets(kb, base / "tickets.jsonl", "made")
    for role in Role:
        accounts.create_user(kb, NewUser(role.name.lower(), role.name, role, PASSWORD), "test")
    indexing.catch_up(kb)
    kb.close()
    return base


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of the knowledge base that a test may change."""
    shutil.copytree(made, tmp_path / "kb")
    return tmp_path / "kb"


@pytest.fixture
def clock() -> list[float]:
    """The time, which a test may move."""
    return [NOW]


@pytest.fixture
def kb(place: Path, clock: list[float]) -> Iterator[Kb]:
    opened = open_kb(settings_for(place / "home", place / "articles"), lambda: clock[0])  # type: ignore[arg-type]
    yield opened
    opened.close()


@pytest.fixture
def with_settings(kb: Kb) -> Callable[..., Kb]:
    """The same knowledge base under other settings."""
    return lambda **changes: Kb(replace(kb.settings, **changes), kb.database, kb.clock)


@pytest.fixture
def client(kb: Kb) -> FlaskClient:
    return create_app(kb).test_client()


@pytest.fixture
def key(kb: Kb) -> str:
    return accounts.issue_key(kb, "bot", frozenset(Scope), None, "test").key


def sign_in(client: FlaskClient, login: str) -> FlaskClient:
    """Sign in as a browser does: token from the form, then the form."""
    token = csrf(client)
    response = client.post("/sign-in", data={"login": login, "password": PASSWORD, "csrf_token": token})
    assert response.status_code == 303
    return client


def rewrite(place: Path, article_id: str, body: str) -> None:
    """Publish another text for an article, as an editor does."""
    kb = open_kb(settings_for(place / "home", place / "articles"), lambda: NOW)  # type: ignore[arg-type]
    with kb.database.read() as session:
        stored = store.get(session, article_id)
    assert stored
    publishing.publish(kb, stored.slug, replace(stored.content, body=body), Origin("editor", "edit"))
    kb.close()


def csrf(client: FlaskClient) -> str:
    """The form token of this client's pages."""
    page = client.get("/no-such-page").get_data(as_text=True)
    return page.partition('name="csrf-token" content="')[2].partition('"')[0]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
