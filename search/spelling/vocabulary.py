"""What the indexed texts attest: words with their sounds, neighbouring characters, Latin words, and how titles begin.

Tickets attest nothing: they hold the slips of those who wrote them. Nor does what is not out yet.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.analysis import Analyzer
from search.spelling.sounds import loose_key
from search.types import Audience, Document, Kind, Passage, Role

FILE = "spelling.npz"
MOST_WORDS = 60_000
MOST_LATIN = 20_000
LONGEST_WORD = 6
MOST_COMPLETIONS = 1000
_BATCH = 500
_END = 1
_START = 2
_LATIN = re.compile("(?<![a-z0-9])[a-z]{2,}(?![a-z0-9])")
Sounds = Callable[[str], list[str]]
Codes = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Line:
    """A title or question: its letters and characters one to one, initials for Han, and where words start and end."""

    characters: str
    initials: str
    marks: str
    audience: Audience


class Tally:
    """Counts what passages attest, one document after the other; `now` in epoch seconds."""

    def __init__(self, analyzer: Analyzer, sounds: Sounds, now: int) -> None:
        self._analyzer = analyzer
        self._now = now
        self._sounds = sounds
        self._words: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self._latin: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self._lines: dict[tuple[str, Audience], Line] = {}
        self._pairs: tuple[list[Codes], list[Codes]] = ([], [])
        self._texts: tuple[list[str], list[str]] = ([], [])

    def add(self, document: Document, passages: Iterable[Passage]) -> None:
        """Count one document."""
        if document.kind is Kind.TICKET or document.valid_from > self._now:
            return
        for passage in passages:
            headings = passage.headings if passage.role is Role.SECTION else ()
            folded = self._analyzer.fold("\n".join((*headings, passage.text)))
            self._add(folded, passage.role, max(document.audience, passage.audience))

    def _add(self, folded: str, role: Role, audience: Audience) -> None:
        han = {word for word in self._analyzer.han_words(folded) if len(word) <= LONGEST_WORD}
        latin = set(latin_words(folded))
        for reader in range(audience, len(Audience)):
            self._words[reader].update(han)
            self._latin[reader].update(latin)
            self._texts[reader].append(folded)
        if role is not Role.SECTION:
            line = self._line(folded, audience)
            self._lines[line.characters, audience] = line
        if len(self._texts[Audience.INTERNAL]) >= _BATCH:
            self._note_pairs()

    def _line(self, folded: str, audience: Audience) -> Line:
        tokens = self._analyzer.folded_tokens(folded)
        starts, ends = {t.start for t in tokens}, {t.end for t in tokens}
        kept = [i for i, char in enumerate(folded) if char.isalnum()]
        characters = "".join(folded[i] for i in kept)
        initials = "".join(sound[0] for sound in self._sounds(characters))
        marks = "".join(str(_START * (i in starts) + _END * (i + 1 in ends)) for i in kept)
        # A character whose sound is not one piece would shift the others.
        return Line(characters, initials if len(initials) == len(characters) else characters, marks, audience)

    def _note_pairs(self) -> None:
        for texts, pairs in zip(self._texts, self._pairs, strict=True):
            pairs.append(np.unique(pair_codes("\n".join(texts))))
            texts.clear()

    def save(self, folder: Path) -> None:
        """Write all that was counted as one file of plain arrays."""
        self._note_pairs()
        words = _most(self._words[Audience.INTERNAL], MOST_WORDS)
        latin = _most(self._latin[Audience.INTERNAL], MOST_LATIN)
        sounds = [self._sounds(word) for word in words]
        lines = list(self._lines.values())
        arrays = {
            "words": _pack(words),
            "keys": _pack("".join(own) for own in sounds),
            "loose_keys": _pack(map(loose_key, sounds)),
            "initials": _pack("".join(sound[0] for sound in own) for own in sounds),
            "latin": _pack(latin),
            "line_characters": _pack(line.characters for line in lines),
            "line_initials": _pack(line.initials for line in lines),
            "line_marks": _pack(line.marks for line in lines),
            "line_audience": np.array([line.audience for line in lines], np.uint8),
        }
        for audience in Audience:
            name = audience.name.lower()
            arrays[f"{name}_words"] = np.array([self._words[audience][word] for word in words], np.int32)
            arrays[f"{name}_latin"] = np.array([self._latin[audience][word] for word in latin], np.int32)
            arrays[f"{name}_pairs"] = np.unique(np.concatenate(self._pairs[audience]))
        np.savez(folder / FILE, allow_pickle=False, **arrays)


@dataclass(frozen=True)
class Vocabulary:
    """What one audience may be led to: nothing in it comes from a text they may not read.

    `counts` are passages by word, most frequent first, as are the words of every table; `pairs` are `pair_codes`.
    """

    counts: Mapping[str, int]
    latin: Mapping[str, int]
    by_key: Mapping[str, Sequence[str]]
    by_loose_key: Mapping[str, Sequence[str]]
    by_initials: Mapping[str, Sequence[str]]
    pairs: frozenset[int]
    lines: Sequence[Line]

    @cached_property
    def total(self) -> int:
        """The sum of all counts."""
        return sum(self.counts.values())

    @cached_property
    def sorted_keys(self) -> Sequence[str]:
        """What is typed for words, in order."""
        return sorted(self.by_key)

    @cached_property
    def sorted_words(self) -> Sequence[str]:
        """All words, in order."""
        return sorted(self.counts)

    @cached_property
    def sorted_latin(self) -> Sequence[str]:
        """All Latin words, in order."""
        return sorted(self.latin)

    def pair(self, text: str) -> bool:
        """Whether two characters stand side by side somewhere."""
        return ord(text[0]) << 16 | ord(text[1]) in self.pairs


def open_vocabulary(folder: Path) -> Mapping[Audience, Vocabulary]:
    """What `Tally.save` wrote, for each audience."""
    with np.load(folder / FILE, allow_pickle=False) as file:
        data = dict(file)
    return {audience: _vocabulary(data, audience) for audience in Audience}


def _vocabulary(data: Mapping[str, NDArray[np.generic]], audience: Audience) -> Vocabulary:
    name = audience.name.lower()
    words, counts = _unpack(data["words"]), data[f"{name}_words"]
    shown = np.argsort(-counts.astype(np.int64), kind="stable")[: int(np.count_nonzero(counts))].tolist()
    own = [words[i] for i in shown]
    tables = ([keys[i] for i in shown] for keys in (_unpack(data[n]) for n in ("keys", "loose_keys", "initials")))
    by_key, by_loose_key, by_initials = (_grouped(keys, own) for keys in tables)
    return Vocabulary(
        counts={words[i]: int(counts[i]) for i in shown},
        latin={word: n for word, n in zip(_unpack(data["latin"]), data[f"{name}_latin"].tolist(), strict=True) if n},
        by_key=by_key,
        by_loose_key=by_loose_key,
        by_initials=by_initials,
        pairs=frozenset(data[f"{name}_pairs"].tolist()),
        lines=[line for line in _lines(data) if line.audience <= audience],
    )


def starting(words: Sequence[str], prefix: str) -> Iterator[str]:
    """Words of a sorted list that begin with `prefix`, at most MOST_COMPLETIONS."""
    at = bisect_left(words, prefix)
    for word in islice(words, at, at + MOST_COMPLETIONS):
        if not word.startswith(prefix):
            return
        yield word


def is_han(text: str) -> bool:
    """Whether all characters are Han."""
    return all("\u3400" <= char <= "\u9fff" for char in text)


def latin_words(folded: str) -> list[str]:
    """Runs of two and more letters a-z that no digit touches."""
    return _LATIN.findall(folded)


def pair_codes(text: str) -> Codes:
    """Neighbouring Han characters as numbers, in order; characters beyond the first plane are left out."""
    codes: Codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint32)
    han = (codes >= 0x3400) & (codes <= 0x9FFF)
    both = han[:-1] & han[1:]
    joined: Codes = (codes[:-1][both] << np.uint32(16)) | codes[1:][both]
    return joined


def _most(counts: Counter[str], n: int) -> list[str]:
    return sorted(counts, key=lambda word: (-counts[word], word))[:n]


def _pack(lines: Iterable[str]) -> NDArray[np.uint8]:
    return np.frombuffer("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"), np.uint8)


def _unpack(array: NDArray[np.generic]) -> list[str]:
    return array.tobytes().decode("utf-8", "surrogatepass").split("\n")[:-1]


def _lines(data: Mapping[str, NDArray[np.generic]]) -> list[Line]:
    pieces = (_unpack(data[f"line_{name}"]) for name in ("characters", "initials", "marks"))
    return [Line(c, i, m, Audience(a)) for c, i, m, a in zip(*pieces, data["line_audience"].tolist(), strict=True)]


def _grouped(keys: Sequence[str], words: Sequence[str]) -> Mapping[str, Sequence[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for own, word in zip(keys, words, strict=True):
        groups[own].append(word)
    return dict(groups)
