"""What every reader of Chinese knows: frequent words with their sounds, ordinary English words, look-alikes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class CommonWords:
    """Frequent words by what is typed for them, most frequent first, their sounds (tui'kuan) and share of all words.

    `characters` has the readings of single characters, the usual one first.
    """

    by_key: Mapping[str, Sequence[str]]
    sounds: Mapping[str, str]
    shares: Mapping[str, float]
    characters: Mapping[str, Sequence[str]]
    syllables: frozenset[str]
    sorted_keys: Sequence[str]


@lru_cache(maxsize=1)
def common_words() -> CommonWords:
    """The shipped words, read once a process."""
    by_key: defaultdict[str, list[str]] = defaultdict(list)
    characters: defaultdict[str, list[str]] = defaultdict(list)
    sounds: dict[str, str] = {}
    counts: dict[str, int] = {}
    fields = iter(" ".join(_lines("common.txt")).split())
    for word, sound, count in zip(fields, fields, fields, strict=True):
        by_key[sound.replace("'", "")].append(word)
        if len(word) == 1:
            characters[word].append(sound)
        if word not in counts:
            sounds[word], counts[word] = sound, int(count)
    total = sum(counts.values())
    shares = {word: count / total for word, count in counts.items()}
    syllables = frozenset(syllable for own in characters.values() for syllable in own)
    return CommonWords(by_key, sounds, shares, characters, syllables, sorted(by_key))


@lru_cache(maxsize=1)
def english_words() -> frozenset[str]:
    """Ordinary English words, never read as pinyin and never corrected."""
    return frozenset(_lines("english.txt"))


@lru_cache(maxsize=1)
def look_alikes() -> Mapping[str, str]:
    """For a character those that are easily taken for it."""
    table: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for line in _lines("confusables.txt"):
        group = line.split()
        for character in group:
            table[character].update(dict.fromkeys(other for other in group if other != character))
    return {character: "".join(others) for character, others in table.items()}


def _lines(name: str) -> list[str]:
    text = files(__package__ or "search.spelling").joinpath(name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
