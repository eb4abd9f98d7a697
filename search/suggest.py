"""Completions while typing: titles and questions by prefix, inside, full pinyin and initials."""

from __future__ import annotations

import heapq
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from search.types import Passage, Role

_LATIN = re.compile(r"[a-z0-9 ']+")


class Completion(NamedTuple):
    """What may be offered: a title or question, its document, how often that was of use, and how it sounds."""

    text: str
    document: int
    folded: str
    pinyin: str
    initials: str
    uses: int = 0


def completions_of(
    number: int, passages: Sequence[Passage], fold: Callable[[str], str], uses: int
) -> Iterator[Completion]:
    """The title and questions of a document as completions."""
    for passage in passages:
        if passage.role in (Role.TITLE, Role.QUESTION):
            folded = _one_line(fold(passage.text))
            sounds = syllables(folded)
            initials = "".join(sound[0] for sound in sounds)
            yield Completion(passage.text, number, folded, "".join(sounds), initials, uses)


def most_used_first(entries: Iterable[Completion]) -> list[Completion]:
    """The order in which completions are written and offered."""
    return sorted(entries, key=lambda entry: -entry.uses)


def syllables(text: str) -> list[str]:
    """The pinyin of each Han character; other letters and digits as they are."""
    from pypinyin import lazy_pinyin

    # pypinyin hands over whole runs it cannot read and takes a list of syllables for them.
    apart: Callable[[str], str] = list  # type: ignore[assignment]
    return [sound for sound in lazy_pinyin(text, errors=apart) if sound.isalnum()]


class Completer:
    """Finds completions of several blocks as one; `parts` are blocks with the number of their first document."""

    def __init__(self, parts: Sequence[tuple[int, CompletionBlock]]) -> None:
        self._parts = parts

    def find(self, typed: str, allowed: Callable[[int], bool], n: int) -> list[tuple[str, int]]:
        """Up to `n` texts with their documents, for folded text: prefixes first, then inside, then by sound."""
        typed = _one_line(typed)
        found: dict[str, int] = {}
        for entry, document in self._entries(typed) if typed else ():
            if entry.text not in found and entry.folded != typed and allowed(document):
                found[entry.text] = document
                if len(found) == n:
                    break
        return list(found.items())

    def _entries(self, typed: str) -> Iterator[tuple[Completion, int]]:
        """Each way of matching over all blocks before the next way; most used first within one."""
        for stage in _stages(typed):
            found = (_placed(block, first, stage) for first, block in self._parts)
            yield from heapq.merge(*found, key=lambda pair: -pair[0].uses)


def _placed(block: CompletionBlock, first: int, stage: _Stage) -> Iterator[tuple[Completion, int]]:
    for line in block.lines(stage):
        entry = block.entries[line]
        yield entry, first + entry.document


@dataclass(frozen=True, slots=True)
class _Stage:
    """One way of matching: which spelling must start with, or anywhere hold, some text."""

    spelling: str
    text: str
    starts: bool


def _stages(typed: str) -> Iterator[_Stage]:
    yield _Stage("folded", typed, True)
    yield _Stage("folded", typed, False)
    sound = re.sub("[ ']", "", typed)
    if sound and _LATIN.fullmatch(typed):
        for starts in (True, False) if len(sound) > 2 else (True,):
            yield _Stage("pinyin", sound, starts)
            yield _Stage("initials", sound, starts)


class CompletionBlock:
    """The completions of one block. Each spelling is one long string, so that a search is a scan of memory."""

    def __init__(self, entries: Sequence[Completion]) -> None:
        self.entries = entries
        self._spellings = {
            "folded": _Lines([entry.folded for entry in entries]),
            "pinyin": _Lines([entry.pinyin for entry in entries]),
            "initials": _Lines([entry.initials for entry in entries]),
        }

    def lines(self, stage: _Stage) -> Iterator[int]:
        """Numbers of the entries that match in one way, in their order."""
        spelling = self._spellings[stage.spelling]
        return spelling.starting(stage.text) if stage.starts else spelling.containing(stage.text)


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


__all__ = ["Completer", "Completion", "CompletionBlock", "completions_of", "most_used_first", "syllables"]
