"""What the indexed texts attest: words with their sounds, pairs of characters, Latin words, and how titles begin."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.types import Audience

FILE = "spelling.npz"
LONGEST_WORD = 6
MOST_COMPLETIONS = 1000
_LATIN = re.compile("(?<![a-z0-9])[a-z]{2,}(?![a-z0-9])")
Codes = NDArray[np.uint32]


class Line(NamedTuple):
    """A title or question: its letters and characters one to one, initials for Han, and where words start and end."""

    characters: str
    initials: str
    marks: str
    audience: Audience


@dataclass(frozen=True)
class Vocabulary:
    """What one audience may be led to: nothing in it comes from a text they may not read.

    `counts` are passages by word, and the words of every table come most frequent first; `pairs` are `pair_codes`.
    """

    counts: Mapping[str, int]
    latin: Mapping[str, int]
    by_key: Mapping[str, Sequence[str]]
    by_loose_key: Mapping[str, Sequence[str]]
    by_initials: Mapping[str, Sequence[str]]
    pairs: tuple[frozenset[int], ...]
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
        code = ord(text[0]) << 16 | ord(text[1])
        return any(code in pairs for pairs in self.pairs)


def open_vocabulary(folder: Path) -> Mapping[Audience, Vocabulary]:
    """What `tally.Tally` wrote, for each audience."""
    with np.load(folder / FILE, allow_pickle=False) as file:
        data = dict(file)
    return {audience: _vocabulary(data, audience) for audience in Audience}


def together(parts: Sequence[Mapping[Audience, Vocabulary]]) -> Mapping[Audience, Vocabulary]:
    """What several blocks attest, the largest first: its tables are copied, and what the others add is worked in."""
    first, *others = parts
    for other in others:
        first = {audience: _joined(first[audience], other[audience]) for audience in Audience}
    return first


def _joined(one: Vocabulary, other: Vocabulary) -> Vocabulary:
    counts = _summed(one.counts, other.counts)

    def table(mine: Mapping[str, Sequence[str]], theirs: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
        new = {key: [word for word in words if word not in one.counts] for key, words in theirs.items()}
        merged = {key: [*mine.get(key, ()), *words] for key, words in new.items() if words}
        # Only where there is a new word: a small block has little to say about the order of the others.
        ordered = {k: tuple(sorted(words, key=lambda word: (-counts[word], word))) for k, words in merged.items()}
        return {**mine, **ordered}

    return Vocabulary(
        counts=counts,
        latin=_summed(one.latin, other.latin),
        by_key=table(one.by_key, other.by_key),
        by_loose_key=table(one.by_loose_key, other.by_loose_key),
        by_initials=table(one.by_initials, other.by_initials),
        pairs=(*one.pairs, *other.pairs),
        lines=[*one.lines, *other.lines],
    )


def _summed(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {**one, **{word: one.get(word, 0) + count for word, count in other.items()}}


def _vocabulary(data: Mapping[str, NDArray[np.generic]], audience: Audience) -> Vocabulary:
    name = audience.name.lower()
    words, counts = unpack(data["words"]), data[f"{name}_words"]
    shown = np.argsort(-counts.astype(np.int64), kind="stable")[: int(np.count_nonzero(counts))].tolist()
    own = [words[i] for i in shown]
    tables = ([keys[i] for i in shown] for keys in (unpack(data[n]) for n in ("keys", "loose_keys", "initials")))
    by_key, by_loose_key, by_initials = (_grouped(keys, own) for keys in tables)
    return Vocabulary(
        counts={words[i]: int(counts[i]) for i in shown},
        latin={word: n for word, n in zip(unpack(data["latin"]), data[f"{name}_latin"].tolist(), strict=True) if n},
        by_key=by_key,
        by_loose_key=by_loose_key,
        by_initials=by_initials,
        pairs=(frozenset(data[f"{name}_pairs"].tolist()),),
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


def unpack(array: NDArray[np.generic]) -> list[str]:
    """The lines that were packed into an array."""
    return array.tobytes().decode("utf-8", "surrogatepass").split("\n")[:-1]


def _lines(data: Mapping[str, NDArray[np.generic]]) -> list[Line]:
    pieces = (unpack(data[f"line_{name}"]) for name in ("characters", "initials", "marks"))
    return [Line(c, i, m, Audience(a)) for c, i, m, a in zip(*pieces, data["line_audience"].tolist(), strict=True)]


def _grouped(keys: Sequence[str], words: Sequence[str]) -> Mapping[str, Sequence[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for own, word in zip(keys, words, strict=True):
        groups[own].append(word)
    # Tuples of text are nothing to the garbage collector, which would go through every list again and again.
    return {key: tuple(own) for key, own in groups.items()}
