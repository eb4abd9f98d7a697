"""Markdown as it is written: internal blocks, headings with anchors, and the plain text of sections."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from search.types import Audience

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# A block may stand in quotations, list items, tasks and footnotes; other classes may stand before `internal`.
_INTERNAL = re.compile(
    r"(?:[>\s]|(?:[-*+]|[0-9]{1,9}[.)])(?=\s)|\[[ x]\]|\[\^[^\]]{1,60}\]:)*!{3,}\s*(?:[\w-]+ +){0,5}internal(?![a-z])",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"\r\n?|\n")
_ATTRIBUTES = re.compile(r"\s*\{:?\s*(?:#(?P<id>[^\s}]+))?[^}]*\}\s*$")
_NOT_SLUG = re.compile(r"[^\w\u3400-\u9fff-]+")
_HTML_TAG = re.compile(r"<[^<>]{0,300}>")


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of lines for one audience."""

    audience: Audience
    markdown: str


@dataclass(frozen=True, slots=True)
class Section:
    """The plain text under one heading: a line per sentence group, list step or table row."""

    headings: tuple[str, ...]
    anchor: str
    text: str
    audience: Audience


def split_internal(markdown: str) -> list[Segment]:
    """Cut Markdown at its `!!! internal` blocks; every road to readers and index goes through here.

    A block is the marker line and the more deeply indented or blank lines after it. The marker counts
    wherever it stands, inside a code fence or a quotation too: when in doubt, text stays internal.
    """
    segments: list[Segment] = []
    lines = _LINE_END.split(markdown)
    start = at = 0
    while at < len(lines):
        if not _INTERNAL.match(_visible(lines[at])):
            at += 1
            continue
        end = _block_end(lines, at)
        segments += [Segment(Audience.PUBLIC, "\n".join(lines[start:at]))] if at > start else []
        segments.append(Segment(Audience.INTERNAL, "\n".join(lines[at:end])))
        start = at = end
    return segments + ([Segment(Audience.PUBLIC, "\n".join(lines[start:]))] if start < len(lines) else [])


def for_audience(markdown: str, audience: Audience) -> str:
    """The Markdown that a reader of this audience may have."""
    return "\n".join(s.markdown for s in split_internal(markdown) if s.audience <= audience)


def sections(markdown: str, title: str = "") -> list[Section]:
    """The sections of an article in order; a first-level heading that repeats `title` adds no level."""
    path = _Path(title)
    found: list[Section] = []
    for segment in split_internal(markdown):
        if segment.audience is Audience.PUBLIC:
            found.extend(_sections_of(segment.markdown, Audience.PUBLIC, path))
        else:
            # A heading inside the block is nobody's heading outside it.
            found.extend(_sections_of(_dedent_block(segment.markdown), segment.audience, path.inside()))
    return [section for section in found if section.text]


def first_heading(markdown: str) -> str:
    """The text of the first heading, or "" when there is none."""
    tokens = _parser().parse(markdown[:20_000])
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            return _heading(_inline_text(inline))[0]
    return ""


def anchor_of(heading: str) -> str:
    """The anchor of a heading without a fixed one: its words, Chinese kept, joined by hyphens."""
    return _NOT_SLUG.sub("-", heading.lower()).strip("-")


class _Path:
    """The headings that the text being read stands under, and the anchors given so far."""

    def __init__(self, title: str) -> None:
        self._title = title.strip()
        self._levels: list[tuple[int, str]] = []
        self._taken: dict[str, int] = {}
        self.anchor = ""

    def enter(self, level: int, raw: str) -> None:
        text, fixed = _heading(raw)
        self.anchor = self._unique(fixed or anchor_of(text))
        self._levels = list(takewhile(lambda entry: entry[0] < level, self._levels))
        if not (level == 1 and text == self._title):
            self._levels.append((level, text))

    def inside(self) -> _Path:
        """The same place, to go on from without changing it."""
        path = _Path(self._title)
        path._levels, path._taken, path.anchor = list(self._levels), dict(self._taken), self.anchor
        return path

    @property
    def headings(self) -> tuple[str, ...]:
        return tuple(text for _, text in self._levels)

    def _unique(self, anchor: str) -> str:
        """Repeated anchors are numbered as the renderer's table of contents numbers them."""
        seen = self._taken.get(anchor)
        self._taken[anchor] = 0 if seen is None else seen + 1
        return anchor if seen is None else f"{anchor}_{seen + 1}"


def _block_end(lines: Sequence[str], start: int) -> int:
    depth = _depth(lines[start])
    end = start + 1
    while end < len(lines) and (not _visible(lines[end]).strip("> \t") or _depth(lines[end]) > depth):
        end += 1
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    return end


