"""Counting what texts attest, and the file it is kept in: words with their sounds, pairs of characters, titles.

Tickets attest nothing: they hold the slips of those who wrote them. Nor does what is not out yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.analysis import Analyzer
from search.spelling.sounds import loose_key
from search.spelling.vocabulary import FILE, LONGEST_WORD, Codes, Line, latin_words, pair_codes, unpack
from search.types import Audience, Document, Kind, Passage, Role

MOST_WORDS = 60_000
MOST_LATIN = 20_000
_BATCH = 500
_END = 1
_START = 2
Sounds = Callable[[str], list[str]]


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


def join(parts: Sequence[Path], target: Path) -> None:
    """Write what several folders' tallies hold together as one."""
    opened = [dict(np.load(part / FILE, allow_pickle=False)) for part in parts]
    words = _summed(opened, "words", ("keys", "loose_keys", "initials"))
    latin = _summed(opened, "latin", ())
    arrays: dict[str, NDArray[np.generic]] = {
        "words": _pack(words),
        "latin": _pack(latin),
        "line_audience": np.concatenate([part["line_audience"] for part in opened]),
    }
    for place, name in enumerate(("keys", "loose_keys", "initials")):
        arrays[name] = _pack(texts[place] for texts, _ in words.values())
    for name in ("line_characters", "line_initials", "line_marks"):
        arrays[name] = np.concatenate([part[name] for part in opened])
    for place, audience in enumerate(Audience):
        own = audience.name.lower()
        arrays[f"{own}_words"] = np.array([counts[place] for _, counts in words.values()], np.int32)
        arrays[f"{own}_latin"] = np.array([counts[place] for _, counts in latin.values()], np.int32)
        arrays[f"{own}_pairs"] = np.unique(np.concatenate([part[f"{own}_pairs"] for part in opened]))
    np.savez(target / FILE, allow_pickle=False, **arrays)


_Counted = dict[str, tuple[tuple[str, ...], tuple[int, ...]]]


def _summed(parts: Sequence[dict[str, NDArray[np.generic]]], name: str, texts: Sequence[str]) -> _Counted:
    """Words with their other spellings and their counts by audience, added up over the parts."""
    found: _Counted = {}
    for part in parts:
        spelled = zip(*(unpack(part[text]) for text in texts), strict=True) if texts else None
        counts = zip(*(part[f"{audience.name.lower()}_{name}"].tolist() for audience in Audience), strict=True)
        for word, own in zip(unpack(part[name]), counts, strict=True):
            others = next(spelled) if spelled else ()
            before = found.get(word, (others, (0,) * len(Audience)))[1]
            found[word] = others, tuple(a + b for a, b in zip(before, own, strict=True))
    return found


def _most(counts: Counter[str], n: int) -> list[str]:
    return sorted(counts, key=lambda word: (-counts[word], word))[:n]


def _pack(lines: Iterable[str]) -> NDArray[np.uint8]:
    return np.frombuffer("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"), np.uint8)
