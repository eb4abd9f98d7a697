from __future__ import annotations

import stat

import pytest
from flask.testing import FlaskClient

from kb_app import accounts
from kb_app.access import Role, Scope
from kb_app.accounts import NewUser
from kb_app.errors import BadInput, Conflict, NotFound, NotSignedIn, TooMany
from kb_app.kb import Kb, open_kb
from kb_app.settings import load_settings
from tests.kb_app.conftest import PASSWORD, csrf, sign_in


def fresh(tmp_path, **environment: str) -> Kb:  # type: ignore[no-untyped-def]
    kb = open_kb(load_settings({"KB_HOME": str(tmp_path / "new"), **environment}))
    kb.database.migrate()
    return kb


def test_the_first_administrator_gets_a_random_password_in_a_file_only_the_owner_reads(tmp_path) -> None:  # type: ignore[no-untyped-def]
    kb = fresh(tmp_path)
    login, path = accounts.first_administrator(kb) or ("", None)
    assert login == "admin"
    assert path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert accounts.person(kb, accounts.sign_in(kb, "admin", path.read_text("ascii"))).role is Role.ADMIN  # type: ignore[union-attr]
    assert accounts.first_administrator(kb) is None
    kb.close()


def test_a_given_password_is_used_and_written_nowhere(tmp_path) -> None:  # type: ignore[no-untyped-def]
    kb = fresh(tmp_path, KB_ADMIN_PASSWORD="a long enough one")
    assert accounts.first_administrator(kb) == ("admin", None)
    assert accounts.sign_in(kb, "admin", "a long enough one")
    assert not list(kb.settings.home.glob("*password*"))
    kept = b"".join(path.read_bytes() for path in kb.settings.home.rglob("*") if path.is_file())
    assert b"admin" in kept
    assert b"a long enough one" not in kept
    kb.close()


def test_wrong_login_and_wrong_password_are_told_apart_nowhere(kb: Kb) -> None:
    messages = set()
    for login, password in (("agent", "wrong password"), ("nobody", PASSWORD), ("", "")):
        with pytest.raises(NotSignedIn) as caught:
            accounts.sign_in(kb, login, password)
        messages.add(caught.value.message)
    assert len(messages) == 1


def test_five_failures_lock_the_account_for_a_minute(kb: Kb, clock: list[float]) -> None:
    for _ in range(5):
        with pytest.raises(NotSignedIn):
            accounts.sign_in(kb, "agent", "wrong password")
    with pytest.raises(TooMany):
        accounts.sign_in(kb, "agent", PASSWORD)
    clock[0] += 61
    assert accounts.sign_in(kb, "agent", PASSWORD)


def test_signing_out_ends_the_session_on_the_server(client: FlaskClient, kb: Kb) -> None:
    sign_in(client, "agent")
    cookie = client.get_cookie("kb_session")
    assert cookie
    token = cookie.value
    assert client.get("/").status_code == 200
    client.post("/sign-out", data={"csrf_token": csrf(client)})
    assert accounts.person(kb, token) is None
    assert client.get("/").status_code == 302


def test_a_session_ends_by_the_clock_by_disabling_and_by_a_new_password(kb: Kb, clock: list[float]) -> None:
    old, shut, changed = (accounts.sign_in(kb, login, PASSWORD) for login in ("agent", "editor", "reviewer"))
    accounts.set_disabled(kb, "editor", True, "test")
    accounts.set_password(kb, "reviewer", "another long one", "test")
    assert accounts.person(kb, shut) is None
    assert accounts.person(kb, changed) is None
    with pytest.raises(NotSignedIn):
        accounts.sign_in(kb, "editor", PASSWORD)
    clock[0] += 13 * 3600
    assert accounts.person(kb, old) is None


def test_a_locked_account_is_told_to_wait(client: FlaskClient) -> None:
    form = {"login": "agent", "password": "wrong password", "csrf_token": csrf(client)}
    statuses = [client.post("/sign-in", data=form).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    assert client.post("/sign-in", data=form).headers["Retry-After"] == "60"


def test_a_disabled_user_is_out_with_the_next_request(client: FlaskClient, kb: Kb) -> None:
    sign_in(client, "agent")
    assert client.get("/").status_code == 200
    accounts.set_disabled(kb, "agent", True, "test")
    assert client.get("/").status_code == 302
    assert client.get("/api/v1/categories").status_code == 401
    accounts.set_disabled(kb, "agent", False, "test")
    assert client.get("/").status_code == 302


def test_signing_in_needs_the_form_token(client: FlaskClient) -> None:
    assert client.post("/sign-in", data={"login": "agent", "password": PASSWORD}).status_code == 403
    sign_in(client, "agent")
    assert client.post("/sign-out").status_code == 403
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "//evil",
        "/\\/evil",
        "/%5cevil@/\t",
        "http:evil",
        " //evil",
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil",
        "/a\nb",
        "javascript:alert(1)",
    ],
)
def test_signing_in_never_leads_elsewhere(client: FlaskClient, target: str) -> None:
    data = {"login": "agent", "password": PASSWORD, "next": target, "csrf_token": csrf(client)}
    assert client.post("/sign-in", data=data).headers["Location"] == "/"
    # Who is signed in already is led on at once, but nowhere else either.
    assert client.get("/sign-in", query_string={"next": target}).headers["Location"] == "/"
    form = {"next": target, "csrf_token": csrf(client)}
    assert client.post("/language/en", data=form).headers["Location"] == "/"


def test_signing_in_leads_back(client: FlaskClient) -> None:
    there = client.get("/articles/refund-arrival").headers["Location"]
    assert there == "/sign-in?next=/articles/refund-arrival"
    data = {"login": "agent", "password": PASSWORD, "next": "/articles/refund-arrival", "csrf_token": csrf(client)}
    response = client.post("/sign-in", data=data)
    assert response.headers["Location"] == "/articles/refund-arrival"
    assert "HttpOnly" in response.headers["Set-Cookie"]
    assert "SameSite=Lax" in response.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "new", [NewUser("Bad Login", "x", Role.AGENT, PASSWORD), NewUser("ok", "x", Role.AGENT, "short")]
)
def test_users_that_cannot_be(kb: Kb, new: NewUser) -> None:
    with pytest.raises(BadInput) as caught:
        accounts.create_user(kb, new, "test")
    assert caught.value.hint


def test_a_login_is_taken_once(kb: Kb) -> None:
    with pytest.raises(Conflict):
        accounts.create_user(kb, NewUser("agent", "x", Role.AGENT, PASSWORD), "test")


def test_keys_are_kept_hashed(kb: Kb) -> None:
    issued = accounts.issue_key(kb, "bot", frozenset(Scope), None, "test")
    secret = issued.key.rsplit("_", 1)[1]
    stored = b"".join(path.read_bytes() for path in kb.settings.home.glob("knowledge.sqlite*"))
    assert secret.encode() not in stored
    assert accounts.bot(kb, issued.key).scopes == frozenset(Scope)
    with pytest.raises(NotFound):
        accounts.revoke_key(kb, "nokey", "test")
    with pytest.raises(BadInput):
        accounts.issue_key(kb, " ", frozenset(Scope), None, "test")


def test_the_cookie_key_is_made_once(kb: Kb) -> None:
    assert accounts.secret_key(kb) == accounts.secret_key(kb)
    assert stat.S_IMODE((kb.settings.home / "secret.key").stat().st_mode) == 0o600
