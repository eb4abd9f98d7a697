"""The native API, through HTTP."""

from __future__ import annotations

import json
import re

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from kb_app import accounts
from kb_app.access import Scope
from kb_app.api import openapi
from kb_app.kb import Kb
from kb_app.store import traffic
from kb_app.store.database import TRAFFIC
from tests.kb_app.conftest import NOW, bearer, csrf, sign_in

HIT = {
    "id", "kind", "title", "section", "url", "answer", "highlights", "html", "below_threshold", "confidence", "score", "why",
    "category", "tags", "audience", "state", "version", "valid_until", "updated_at", "script",
}  # fmt: skip
STAFF = {"verified_by", "verified_at", "evidence"}
WHY = {"terms", "synonyms", "pinyin", "corrected", "lexical_rank", "semantic_rank"}
QUESTION = {"query": "退款多久能到账"}


def search(client: FlaskClient, key: str, **body: object):  # type: ignore[no-untyped-def]
    return client.post("/api/v1/search", json=QUESTION | body, headers=bearer(key))


def test_every_field_of_the_contract(client: FlaskClient, key: str) -> None:
    answer = search(client, key).get_json()
    assert set(answer) == {
        "query_id", "decision", "dialogue", "confidence", "degraded", "completions", "hits", "timing_ms", "index",
    }  # fmt: skip
    assert answer["decision"] == "answer"
    assert answer["dialogue"]["act"] == "question"
    assert set(answer["timing_ms"]) >= {"analyse", "lexical", "encode", "vectors", "fuse", "fetch", "total"}
    assert answer["index"]["generation"] == 1
    first = answer["hits"][0]
    assert set(first) == HIT
    assert set(first["why"]) == WHY
    assert first["url"].startswith("/articles/refund-arrival")
    assert all(0 <= start < end <= len(first["answer"]) for start, end in first["highlights"])


def test_agents_get_the_fields_that_bots_do_not(client: FlaskClient) -> None:
    sign_in(client, "agent")
    answer = client.post("/api/v1/search", json=QUESTION, headers={"X-CSRFToken": csrf(client)}).get_json()
    assert set(answer["hits"][0]) == HIT | STAFF
    assert set(answer["hits"][0]["why"]) == WHY | {"matched_question"}


def test_the_script_tied_to_an_article_comes_with_it(client: FlaskClient, key: str) -> None:
    hits = search(client, key, query="白鲸会员怎么退").get_json()["hits"]
    article = next(hit for hit in hits if hit["id"] == "a_public01")
    assert article["script"]["text"].startswith("您好{客户姓名}")
    assert article["script"]["variants"] == {"sms": "{客户姓名}，可退。"}


def test_get_is_the_same_answer(client: FlaskClient, key: str) -> None:
    quick = client.get("/api/v1/search?q=退款多久能到账&top_k=8", headers=bearer(key)).get_json()
    assert [h["id"] for h in quick["hits"]] == [h["id"] for h in search(client, key).get_json()["hits"]]


def test_completions_only_while_typing(client: FlaskClient, key: str) -> None:
    assert search(client, key, query="退款").get_json()["completions"] == []
    assert search(client, key, query="退款", mode="typing").get_json()["completions"]


