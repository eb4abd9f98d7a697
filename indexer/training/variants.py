"""The same text as hurried hands type it: in pinyin, with a homophone, with a slip in an English word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_HAN = re.compile(r"[\u3400-\u9fff]")
_ENGLISH_WORD = re.compile(r"[a-z]{4,}")
PINYIN_SHARE = 0.35
"""Of the variants of a text with Han characters; the others get a homophone each."""


@dataclass(frozen=True, slots=True)
class Homophones:
    """For each character the others that sound alike, most frequent first."""

    table: Mapping[str, str]

    @staticmethod
    def of(counts: Mapping[str, float], most: int = 8) -> Homophones:
        """The homophones among the single characters of a vocabulary, without regard to tone."""
        from pypinyin import lazy_pinyin

        spelled: dict[str, list[str]] = {}
        characters = [token for token in counts if len(token) == 1 and _HAN.match(token)]
        for character in sorted(characters, key=lambda c: (-counts[c], c)):
            spelled.setdefault(lazy_pinyin(character)[0], []).append(character)
        table = {c: "".join([o for o in same if o != c][:most]) for same in spelled.values() for c in same}
        return Homophones({character: others for character, others in table.items() if others})


def variant(text: str, homophones: Homophones, rng: np.random.Generator) -> str:
    """One mistyped form of a folded text; the text itself where nothing can be mistyped."""
    if not _HAN.search(text):
        return _slip(text, rng)
    if rng.random() < PINYIN_SHARE:
        return _pinyin(text, rng)
    return _homophone(text, homophones, rng)


def _pinyin(text: str, rng: np.random.Generator) -> str:
    """Whole text in pinyin, with spaces between syllables, between groups of them, or none."""
    from pypinyin import lazy_pinyin

    spaces = rng.random()
    syllables = lazy_pinyin(text)
    return "".join(s + (" " if rng.random() < spaces or not s.isalpha() else "") for s in syllables)


def _homophone(text: str, homophones: Homophones, rng: np.random.Generator) -> str:
    places = [place for place, character in enumerate(text) if character in homophones.table]
    if not places:
        return text
    place = places[rng.integers(len(places))]
    others = homophones.table[text[place]]
    return text[:place] + others[rng.integers(len(others))] + text[place + 1 :]


def _slip(text: str, rng: np.random.Generator) -> str:
    """A letter left out, doubled or swapped with its neighbour in one English word."""
    words = list(_ENGLISH_WORD.finditer(text))
    if not words:
        return text
    word = words[rng.integers(len(words))]
    at = word.start() + int(rng.integers(1, len(word[0]) - 1))
    slips = (text[at + 1 :], text[at] * 2 + text[at + 1 :], text[at + 1] + text[at] + text[at + 2 :])
    return text[:at] + slips[rng.integers(3)]