def _visible(line: str) -> str:
    """The line as its reader sees it: full-width signs plain, no invisible or control characters but tabs."""
    plain = unicodedata.normalize("NFKC", line)
    return "".join(char for char in plain if char == "\t" or unicodedata.category(char) not in ("Cc", "Cf"))


def _depth(line: str) -> int:
    plain = _visible(line).replace(">", " ").expandtabs(4)
    return len(plain) - len(plain.lstrip())


def _dedent_block(markdown: str) -> str:
    lines = markdown.split("\n")[1:]
    depth = min((_depth(line) for line in lines if line.strip()), default=0)
    return "\n".join(line.replace(">", " ").expandtabs(4)[depth:] for line in lines)


def _sections_of(markdown: str, audience: Audience, path: _Path) -> Iterator[Section]:
    lines: list[str] = []
    for block in _blocks(_parser().parse(markdown)):
        if isinstance(block, str):
            lines.append(block)
            continue
        yield Section(path.headings, path.anchor, "\n".join(lines), audience)
        lines = []
        path.enter(*block)
    yield Section(path.headings, path.anchor, "\n".join(lines), audience)


def _blocks(tokens: Sequence[Token]) -> Iterator[str | tuple[int, str]]:
    """Lines of plain text, and (level, raw text) for each heading."""
    walk = _Walk()
    for token in tokens:
        yield from walk.step(token)


class _Walk:
    """Markdown tokens to lines; remembers the list and table it is in."""

    def __init__(self) -> None:
        self._heading = 0
        self._counters: list[int | None] = []
        self._marker = ""
        self._columns: list[str] = []
        self._cells: list[str] = []
        self._in_head = False

    def step(self, token: Token) -> Iterator[str | tuple[int, str]]:
        match token.type:
            case "heading_open":
                self._heading = int(token.tag[1:])
            case "inline":
                yield from self._inline(_inline_text(token))
            case "fence" | "code_block":
                yield from (line for line in token.content.splitlines() if line.strip())
            case "html_block":
                yield from filter(None, [" ".join(_HTML_TAG.sub(" ", token.content).split())])
            case _:
                yield from self._structure(token)

    def _inline(self, text: str) -> Iterator[str | tuple[int, str]]:
        if self._heading:
            yield self._heading, text
            self._heading = 0
        elif self._cells or self._in_head or self._columns:
            self._cells[-1:] = [text] if self._cells else []
        elif text:
            yield self._marker + text
            self._marker = ""

    def _structure(self, token: Token) -> Iterator[str]:
        match token.type:
            case "ordered_list_open":
                self._counters.append(int(token.attrs.get("start", 1) or 1))
            case "bullet_list_open":
                self._counters.append(None)
            case "ordered_list_close" | "bullet_list_close":
                self._counters.pop()
            case "list_item_open":
                self._marker = self._next_marker()
            case "thead_open" | "thead_close":
                self._in_head = token.type == "thead_open"
            case "tr_open":
                self._cells = []
            case "th_open" | "td_open":
                self._cells.append("")
            case "tr_close":
                yield from self._row()
            case "table_close":
                self._columns, self._cells = [], []

    def _next_marker(self) -> str:
        number = self._counters[-1]
        if number is None:
            return "· "
        self._counters[-1] = number + 1
        return f"{number}. "

    def _row(self) -> Iterator[str]:
        if self._in_head:
            self._columns = self._cells
        else:
            pairs = zip(self._columns, self._cells, strict=False)
            yield _row_text([(name, cell) for name, cell in pairs if cell])
        self._cells = []


def _row_text(cells: Sequence[tuple[str, str]]) -> str:
    """A table row as a sentence, with the punctuation of its language."""
    colon, comma = (": ", "; ") if all(name.isascii() for name, _ in cells) else ("：", "；")
    return comma.join(f"{name}{colon}{cell}" if name else cell for name, cell in cells)


def _heading(raw: str) -> tuple[str, str]:
    """Text and fixed anchor of a heading such as `银行卡 {#bank-card}`."""
    attributes = _ATTRIBUTES.search(raw)
    if not attributes:
        return raw.strip(), ""
    return raw[: attributes.start()].strip(), attributes["id"] or ""


def _inline_text(token: Token) -> str:
    parts = [
        " " if child.type in ("softbreak", "hardbreak") else child.content
        for child in token.children or ()
        if child.type in ("text", "code_inline", "softbreak", "hardbreak", "image", "text_special")
    ]
    return " ".join("".join(parts).split())


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"maxNesting": 20}).enable("table")
