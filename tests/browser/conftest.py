"""A real server and the system's Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser_note import find_chromium
from tests.kb_app.conftest import PASSWORD, made
from tests.kb_app.served import Served

__all__ = ["made"]


@pytest.fixture(scope="session")
def server(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = tmp_path_factory.mktemp("browser") / "kb"
    shutil.copytree(made, place)
    served = Served(place)
    yield served
    served.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = find_chromium()
    if not path:
        assert os.environ.get("KB_REQUIRE_BROWSER") != "1", "KB_REQUIRE_BROWSER=1, but no Chromium was found"
        pytest.skip("no Chromium found; `apt-get install chromium` brings one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@dataclass
class Desk:
    """A signed-in page, and what went wrong in it."""

    page: Page
    url: str
    problems: list[str]
    hosts: set[str]

    def type(self, text: str) -> None:
        self.page.locator("#query").press_sequentially(text, delay=5)

    def settled(self) -> None:
        self.page.locator("#results [role=option]").first.wait_for()
        self.page.wait_for_timeout(300)

    def titles(self) -> list[str]:
        return self.page.locator("#results .title").all_inner_texts()


def open_desk(chromium: Browser, server: Served, login: str = "agent", **options: Any) -> Desk:
    """A new browser context, signed in, at the desk."""
    context = chromium.new_context(
        **({"locale": "zh-CN", "permissions": ["clipboard-read", "clipboard-write"]} | options)
    )
    context.set_default_timeout(10_000)
    page = context.new_page()
    desk = Desk(page, server.url, [], set())
    page.on("console", lambda m: desk.problems.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: desk.problems.append(str(error)))
    page.on("request", lambda request: desk.hosts.add(request.url.split("/")[2]))
    page.goto(server.url)
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.click("button.primary")
    page.wait_for_selector("#query")
    return desk


@pytest.fixture
def desk(chromium: Browser, server: Served) -> Iterator[Desk]:
    opened = open_desk(chromium, server)
    yield opened
    opened.page.context.close()
