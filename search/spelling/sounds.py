"""Syllables of pinyin: which there are, which are taken for one another, and how letters fall into them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_INITIAL = re.compile("^(zh|ch|sh|n|f)")
_LOOSE_INITIAL = {"zh": "z", "ch": "c", "sh": "s", "n": "l", "f": "h"}
_FINAL = re.compile("([aei])ng$")
LONGEST_SYLLABLE = 6
NO_INITIAL = frozenset("iuv")
"""Letters with which no syllable begins."""


@lru_cache(maxsize=1024)
def loose(syllable: str) -> str:
    """The syllable without what many speakers do not tell apart: zh/z, ch/c, sh/s, n/l, f/h, ang/an, eng/en, ing/in."""
    return _FINAL.sub(r"\1n", _INITIAL.sub(lambda m: _LOOSE_INITIAL[m[0]], syllable))


def loose_key(syllables: Sequence[str]) -> str:
    """One key for everything that sounds alike to many speakers."""
    return "'".join(map(loose, syllables))


def is_spelled(letters: str, known: frozenset[str]) -> bool:
    """Whether letters fall into known syllables without rest."""
    reached = [True] + [False] * len(letters)
    for end in range(1, len(letters) + 1):
        starts = range(max(0, end - LONGEST_SYLLABLE), end)
        reached[end] = any(reached[start] and letters[start:end] in known for start in starts)
    return reached[-1]
