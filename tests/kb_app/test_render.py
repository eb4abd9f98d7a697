"""Markdown to HTML: what it becomes, what can never come out, and a child process that cannot be held up."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indexer.markdown import anchor_of, sections
from kb_app.errors import BadInput, Unavailable
from kb_app.render import INPUT_LIMIT, Heading, LinkRewrite, Renderer, RenderRefused
from kb_app.render_child import CLASSES, TAGS, Refused, anchor_id, sanitize, to_html

ARTICLES = Path(__file__).parents[2] / "articles"
LINK = LinkRewrite("/articles/", "https://kb.example.com")
BRACKETS = "[" * 20 * 1024
REL = "noopener noreferrer nofollow"


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer() as renderer:
        yield renderer


def html(markdown: str, link: LinkRewrite | None = LINK) -> str:
    return to_html(markdown, link)[0]


# --- what Markdown becomes ---------------------------------------------------------------------------------------


def test_headings_have_ids_and_make_the_table_of_contents(renderer: Renderer) -> None:
    rendered = renderer.render("# 退款\n\n## 银行卡 {#bank-card}\n\n### 储蓄卡 & `信用卡`\n\n## 银行卡 {#bank-card}\n")
    assert rendered.toc == (
        Heading(1, "退款", "h-退款"),
        Heading(2, "银行卡", "h-bank-card"),
        Heading(3, "储蓄卡 & 信用卡", "h-储蓄卡-信用卡"),
        Heading(2, "银行卡", "h-bank-card_1"),
    )
    assert re.findall('id="(.*?)"', rendered.html) == [heading.id for heading in rendered.toc]


@pytest.mark.parametrize("path", sorted(ARTICLES.glob("*/*.md")), ids=lambda path: path.stem)
def test_anchors_are_those_of_the_index(path: Path) -> None:
    body = path.read_text("utf-8").split("\n---\n", 1)[-1]
    ids = {id for _, _, id in to_html(body, LINK)[1]}
    assert {f"h-{section.anchor}" for section in sections(body) if section.anchor} <= ids


@given(st.text(max_size=20))
@example("A/B 测试：第1步 (重要)!")
def test_a_slug_follows_the_rule_of_the_index(heading: str) -> None:
    assert anchor_id(heading) == anchor_of(heading)


@pytest.mark.parametrize(
    ("url", "href"),
    [
        ("../refund/refund-arrival.md#bank-card", "/articles/refund-arrival#h-bank-card"),
        ("refund-arrival.md", "/articles/refund-arrival"),
        ("./a.md?v=1#银行卡", "/articles/a#h-银行卡"),
        ("a%20b.md", "/articles/a%20b"),
        ("#who-pays", "#h-who-pays"),
        ("/files/a.pdf", "/files/a.pdf"),
        ("https://kb.example.com/x.md", "https://kb.example.com/x.md"),
        ("mailto:a@example.com", "mailto:a@example.com"),
        ("tel:+861012345678", "tel:+861012345678"),
    ],
)
def test_inside_links(url: str, href: str) -> None:
    assert html(f"[字]({url})") == f'<p><a href="{href}">字</a></p>'


@pytest.mark.parametrize(
    "url", ["https://example.com/a.md", "HTTP://example.com", "//example.com/x", "&#104;ttps://example.com", "https:x"]
)
def test_outside_links_are_marked(url: str) -> None:
    assert f' rel="{REL}"' in html(f"[字]({url})")


def test_links_written_as_html_are_all_marked() -> None:
    page = html('<a href="https://example.com" target="_blank">字</a> [字](a.md)')
    assert page.count(f' rel="{REL}"') == 2 and "target" not in page


def test_without_a_rewrite_relative_links_stay() -> None:
    assert 'href="../refund/a.md#x"' in html("[字](../refund/a.md#x)", None)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("![图](images/a.png)", '<img alt="图" src="images/a.png">'),
        ("![图](https://kb.example.com/a.png)", '<img alt="图" src="https://kb.example.com/a.png">'),
        ("![图](https://evil.example/a.png)", f'<a href="https://evil.example/a.png" rel="{REL}">图</a>'),
        ("![](//evil.example/a.png)", f'<a href="//evil.example/a.png" rel="{REL}">//evil.example/a.png</a>'),
        ("![图](/\\evil.example/a.png)", f'<a href="/\\evil.example/a.png" rel="{REL}">图</a>'),
        ("[![图](https://evil.example/a.png)](b.md)", '<a href="/articles/b"><span>图</span></a>'),
        ('<img src="https://evil.example/a.png" alt="图">', '<img alt="图">'),
        ("![图](https://kb.example.com.evil.example/a.png)", "<a href="),
    ],
)
def test_no_image_is_loaded_from_elsewhere(markdown: str, expected: str) -> None:
    page = html(markdown)
    assert expected in page
    assert all("evil" not in (src or "") for tag, attrs in parsed(page) for name, src in attrs if name == "src")


def test_internal_blocks_are_admonitions_for_staff() -> None:
    page = html('!!! internal "内部说明"\n    先查**回执**。\n')
    assert page.startswith('<div class="admonition internal">\n<p class="admonition-title">内部说明</p>')
    assert "<strong>回执</strong>" in page


def test_tables_footnotes_code_and_lists() -> None:
    page = html(
        "| 左 | 右 |\n|:--|--:|\n| **1** | `a|b` |\n\n字[^1]\n\n[^1]: 脚注\n\n```python\nx < 1\n```\n\n3. 三\n4. 四\n"
    )
    assert '<td align="left"><strong>1</strong></td>' in page and '<td align="right"><code>a|b</code></td>' in page
    assert '<sup id="fnref:1"><a class="footnote-ref" href="#fn:1">1</a></sup>' in page
    assert '<code class="language-python">x &lt; 1' in page
    assert '<ol start="3">' in page


def test_markdown_in_html_stays_text_and_unknown_markup_goes() -> None:
    assert html('<div markdown="1">\n**a**\n</div>') == "<div>\n**a**\n</div>"
    assert (
        html('<span style="color:red" class="btn warning" hx-get="/x" data-y="1" name="n">字</span>')
        == "<p><span>字</span></p>"
    )
    assert html("字 {: .note #top onclick=x }") == html("字 {: .note #top onclick=x }")


@pytest.mark.parametrize(
    "markdown", ["", " \n", "字", "\x00\x02\x03", "￼", "\r\n字\r\n", "<", "&", "[](", "```", "!!!", "[^1]"]
)
def test_any_scrap_renders(markdown: str, renderer: Renderer) -> None:
    assert isinstance(renderer.render(markdown).html, str)


# --- what can never come out -------------------------------------------------------------------------------------

Parsed = list[tuple[str, list[tuple[str, str | None]]]]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Parsed = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = handle_comment = unknown_decl


def parsed(page: str) -> Parsed:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.tags


def is_harmless(page: str) -> bool:
    return all(tag in TAGS and all(is_allowed(tag, *attr) for attr in attrs) for tag, attrs in parsed(page))


def is_allowed(tag: str, name: str, value: str | None) -> bool:
    text = value or ""
    url = re.sub(r"[\x00-\x1f]", "", text).strip().lower().replace("\\", "/")
    scheme = re.match("[a-z][a-z0-9+.-]*:", url)
    match name:
        case "id":
            return text.startswith(("h-", "fn:")) or re.match("fnref[0-9]*:", text) is not None
        case "class":
            return all(word in CLASSES or (tag == "code" and word.startswith("language-")) for word in text.split())
        case "href":
            return tag == "a" and (not scheme or scheme[0] in {"http:", "https:", "mailto:", "tel:"})
        case "src":
            return tag == "img" and not scheme and not url.startswith("//")
        case "rel":
            return text == REL
        case _:
            return name in {"title", "alt", "align", "start", "colspan", "rowspan", "width", "height", "open"}


PAYLOADS = [
    "<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src=x:alert(alt) onerror=eval(src) alt=0>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](java\tscript:alert(1))",
    "[a](&#x6A;avascript:alert(1))",
    "[a](&#106&#97&#118&#97&#115&#99&#114&#105&#112&#116&#58alert(1))",
    "[a](javascript&colon;alert(1))",
    "[a](<java\nscript:alert(1)>)",
    "[a](\x01javascript:alert(1))",
    "[a]( javascript:alert(1))",
    "[a](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[a](vbscript:msgbox(1))",
    "[a](file:///etc/passwd)",
    "<javascript:alert(1)>",
    "![a](javascript:alert(1))",
    "![a](data:image/svg+xml;base64,PHN2Zz4=)",
    '![a"onerror="alert(1)](x)',
    '![a](x "t" onerror=alert(1))',
    '[a](x "t\\" onclick=alert(1) b=\\"")',
    "[a]: javascript:alert(1)\n\n[a]",
    "# a {onclick=alert(1)}",
    '# a {: onmouseover="alert(1)" style="x" }',
    "[a](x){onclick=alert(1) href=javascript:alert(1)}",
    '[a](x){: title="\\"><img src=x onerror=alert(1)>" }',
    "![a](x){onerror=alert(1) src=javascript:1}",
    '# a {#x"onclick=alert(1)}',
    "# a {: #location name=location }",
    '<form id="test"><input name="attributes"></form>',
    '<a id="cookie" name="cookie"></a><img name="getElementById">',
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    '<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    '<math><mi//xlink:href="data:x,<script>alert(1)</script>">',
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<title><img src=x onerror=alert(1)></title>",
    "<textarea></textarea><img src=x onerror=alert(1)>",
    "<style>@import 'https://evil.example';</style>",
    '<p style="background:url(https://evil.example)">a</p>',
    '<meta http-equiv=refresh content="0;url=https://evil.example">',
    "<base href=https://evil.example/>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    "<object data=x><embed src=x>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    '<a href="x" hx-get="/admin" hx-trigger=load data-hx-post="/x">a</a>',
    "<a href='x' ping='https://evil.example' target=_top download>a</a>",
    "<img srcset='https://evil.example/a.png 1x' src=a.png>",
    "<table background=https://evil.example/a.png><td background=x>",
    '<!--<img src="--><img src=x onerror=alert(1)//">',
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?php echo 1 ?><!DOCTYPE html>",
    '```a"onmouseover=alert(1)\nx\n```',
    "``` {.x onclick=alert(1) style=x}\nx\n```",
    '!!! "><img src=x onerror=alert(1)>\n    a',
    '!!! note "<img src=x onerror=alert(1)>"\n    a',
    "a[^<img src=x onerror=alert(1)>]\n\n[^<img src=x onerror=alert(1)>]: b",
    "| a |\n|:-:|\n| <img src=x onerror=alert(1)> |",
    "<span class='modal fixed'>a</span>",
    "<x onclick=alert(1)>a</x>",
    "<plaintext><img src=x onerror=alert(1)>",
    "<xmp><img src=x onerror=alert(1)></xmp>",
    "\u2028<img src=x onerror=alert(1)>",
    '<a href="javascript&NewLine;:alert(1)">a</a>',
    "[TOC]\n\n# <img src=x onerror=alert(1)> {data-toc-label='<img src=x onerror=alert(1)>'}",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_payloads_are_inert(payload: str) -> None:
    page, toc = to_html(payload, LINK)
    assert is_harmless(page), page
    assert sanitize(page) == page
    assert all(id.startswith("h-") for _, _, id in toc)


def test_the_check_itself_finds_harm() -> None:
    harmful = [
        "<img src=x onerror=a>",
        "<a href=' javascript:1'>",
        "<p style=x>",
        "<svg>",
        "<b id=x>",
        "<img src=//e>",
        "<i name=x>",
    ]
    assert not any(is_harmless(page) for page in harmful)
    assert is_harmless('<a href="#h-x">a</a>')


SOUP = st.lists(
    st.sampled_from(
        [
            *(
                "<a href='",
                "javascript:",
                "'>",
                "</a>",
                "<img src=",
                "x onerror=alert(1)",
                ">",
                "<svg>",
                "</svg>",
                "<math>",
                "<mtext>",
            ),
            *(
                "<style>",
                "</style>",
                "<!--",
                "-->",
                "<table>",
                "<tr><td>",
                "</table>",
                "<p>",
                "</p>",
                "<pre>\n\n",
                "<b>",
                "</b>",
            ),
            *(
                "<i>",
                "<select>",
                "<option>",
                "<template>",
                "<title>",
                "<textarea>",
                "<noscript>",
                "<form>",
                "<mglyph>",
                "<br>",
            ),
            *(
                "<details><summary>",
                "<ul><li>",
                "<dl><dt>",
                "&lt;",
                "&#x3c;",
                "&",
                "&amp;lt;",
                '"',
                "'",
                "\\",
                "`",
                "```\n",
                "\n\n",
            ),
            *(
                "\n",
                "    ",
                "> ",
                "- ",
                "1. ",
                "# ",
                "| a | b |\n|---|---|\n| ",
                " |",
                "**",
                "__",
                "[",
                "](",
                ")",
                "![",
                "[^1]",
                "[^1]: ",
            ),
            *(
                "{#x onclick=y}",
                "{: .a }",
                "!!! note\n    ",
                "https://evil.example",
                "//evil",
                "data:text/html,",
                "a.md#b",
                "字",
                "\x00",
            ),
            *(
                "<div>",
                "</div>",
                "<h2 id=x>",
                "</h2>",
                "<ruby><rt>",
                "<li>",
                "<caption>",
                "<col>",
                "</",
                "<",
                "=",
                "/>",
            ),
        ]
    )
    | st.text(max_size=3),
    max_size=18,
).map("".join)


@settings(max_examples=500)
@given(SOUP)
def test_soup_of_html_comes_out_clean_and_final(soup: str) -> None:
    try:
        page = sanitize(soup)
    except Refused:
        return  # refused, which is safe; the next test sees that this is rare
    assert is_harmless(page), page
    assert sanitize(page) == page


@settings(max_examples=700)
@given(SOUP)
@example("<pre>\n\n\n\n\n\n\n\n\nx")
@example("<p><table><a><pre>\n\n<b><select>")
def test_soup_of_markdown_comes_out_clean_and_final(soup: str) -> None:
    page, _ = to_html(soup, LINK)
    assert is_harmless(page), page
    assert sanitize(page, LINK.origin) == page


@given(SOUP)
def test_every_link_to_elsewhere_is_marked(soup: str) -> None:
    for tag, attrs in parsed(to_html(soup, LINK)[0]):
        href = (dict(attrs).get("href") or "").lower().replace("\\", "/")
        if tag == "a" and href.startswith(("http:", "https:", "//")):
            assert dict(attrs).get("rel") == REL


# --- limits ------------------------------------------------------------------------------------------------------


def table(cells: str) -> str:
    head = "| 情况 | 时限 | 怎么办 |\n|---|---|---|\n"
    return head + cells * ((INPUT_LIMIT - len(head.encode())) // len(cells.encode()))


def test_a_table_as_large_as_an_article_may_be(renderer: Renderer) -> None:
    row = "| 退款没到账 | 储蓄卡 1–3 个工作日，超过 **7 天** 没到 | [怎么查](../refund/refund-arrival.md#not-received) |\n"
    markdown = table(row)
    assert len(markdown.encode()) > 0.99 * INPUT_LIMIT
    page = renderer.render(markdown, LINK).html
    assert page.count("/articles/refund-arrival#h-not-received") == markdown.count(".md#")


def test_size_is_counted_in_bytes(renderer: Renderer) -> None:
    paragraph = "字" * 1000 + "\n\n"
    assert renderer.render(("a" * 998 + "\n\n") * (INPUT_LIMIT // 1000))
    with pytest.raises(RenderRefused, match=r"too large to render: 293 KB \(limit 200 KB\)") as refusal:
        renderer.render(paragraph * 100)
    assert "split the article" in refusal.value.hint
    assert isinstance(refusal.value, BadInput) and 400 <= refusal.value.status < 500


def test_broken_characters_are_named(renderer: Renderer) -> None:
    with pytest.raises(RenderRefused, match="character 3 "):
        renderer.render("退款\ud800")


def test_brackets_neither_hang_nor_stop_what_comes_after() -> None:
    with Renderer(cpu_seconds=0.5) as renderer:
        began = time.monotonic()
        with pytest.raises(RenderRefused, match="too long"):
            renderer.render(BRACKETS)
        assert time.monotonic() - began < 8
        assert renderer.render("# 好").html == '<h1 id="h-好">好</h1>'


@pytest.mark.parametrize(
    ("markdown", "reason"),
    [
        (
            f"[a]: https://example.com/{'x' * 3_900}\n\n" + "[a], " * 30_000,
            "too much memory|too large when rendered|too long",
        ),
        (f"[a]: https://example.com/{'x' * 3_900}\n\n" + "[a], " * 1_500, "too large when rendered"),
        (f"[a](https://example.com/{'x' * 5_000})", "more than 4000 characters"),
        ("1. " * 2_000 + "a", "nested too deeply"),
    ],
    ids=["memory", "output", "address", "depth"],
)
def test_bombs_are_refused(markdown: str, reason: str) -> None:
    with Renderer(memory_mb=256) as renderer:
        with pytest.raises(RenderRefused, match=reason) as refusal:
            renderer.render(markdown)
        assert refusal.value.hint
        assert renderer.render("好").html == "<p>好</p>"


def children() -> set[int]:
    """Process ids of the render children of this process."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()]
    return {int(pid) for pid, parent, args in rows if int(parent) == os.getpid() and "kb_app.render_child" in args}