def test_html_is_escaped(client: FlaskClient, key: str) -> None:
    html = search(client, key, include=["html"]).get_json()["hits"][0]["html"]
    assert re.fullmatch(r"(<p>[^<>]*</p>)+", html)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"query": ""}, 400, "bad_input"),
        ({"query": "   "}, 400, "bad_input"),
        ({"query": "退" * 1001}, 400, "query_too_long"),
        ({"query": "退" * 100_000}, 400, "query_too_long"),
        ({"query": 5}, 400, "bad_input"),
        ({"query": None}, 400, "bad_input"),
        ({}, 400, "bad_input"),
        ({"query": "退款", "mode": "fast"}, 400, "bad_input"),
        ({"query": "退款", "top_k": 0}, 400, "bad_input"),
        ({"query": "退款", "top_k": 51}, 400, "bad_input"),
        ({"query": "退款", "colour": "red"}, 400, "bad_input"),
        ({"query": "退款", "filters": {"categry": []}}, 400, "bad_input"),
        ({"query": "退款", "filters": "x' or '1'='1"}, 400, "bad_input"),
        ({"query": "退款", "kinds": ["secret"]}, 400, "bad_input"),
        ({"query": ["退款"]}, 400, "bad_input"),
        ({"query": {"text": "退款"}}, 400, "bad_input"),
        ({"query": "退款", "top_k": "many"}, 400, "bad_input"),
        ({"query": "退款", "top_k": 1.5}, 400, "bad_input"),
        ({"query": "退款", "include": ["everything"]}, 400, "bad_input"),
        ({"query": "退款", "context": "x"}, 400, "bad_input"),
        ({"query": "退款", "context": ["x"] * 21}, 400, "bad_input"),
        ({"query": "退款", "session_id": "x" * 101}, 400, "bad_input"),
        ({"query": "退款", "filters": {"category": ["\ud800"]}}, 400, "bad_input"),
    ],
)
def test_bad_questions_say_how_to_mend_them(
    client: FlaskClient, key: str, body: dict[str, object], status: int, code: str
) -> None:
    sent = json.dumps(body)
    response = client.post("/api/v1/search", data=sent, content_type="application/json", headers=bearer(key))
    error = response.get_json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert error["message"]
    assert error["hint"]
    assert re.fullmatch("[0-9a-f]{16}", error["request_id"])


@pytest.mark.parametrize(
    "text",
    [
        "退" * 1000,
        "😀",
        "\x00\x01\x02",
        "ni h'ao ",
        "<img src=x onerror=alert(1)>",
        "\ud800",
        "%s{{7*7}}",
        "' OR 1=1 --",
        "a" * 999,
    ],
)
def test_odd_questions_are_answered(client: FlaskClient, key: str, kb: Kb, text: str) -> None:
    body = json.dumps({"query": text + "退款"[: 1000 - len(text)]})
    response = client.post("/api/v1/search", data=body, content_type="application/json", headers=bearer(key))
    assert response.status_code == 200
    assert response.content_type == "application/json"
    answer = response.get_json()
    assert answer["hits"] or answer["decision"] == "abstain"
    # Whatever was asked is in the log, as far as it is text at all.
    with kb.database.read(TRAFFIC) as session:
        assert traffic.question(session, answer["query_id"])


@pytest.mark.parametrize("query", ["?q=%ff%fe", "?q=%00", "?q=%F0%9F%98%80", "?q=" + "x" * 1000])
def test_odd_questions_in_the_address_line(client: FlaskClient, key: str, query: str) -> None:
    assert client.get(f"/api/v1/search{query}", headers=bearer(key)).status_code == 200


@pytest.mark.parametrize(
    "query", ["", "?q=", "?q=x&top_k=many", "?q=x&mode=fast", "?q=x&kind=secret", "?q=" + "x" * 1001]
)
def test_bad_questions_in_the_address_line(client: FlaskClient, key: str, query: str) -> None:
    response = client.get(f"/api/v1/search{query}", headers=bearer(key))
    assert response.status_code == 400
    assert response.get_json()["error"]["hint"]


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'"x"', b"null", b"\xff\xfe", b"{" * 10_000, b"[" * 500_000, b'{"a":' * 100_000]
)
def test_what_is_no_json_object(client: FlaskClient, key: str, data: bytes) -> None:
    response = client.post("/api/v1/search", data=data, content_type="application/json", headers=bearer(key))
    assert (response.status_code, response.get_json()["error"]["code"]) == (400, "bad_input")


def test_a_body_of_megabytes_is_refused(client: FlaskClient, key: str) -> None:
    response = client.post(
        "/api/v1/search", data=b"x" * 3_000_000, content_type="application/json", headers=bearer(key)
    )
    assert response.status_code == 413
    assert response.get_json()["error"]["hint"]


@pytest.mark.parametrize("bad", ["", "kb_x_y", "kb_aaaaaaaaaa_" + "b" * 43, "Basic x", "kb_"])
def test_wrong_keys(client: FlaskClient, bad: str) -> None:
    response = client.post("/api/v1/search", json=QUESTION, headers={"Authorization": f"Bearer {bad}"})
    assert response.status_code == 401
    assert "kb key create" in response.get_json()["error"]["hint"]


