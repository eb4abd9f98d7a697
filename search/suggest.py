"""Completions while typing: titles and questions by prefix, inside, full pinyin and initials."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from search.types import Document, Passage, Role

_LATIN = re.compile(r"[a-z0-9 ']+")


@dataclass(frozen=True, slots=True)
class Completion:
    """What may be offered: a title or question, the document it belongs to, and how it sounds."""

    text: str
    document: int
    folded: str
    pinyin: str
    initials: str


def completions_of(
    documents: Iterable[tuple[Document, Sequence[Passage]]], fold: Callable[[str], str]
) -> Iterator[Completion]:
    """The titles and questions of documents as completions."""
    for number, (_document, passages) in enumerate(documents):
        for passage in passages:
            if passage.role in (Role.TITLE, Role.QUESTION):
                folded = _one_line(fold(passage.text))
                sounds = syllables(folded)
                yield Completion(
                    passage.text,
                    number,
                    folded,
                    "".join(sounds),
                    "".join(sound[0] for sound in sounds),
                )


def syllables(text: str) -> list[str]:
    """The pinyin of each Han character; other letters and digits as they are."""
    from pypinyin import lazy_pinyin

    # pypinyin hands over whole runs it cannot read and takes a list of syllables for them.
    apart: Callable[[str], str] = list  # type: ignore[assignment]
    return [sound for sound in lazy_pinyin(text, errors=apart) if sound.isalnum()]


class Completer:
    """Finds completions. Each spelling is one long string, so that a search is a few scans of memory."""

    def __init__(self, entries: Sequence[Completion]) -> None:
        self.entries = entries
        self._folded = _Lines([entry.folded for entry in entries])
        self._pinyin = _Lines([entry.pinyin for entry in entries])
        self._initials = _Lines([entry.initials for entry in entries])

    def find(self, typed: str, allowed: Callable[[int], bool], n: int) -> list[Completion]:
        """Up to `n` entries of allowed documents for folded text: prefixes first, then inside, then by sound."""
        typed = _one_line(typed)
        if not typed:
            return []
        found: dict[str, Completion] = {}
        for line in self._lines(typed):
            entry = self.entries[line]
            if entry.text not in found and entry.folded != typed and allowed(entry.document):
                found[entry.text] = entry
                if len(found) == n:
                    break
        return list(found.values())

    def _lines(self, typed: str) -> Iterator[int]:
        yield from self._folded.starting(typed)
        yield from self._folded.containing(typed)
        sound = re.sub("[ ']", "", typed)
        if sound and _LATIN.fullmatch(typed):
            yield from self._pinyin.starting(sound)
            yield from self._initials.starting(sound)
            if len(sound) > 2:
                yield from self._pinyin.containing(sound)
                yield from self._initials.containing(sound)


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _Lines:
    """Numbers of the lines that hold some text, by scanning one joined string."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._text = "\n" + "\n".join(lines)
        self._starts = list(accumulate((len(line) + 1 for line in lines), initial=1))

    def starting(self, text: str) -> Iterator[int]:
        return self._find("\n" + text)

    def containing(self, text: str) -> Iterator[int]:
        return self._find(text)

    def _find(self, text: str) -> Iterator[int]:
        at = self._text.find(text)
        while at >= 0:
            yield bisect_right(self._starts, at + (text[0] == "\n")) - 1
            at = self._text.find(text, at + 1)


__all__ = ["Completer", "Completion", "completions_of", "syllables"]