@pytest.fixture
def own(renderer: Renderer) -> Iterator[tuple[Renderer, int]]:
    """A renderer of its own with short limits, and its child's process id."""
    others = children()
    with Renderer(wall_seconds=1.0) as mine:
        mine.render("a")
        (pid,) = children() - others
        yield mine, pid


def test_a_child_killed_from_outside_is_replaced(own: tuple[Renderer, int]) -> None:
    renderer, pid = own
    os.kill(pid, signal.SIGKILL)
    assert renderer.render("好").html == "<p>好</p>"
    assert pid not in children()


def test_a_child_that_stands_still_is_replaced(own: tuple[Renderer, int]) -> None:
    renderer, pid = own
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(RenderRefused, match="too long"):
        renderer.render("a" * INPUT_LIMIT)  # more than a pipe holds: writing blocks as well
    assert renderer.render("好").html == "<p>好</p>"


def test_close_ends_the_child_and_a_later_render_starts_another(own: tuple[Renderer, int]) -> None:
    renderer, pid = own
    renderer.close()
    renderer.close()
    assert pid not in children()
    assert renderer.render("好").html == "<p>好</p>"


def test_one_child_serves_many_threads(renderer: Renderer) -> None:
    found: dict[int, str] = {}

    def work(number: int) -> None:
        found[number] = renderer.render(f"{number}").html

    threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: f"<p>{number}</p>" for number in range(24)}


def test_a_renderer_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with Renderer() as renderer, pytest.raises(Unavailable, match="cannot start") as refusal:
        renderer.render("a")
    assert refusal.value.hint


def test_the_child_knows_nothing_of_the_application() -> None:
    heavy = "{'flask', 'sqlalchemy', 'numpy', 'click', 'search', 'indexer'}"
    code = f"import sys, kb_app.render_child; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the environment of a process is read from /proc")
def test_the_child_has_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KB_SECRET", "hush")
    others = children()
    with Renderer() as renderer:
        renderer.render("a")
        (pid,) = children() - others
        assert b"hush" not in Path(f"/proc/{pid}/environ").read_bytes()
