"""The public texts that corpora of any size are made of: service-desk intents and help-centre pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HELP = tuple((language, product) for language in ("zh", "en") for product in ("oss", "cdn", "vod"))
INTENTS = ("train.jsonl", "train_more.jsonl")
EVERY_ENGLISH = 6
"""One English help page in this many becomes a topic: most of a Chinese desk's knowledge is Chinese."""
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*(?:\{[^}]*\})?\s*#*$|^(\S.*)\n[=-]{3,}\s*$")
_ASKED_ZH = ("{}怎么弄", "{}在哪里设置", "不会{}", "{}失败了怎么办", "想问一下{}的事", "{}要注意什么")
_ASKED_EN = ("help with {}", "{} does not work", "where do I find {}", "question about {}")


@dataclass(frozen=True, slots=True)
class Piece:
    """A heading and a paragraph, list or table under it, in Markdown."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """What one topic is made of: its title, what people ask about it, its texts in their order."""

    title: str
    category: str
    asked: tuple[str, ...]
    keywords: tuple[str, ...]
    pieces: tuple[Piece, ...]


def intents(data: Path) -> Iterator[Source]:
    """Service-desk intents: what people say, and one answer."""
    for name in INTENTS:
        for line in (data / "intents" / name).read_text("utf-8").splitlines():
            row = json.loads(line)
            category = row["id"].rpartition("-")[0]
            asked = tuple(row["utterances"])
            yield Source(row["title"], category, asked, asked[:3], (Piece(row["title"], row["answer"]),))


def pages(data: Path) -> Iterator[Source]:
    """Help-centre pages that hold enough plain text."""
    for language, product in HELP:
        folder = data / f"helpcenter-{language}" / product
        files = sorted(folder.rglob("*.md"))
        if not files:
            raise FileNotFoundError(f"{folder} holds no Markdown: name the folder that holds {folder.parent.name}/")
        for file in files if language == "zh" else files[::EVERY_ENGLISH]:
            source = _page(file, product if language == "zh" else f"{product}-en")
            if source:
                yield source


def _page(file: Path, category: str) -> Source | None:
    heading, pieces = file.stem, list[Piece]()
    title = ""
    for block in re.split(r"\n\s*\n", file.read_text("utf-8", "replace")):
        found = _HEADING.match(block.strip())
        if found:
            heading = (found[1] or found[2]).replace("`", "").strip()
            title = title or heading
        elif 20 <= len(block) <= 700 and _plain(block):
            pieces.append(Piece(heading, block.strip()))
    if not pieces:
        return None
    title = title if 2 <= len(title) <= 60 else file.stem[:60]
    ask = _ASKED_EN if category.endswith("-en") else _ASKED_ZH
    headings = dict.fromkeys(piece.heading for piece in pieces)
    asked = [form.format(title) for form in ask] + [text for text in headings if text.endswith(("？", "?"))]
    return Source(title, category, tuple(asked), (title, *list(headings)[:2]), tuple(pieces))


def _plain(block: str) -> bool:
    """Whether a block can stand by itself: no open fence, no raw HTML, no block that readers may not see."""
    start = block.lstrip()[0]
    part_of_table = start == "|" and "|--" not in block
    return not part_of_table and start not in "<#" and not any(mark in block for mark in ("```", "~~~", "!!!", "<t"))
