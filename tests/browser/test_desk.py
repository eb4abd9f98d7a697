"""The desk in a real browser."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.conftest import Desk, open_desk
from tests.kb_app.served import Served

pytestmark = pytest.mark.browser


def test_the_answer_before_the_sentence_is_finished(desk: Desk) -> None:
    desk.type("白鲸会员怎")
    desk.settled()
    assert desk.titles()[0].startswith("白鲸会员")
    expect(desk.page.locator("#detail")).to_be_visible()
    expect(desk.page.locator("#results mark").first).to_be_visible()
    assert desk.problems == []
    assert desk.hosts == {desk.url.split("/")[2]}


def test_keys_choose_copy_and_clear(desk: Desk) -> None:
    desk.type("refund not arrived")
    desk.settled()
    query = desk.page.locator("#query")
    assert query.get_attribute("aria-activedescendant") == "hit-0"
    query.press("ArrowDown")
    assert query.get_attribute("aria-activedescendant") == "hit-1"
    query.press("ArrowUp")
    expect(desk.page.locator("#hit-0")).to_have_attribute("aria-selected", "true")
    for field in desk.page.locator("#detail .fields input").all():
        field.fill("X")
    query.press("Enter")
    expect(desk.page.locator("#toast")).to_have_class("toast on")
    copied = desk.page.evaluate("navigator.clipboard.readText()")
    assert copied
    assert "{" not in copied
    query.press("Escape")
    assert query.input_value() == ""
    assert desk.titles() == []


def test_an_unfilled_variable_is_never_copied(desk: Desk) -> None:
    desk.page.evaluate("navigator.clipboard.writeText('before')")
    desk.type("白鲸会员退费")
    desk.settled()
    desk.page.locator("[data-kind=script]").click()
    desk.settled()
    desk.page.get_by_role("option", name="白鲸会员退费话术").click()
    first = desk.page.locator("#detail h2").inner_text()
    desk.page.locator("#query").press("Enter")
    assert desk.page.evaluate("navigator.clipboard.readText()") == "before"
    field = desk.page.locator("#detail .fields input").first
    expect(field).to_be_focused()
    field.fill("王女士")
    expect(desk.page.locator("#detail .said")).to_contain_text("您好王女士")
    desk.page.locator(".copy-script").click()
    expect(desk.page.locator("#toast")).to_have_class("toast on")
    assert "王女士" in desk.page.evaluate("navigator.clipboard.readText()")
    assert desk.page.locator("#detail h2").inner_text() == first


def test_nothing_fires_while_composing(desk: Desk) -> None:
    asked: list[str] = []
    desk.page.on("request", lambda request: asked.append(request.post_data or "") if "/search" in request.url else None)
    desk.page.locator("#query").focus()
    session = desk.page.context.new_cdp_session(desk.page)
    for typed in ("t", "tui", "tui'kuan"):
        session.send(
            "Input.imeSetComposition", {"text": typed, "selectionStart": len(typed), "selectionEnd": len(typed)}
        )
        desk.page.wait_for_timeout(200)
    assert asked == []
    session.send("Input.insertText", {"text": "退款"})
    desk.settled()
    assert [json.loads(body)["query"] for body in asked] == ["退款"]


def test_enter_that_ends_a_composition_is_not_a_command(desk: Desk) -> None:
    desk.type("白鲸会员")
    desk.settled()
    desk.page.evaluate("navigator.clipboard.writeText('before')")
    desk.page.evaluate(
        "document.getElementById('query').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, bubbles: true}))"
    )
    desk.page.wait_for_timeout(100)
    assert desk.page.evaluate("navigator.clipboard.readText()") == "before"


def test_late_answers_never_replace_newer_ones(desk: Desk) -> None:
    def slow_first(route: Route) -> None:
        if json.loads(route.request.post_data or "{}")["query"] == "改地址":
            desk.page.wait_for_timeout(1200)
        try:
            route.continue_()
        except Exception as error:  # The page gave the request up meanwhile, which is what it should do.
            assert "Route is already handled" not in str(error)

    desk.page.route("**/api/v1/search", slow_first)
    desk.type("改地址")
    desk.page.wait_for_timeout(150)
    desk.page.locator("#query").fill("白鲸会员")
    desk.page.wait_for_timeout(2500)
    assert desk.titles()[0].startswith("白鲸会员")


def test_offline_and_back_without_losing_a_letter(desk: Desk) -> None:
    desk.page.context.set_offline(True)
    desk.type("白鲸会员")
    expect(desk.page.locator("#notice")).to_contain_text("连不上")
    assert desk.page.locator("#query").input_value() == "白鲸会员"
    desk.page.context.set_offline(False)
    desk.settled()
    expect(desk.page.locator("#notice")).to_be_hidden()


def test_an_ended_session_keeps_the_text(desk: Desk) -> None:
    desk.page.context.clear_cookies()
    desk.type("白鲸会员")
    expect(desk.page.locator("#notice a")).to_have_attribute("href", "/sign-in")
    assert desk.page.locator("#query").input_value() == "白鲸会员"


def test_html_in_answers_is_text(desk: Desk) -> None:
    def poisoned(route: Route) -> None:
        answer = route.fetch().json()
        for hit in answer["hits"]:
            hit["title"] = hit["answer"] = "<img src=x onerror=alert(1)>"
            hit["highlights"] = [[0, 4]]
        route.fulfill(json=answer)

    dialogs: list[str] = []
    desk.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    desk.page.route("**/api/v1/search", poisoned)
    desk.type("白鲸会员")
    desk.settled()
    assert desk.page.locator("#results img, #detail img").count() == 0
    assert dialogs == []


def test_no_reliable_answer_says_so(desk: Desk) -> None:
    desk.type("帮我写一首关于大海的诗")
    desk.page.wait_for_timeout(800)
    assert desk.page.locator("#verdict").inner_text() in ("没有可靠答案，以下仅供参考", "没有找到")


def test_the_article_page_leads_to_its_section(desk: Desk) -> None:
    desk.page.goto(desk.url + "/articles/public#h-late")
    expect(desk.page.locator("#h-late")).to_have_text("超过七天")
    expect(desk.page.locator(".admonition.internal")).to_be_visible()
    assert desk.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_fits_in_both_themes(chromium: Browser, server: Served, scheme: str, width: int) -> None:
    desk = open_desk(chromium, server, color_scheme=scheme, viewport={"width": width, "height": 700})
    desk.type("refund")
    desk.settled()
    for path in ("/", "/articles/refund-arrival", "/no-such-page"):
        if path != "/":
            desk.page.goto(desk.url + path)
        assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    ink, paper = desk.page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert ink != paper
    desk.page.context.close()


def test_english_speaks_english(chromium: Browser, server: Served) -> None:
    desk = open_desk(chromium, server, locale="en-GB")
    desk.page.wait_for_selector("#hello")
    text = desk.page.locator("body").inner_text().replace("中文", "")
    assert not any("\u4e00" <= char <= "\u9fff" for char in text), text
    desk.page.get_by_role("button", name="中文").click()
    expect(desk.page.locator("html")).to_have_attribute("lang", "zh-CN")
    desk.page.context.close()