def test_expired_revoked_and_unscoped_keys(client: FlaskClient, kb: Kb, clock: list[float]) -> None:
    short = accounts.issue_key(kb, "short", frozenset({Scope.SEARCH}), int(NOW) + 60, "test")
    assert search(client, short.key).status_code == 200
    feedback = {"query_id": "q_" + "0" * 16, "hit_id": "a_public01", "event": "helpful"}
    assert client.post("/api/v1/feedback", json=feedback, headers=bearer(short.key)).status_code == 403
    clock[0] += 61
    assert search(client, short.key).status_code == 401
    other = accounts.issue_key(kb, "other", frozenset(Scope), None, "test")
    accounts.revoke_key(kb, other.id, "test")
    assert search(client, other.key).status_code == 401
    assert search(client, other.key[:-1] + "x").status_code == 401


def test_a_browser_needs_the_form_token_and_a_key_does_not(client: FlaskClient, key: str) -> None:
    assert search(client, key).status_code == 200
    sign_in(client, "agent")
    assert client.post("/api/v1/search", json=QUESTION).status_code == 403
    assert client.post("/api/v1/search", json=QUESTION, headers={"X-CSRFToken": "wrong"}).status_code == 403


def test_finished_questions_are_logged_masked_and_typed_ones_never(client: FlaskClient, key: str, kb: Kb) -> None:
    asked = search(client, key, query="我叫王小明电话13800138000退款多久").get_json()["query_id"]
    typed = search(client, key, query="我的电话13800138000", mode="typing").get_json()["query_id"]
    with kb.database.read(TRAFFIC) as session:
        row = traffic.question(session, asked)
        assert traffic.question(session, typed) is None
    assert row
    assert "13800138000" not in row.text
    assert "[手机号#1]" in row.text


def test_feedback_is_stored_masked(client: FlaskClient, key: str, kb: Kb) -> None:
    body = {"query_id": "q_" + "0" * 16, "hit_id": "a_public01", "event": "sent", "note": "打13800138000"}
    assert client.post("/api/v1/feedback", json=body, headers=bearer(key)).status_code == 202
    with kb.database.read(TRAFFIC) as session:
        assert traffic.used(session, ["a_public01"]) == {"a_public01": 1}
        assert traffic.all_uses(session) == {"a_public01": 1}
    raw = (kb.settings.home / "traffic.sqlite-wal").read_bytes() + (kb.settings.home / "traffic.sqlite").read_bytes()
    assert b"13800138000" not in raw


@pytest.mark.parametrize("change", [{"event": "liked"}, {"hit_id": "../x"}, {"query_id": "q_1"}, {"note": "x" * 2001}])
def test_bad_feedback(client: FlaskClient, key: str, change: dict[str, str]) -> None:
    body = {"query_id": "q_" + "0" * 16, "hit_id": "a_public01", "event": "sent"} | change
    assert client.post("/api/v1/feedback", json=body, headers=bearer(key)).status_code == 400


def test_scripts_by_channel(client: FlaskClient, key: str) -> None:
    found = client.get("/api/v1/scripts?q=白鲸会员退费&channel=sms", headers=bearer(key)).get_json()["scripts"]
    assert found[0]["text"] == "{客户姓名}，可退。"


def test_markdown_of_an_article(client: FlaskClient, key: str) -> None:
    response = client.get("/api/v1/articles/a_public01.md", headers=bearer(key))
    assert response.content_type == "text/markdown; charset=utf-8"
    assert response.get_data(as_text=True).startswith("# 白鲸会员怎么退\n\n白鲸会员七天内可退。")


def test_the_document_is_valid_and_complete(client: FlaskClient) -> None:
    document = client.get("/api/v1/openapi.json").get_json()
    validate(document)
    rules = {
        (re.sub("<([a-z_]+)>", r"{\1}", rule.rule), method.lower())
        for rule in client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api") or rule.endpoint.startswith("api.")
    }
    described = {(o.path, o.method) for o in openapi.OPERATIONS}
    assert rules - {("/api/v1/openapi.json", "get")} == described


