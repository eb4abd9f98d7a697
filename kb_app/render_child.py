"""The renderer's child process: Markdown in, safe HTML out, over pipes; started by `kb_app.render`."""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import resource
import signal
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote
from xml.etree.ElementTree import Element

import nh3
from markdown import Markdown
from markdown.extensions import Extension
from markdown.extensions.admonition import AdmonitionExtension
from markdown.extensions.attr_list import AttrListExtension
from markdown.extensions.fenced_code import FencedCodeExtension
from markdown.extensions.footnotes import FootnoteExtension
from markdown.extensions.sane_lists import SaneListExtension
from markdown.extensions.tables import TableExtension
from markdown.extensions.toc import TocExtension, remove_fnrefs, render_inner_html, strip_tags
from markdown.treeprocessors import Treeprocessor, UnescapeTreeprocessor
from markdown.util import AtomicString

from kb_app.render import READY, LinkRewrite, read_frame, write_frame

OUTPUT_LIMIT = 4 * 1024 * 1024
URL_LIMIT = 4000

_WORD = re.compile(r"[\w-]+")
TAGS = frozenset(
    _WORD.findall(
        "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5"
        " h6 hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead"
        " tr u ul var"
    )
)
_ATTRIBUTES = {
    "*": {"id"},
    "a": {"href", "title", "class"},
    "abbr": {"title"},
    "code": {"class"},
    "details": {"open"},
    "div": {"class"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "p": {"class"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
_ALIGN = {"align": {"left", "center", "right"}}
CLASSES = frozenset(
    _WORD.findall(
        "admonition admonition-title attention caution danger error hint important info internal note tip warning"
        " footnote footnote-ref footnote-backref"
    )
)
_REL = "noopener noreferrer nofollow"
_SCHEMES = {"http", "https", "mailto", "tel"}

_LANGUAGE = re.compile(r"language-[\w+#.-]{1,30}")
_NUMBER = re.compile(r"[0-9]{1,4}")
_NUMBERS = frozenset({"colspan", "rowspan", "start", "width", "height"})
_FOOTNOTE = re.compile(r"fn(?:ref[0-9]*)?:")
_OUTWARD = re.compile(r"https?:|//", re.IGNORECASE)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)
_ARTICLE = re.compile(r"(?P<path>[^?#:]+\.md)(?:\?[^#]*)?(?:#(?P<anchor>.*))?", re.IGNORECASE | re.DOTALL)
_NOT_SLUG = re.compile(r"[^\w\u3400-\u9fff-]+")
# Everything that an inline pattern of Markdown can start with.
_INLINE = re.compile(r"[\\`\[<&*_]|  \n")
# Parsers drop one line end here and writers put none back: each pass would take another.
_PRE_START = re.compile(r'(<pre(?: id="[^"<>]{0,200}")?>)\n+', re.IGNORECASE)
_PASSES = 6


def to_html(markdown: str, link: LinkRewrite | None) -> tuple[str, list[tuple[int, str, str]]]:
    """Safe HTML, and (level, text, id) of each heading in order."""
    origin = link.origin if link else ""
    parser = Markdown(
        extensions=[
            TableExtension(use_align_attribute=True),
            FencedCodeExtension(),
            AdmonitionExtension(),
            AttrListExtension(),
            FootnoteExtension(BACKLINK_TITLE="↩ {}"),
            SaneListExtension(),
            TocExtension(),
            _Articles(link),
        ]
    )
    unsafe = parser.convert(markdown)
    # Links written as HTML are not in Markdown's tree, where the others are told inside from outside.
    safe = sanitize(unsafe, origin, every_rel="<a" in markdown.lower())
    tokens: list[dict[str, Any]] = parser.toc_tokens  # type: ignore[attr-defined]
    return safe, list(_outline(tokens))


def sanitize(unsafe: str, origin: str = "", every_rel: bool = False) -> str:
    """HTML with nothing but allowed tags, attributes, classes and URLs; a fixed point of itself.

    `origin` is the one host that absolute image URLs may name; `every_rel` marks all links as leading outside.
    """
    cleaner = _cleaner(origin, every_rel)
    for _ in range(_PASSES):
        safe = cleaner.clean(_PRE_START.sub(r"\1", unsafe))
        if safe == unsafe:
            return safe
        unsafe = safe
    # Parses differently each time: the mark of markup made to slip through a sanitiser.
    raise Refused("unstable")


class Refused(Exception):
    """This Markdown gets no HTML; the argument is the reason that `kb_app.render` words."""


def anchor_id(heading: str) -> str:
    """The anchor of a heading without a fixed one; the same rule as `indexer.markdown.anchor_of`."""
    return _NOT_SLUG.sub("-", heading.lower()).strip("-")


@lru_cache(maxsize=8)
def _cleaner(origin: str, every_rel: bool) -> nh3.Cleaner:
    def keep(tag: str, name: str, value: str) -> str | None:
        if name == "id":
            return value if value.startswith("h-") or _FOOTNOTE.match(value) else f"h-{value}"
        if name == "class":
            return _classes(tag, value)
        if name == "src":
            return None if _is_remote(value, origin) else value
        if name in _NUMBERS:
            return value if _NUMBER.fullmatch(value) else None
        return value

    rel: dict[str, Any] = {} if every_rel else {"a": {"rel": {_REL}}}
    return nh3.Cleaner(
        tags=TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=keep,
        url_schemes=_SCHEMES,
        tag_attribute_values={"td": _ALIGN, "th": _ALIGN, **rel},
        link_rel=_REL if every_rel else None,
    )


def _classes(tag: str, value: str) -> str | None:
    words = value.split()
    if tag == "code":
        kept = [word for word in words if _LANGUAGE.fullmatch(word)]
    else:
        kept = [word for word in words if word in CLASSES]
    return " ".join(kept) or None


def _plain_url(url: str) -> str:
    """A URL as browsers read it: no control characters or outer blanks, backslash for slash."""
    return re.sub(r"[\x00-\x1f]", "", url).strip().replace("\\", "/")


def _is_own(url: str, origin: str) -> bool:
    return bool(origin) and (url == origin or url.startswith(f"{origin.rstrip('/')}/"))


def _is_remote(url: str, origin: str) -> bool:
    plain = _plain_url(url)
    return bool(_ABSOLUTE.match(plain)) and not _is_own(plain, origin)


class _Articles(Extension):
    """What articles need on top of Markdown's own extensions."""

    def __init__(self, link: LinkRewrite | None) -> None:
        super().__init__()
        self._link = link

    def extendMarkdown(self, md: Markdown) -> None:
        md.treeprocessors.register(_PlainText(md), "plain-text", 30)  # before "inline"
        md.treeprocessors.register(_Anchors(md), "anchors", 7)  # after "attr_list", before "toc"
        md.treeprocessors.register(_Links(md, self._link), "links", 6)


class _PlainText(Treeprocessor):
    """Spares text without any markup the seventeen inline patterns: a large table takes half the time."""

    def run(self, root: Element) -> None:
        for element in root.iter():
            if element.text and not _INLINE.search(element.text):
                element.text = AtomicString(element.text)


class _Anchors(Treeprocessor):
    """Gives each heading its id: the fixed anchor or its words, numbered when repeated, behind `h-`."""

    def run(self, root: Element) -> None:
        taken: dict[str, int] = {}
        for element in root.iter():
            if re.fullmatch("h[1-6]", element.tag):
                anchor = element.get("id") or anchor_id(_text_of(element, self.md))
                element.set("id", f"h-{_numbered(anchor, taken)}")


def _text_of(element: Element, md: Markdown) -> str:
    return html.unescape(strip_tags(render_inner_html(remove_fnrefs(element), md)))


def _numbered(anchor: str, taken: dict[str, int]) -> str:
    seen = taken[anchor] = taken.get(anchor, -1) + 1
    return f"{anchor}_{seen}" if seen else anchor


class _Links(Treeprocessor):
    """Points links at articles and anchors as they are served, and turns remote images into links."""

    def __init__(self, md: Markdown, link: LinkRewrite | None) -> None:
        super().__init__(md)
        self._link = link
        self._origin = link.origin if link else ""

    def run(self, root: Element) -> None:
        for element in root.iter():
            if element.tag == "a":
                self._anchor(element)
            elif element.tag == "img":
                self._image(element, "a")

    def _anchor(self, element: Element) -> None:
        for image in element.iter("img"):
            self._image(image, "span")
        url = self._target(_url(element, "href"))
        element.set("href", url)
        self._mark(element, url)

    def _mark(self, element: Element, url: str) -> None:
        plain = _plain_url(url)
        if _OUTWARD.match(plain) and not _is_own(plain, self._origin):
            element.set("rel", _REL)

    def _target(self, url: str) -> str:
        if url.startswith("#"):
            return url if _FOOTNOTE.match(url[1:]) else f"#h-{url[1:]}"
        article = _ARTICLE.fullmatch(url)
        if not article or not self._link or url.startswith("//"):
            return url
        slug = quote(PurePosixPath(unquote(article["path"])).stem)
        anchor = f"#h-{article['anchor']}" if article["anchor"] else ""
        return f"{self._link.articles.rstrip('/')}/{slug}{anchor}"

    def _image(self, element: Element, tag: str) -> None:
        url = _url(element, "src")
        if not _is_remote(url, self._origin):
            return
        text = element.get("alt") or url
        element.attrib.clear()
        element.tag = tag
        element.text = AtomicString(text)
        if tag == "a":
            element.set("href", url)
            self._mark(element, url)


def _url(element: Element, name: str) -> str:
    """A URL attribute as a browser will read it: Markdown's escapes and HTML's entities resolved."""
    url = element.get(name) or ""
    if len(url) > URL_LIMIT:
        raise Refused("url")
    return html.unescape(UnescapeTreeprocessor().unescape(url)).strip()


def _outline(tokens: list[dict[str, Any]]) -> Iterator[tuple[int, str, str]]:
    for token in tokens:
        yield token["level"], html.unescape(token["name"]), token["id"]
        yield from _outline(token["children"])


def _answer(request: bytes) -> dict[str, Any]:
    asked = json.loads(request)
    link = LinkRewrite(**asked["link"]) if asked["link"] else None
    try:
        safe, toc = to_html(asked["markdown"], link)
    except MemoryError:
        return {"refused": "memory"}
    except RecursionError:
        return {"refused": "depth"}
    except Refused as refusal:
        return {"refused": str(refusal)}
    return {"refused": "output"} if len(safe) > OUTPUT_LIMIT else {"html": safe, "toc": toc}


def _confine(memory_mb: int) -> None:
    # A terminal sends Ctrl-C to the whole group; the parent decides when its child ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    size = memory_mb * 1024 * 1024
    # macOS knows the limit but refuses to set it; time limits still hold there.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def main(cpu_seconds: float, memory_mb: int) -> None:
    """Answer requests until stdin ends; dies of SIGPROF when one takes more than `cpu_seconds` of CPU."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # so that nothing printed by a library gets between the frames
    _confine(memory_mb)
    write_frame(replies, READY)
    while (request := read_frame(sys.stdin.buffer)) is not None:
        # The timer's default action ends the process even inside one long regular expression.
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        reply = json.dumps(_answer(request)).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        write_frame(replies, reply)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