def test_answers_are_what_the_document_says(client: FlaskClient, key: str) -> None:
    from kb_app.api.schemas import Article, Categories, Scripts, SearchResponse

    SearchResponse.model_validate(search(client, key).get_json())
    Article.model_validate(client.get("/api/v1/articles/a_public01", headers=bearer(key)).get_json())
    Scripts.model_validate(client.get("/api/v1/scripts", headers=bearer(key)).get_json())
    Categories.model_validate(client.get("/api/v1/categories", headers=bearer(key)).get_json())


@pytest.mark.parametrize("path", ["/api/v1/search", "/api/v1/articles/a_1", "/api/v1/scripts", "/api/v1/categories"])
def test_strangers_are_told_to_send_a_key(client: FlaskClient, path: str) -> None:
    for response in (client.get(path), client.post(path)):
        assert response.status_code in (401, 405)
        assert response.get_json()["error"]["hint"]
    assert "kb key create" in client.get(path).get_json()["error"]["hint"]


def test_posting_without_key_and_session_is_told_to_send_a_key(client: FlaskClient) -> None:
    for path in ("/api/v1/search", "/api/v1/feedback"):
        response = client.post(path, json=QUESTION)
        assert response.status_code == 401
        assert "kb key create" in response.get_json()["error"]["hint"]


def test_health_and_readiness(client: FlaskClient, kb: Kb) -> None:
    assert client.get("/healthz").get_json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 200


def test_not_ready_without_an_index(client: FlaskClient, kb: Kb, key: str) -> None:
    (kb.settings.index_root / "current").unlink()
    assert client.get("/readyz").status_code == 503
    response = search(client, key)
    assert response.status_code == 503
    assert "kb index build" in response.get_json()["error"]["hint"]


def test_headers_on_every_route(client: FlaskClient) -> None:
    values = {
        "filename": "css/zhida.css",
        "slug": "public",
        "ticket_id": "t_1",
        "article_id": "a_public01",
        "code": "en",
    }
    rules = list(client.application.url_map.iter_rules())
    assert len(rules) > 12
    answered = set()
    for who in ("nobody", "agent"):
        if who == "agent":
            sign_in(client, who)
        for path in [re.sub(r"<(?:\w+:)?(\w+)>", lambda match: values[match[1]], rule.rule) for rule in rules] + [
            "/none",
            "/api/none",
        ]:
            for method in ("GET", "POST", "DELETE", "OPTIONS"):
                with client.open(path, method=method) as response:
                    headers, status = response.headers, response.status_code
                answered.add(status)
                assert "script-src 'self'" in headers["Content-Security-Policy"], (method, path)
                assert "unsafe" not in headers["Content-Security-Policy"]
                assert headers["X-Content-Type-Options"] == "nosniff"
                assert headers["Referrer-Policy"] == "same-origin"
                assert headers["X-Request-Id"]
                assert path.startswith("/static") or headers["Cache-Control"] == "no-store, private"
                assert "Access-Control-Allow-Origin" not in headers
    assert {200, 302, 400, 401, 403, 404, 405} <= answered


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/none", 404), ("PUT", "/api/v1/search", 405), ("GET", "/api/v1/articles/a_none0000", 404)],
)
def test_errors_before_a_view_have_every_field(
    client: FlaskClient, key: str, method: str, path: str, status: int
) -> None:
    response = client.open(path, method=method, headers=bearer(key))
    assert response.status_code == status
    assert set(response.get_json()["error"]) == {"code", "message", "hint", "request_id"}
    assert all(response.get_json()["error"].values())
    assert response.get_json()["error"]["request_id"] == response.headers["X-Request-Id"]


def test_methods_that_are_not_offered(client: FlaskClient, key: str) -> None:
    response = client.delete("/api/v1/search", headers=bearer(key))
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert response.get_json()["error"]["code"] == "method_not_allowed"


def test_an_unexpected_error_shows_a_number_and_no_trace(
    client: FlaskClient, key: str, kb: Kb, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(kb.engine, "answer", fail)
    response = search(client, key)
    assert response.status_code == 500
    assert "secret detail" not in response.get_data(as_text=True)
    assert response.get_json()["error"]["request_id"]
