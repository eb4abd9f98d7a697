"""What the speller says about a question: how it is read, and where that differs from what was typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from search.analysis import Analyzer, Term


class How(StrEnum):
    """By what rule a piece of the question was read otherwise."""

    PINYIN = "pinyin"
    INITIALS = "initials"
    SOUND = "sound"
    LIKE_SOUND = "like sound"
    SHAPE = "shape"
    ORDER = "order"
    DOUBLED = "doubled"
    MISSING = "missing"
    ENGLISH = "english"
    UNFINISHED = "unfinished"


WEIGHTS: Mapping[How, float] = MappingProxyType(
    {
        How.PINYIN: 0.9,
        How.INITIALS: 0.9,
        How.SOUND: 0.9,
        How.LIKE_SOUND: 0.8,
        How.SHAPE: 0.8,
        How.ORDER: 0.9,
        How.DOUBLED: 0.9,
        How.MISSING: 0.8,
        How.ENGLISH: 0.9,
        How.UNFINISHED: 0.8,
    }
)
"""Weight of a term by how it was read; what is typed as it stands in the index has 1."""
REGIONAL_WEIGHT = 0.9
_CAPITALS = re.compile("[A-Z]{2,}")
OTHER_WEIGHT = 0.3
"""Share of its weight that a second reading of the same keys keeps."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A question as it came and folded; `unfinished` while more may follow."""

    raw: str
    text: str
    unfinished: bool = False

    @property
    def capitals(self) -> frozenset[str]:
        """Words in capitals, folded: abbreviations, for nobody types pinyin so."""
        return frozenset(word.lower() for word in _CAPITALS.findall(self.raw))


@dataclass(frozen=True, slots=True)
class Change:
    """A piece of the question, how it is read, and (word, other) for words that the same keys may stand for."""

    typed: str
    read: str
    how: How
    others: tuple[tuple[str, str], ...] = ()

    @property
    def from_keys(self) -> bool:
        """Whether letters were read as Han characters."""
        return self.how in (How.PINYIN, How.INITIALS, How.UNFINISHED) and not self.read.isascii()


@dataclass(frozen=True, slots=True)
class Edit:
    """A change at `start`..`end` of a text."""

    start: int
    end: int
    change: Change


@dataclass(frozen=True, slots=True)
class Reading:
    """The question as it is read, and the changes that led there; `begun` is a word that may be on its way."""

    text: str
    changes: tuple[Change, ...] = ()
    begun: str = ""


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with changes made; they are in order and do not overlap."""
    pieces, at = [], 0
    for edit in edits:
        pieces += [text[at : edit.start], edit.change.read]
        at = edit.end
    return "".join([*pieces, text[at:]])


def terms_of(typed: str, reading: Reading, analyzer: Analyzer, found: Callable[[str], bool]) -> tuple[Term, ...]:
    """The terms of a reading: what was typed weighs 1, what was read into it less.

    Typed words that the index holds (`found`) stay, so that nothing exact is lost to a correction; of single
    characters only those that are still there after reading.
    """
    if reading.text == typed and not reading.begun:
        return analyzer.query_terms(typed)
    own = dict.fromkeys(analyzer.index_terms(typed))
    weights = {word: 1.0 for word in own if len(word) > 1 and found(word)}
    for word in analyzer.index_terms(reading.text):
        weights.setdefault(word, 1.0 if word in own else _weight(word, reading))
    others = [*_others(reading, analyzer)]
    return analyzer.weighted_terms(weights, others)


def _weight(word: str, reading: Reading) -> float:
    near = (WEIGHTS[c.how] for c in reading.changes if word in c.read or c.read in word)
    return min(near, default=REGIONAL_WEIGHT)


def _others(reading: Reading, analyzer: Analyzer) -> Iterable[Term]:
    for change in reading.changes:
        for word, other in change.others:
            asked = next(iter(analyzer.index_terms(word)), "")
            weight = OTHER_WEIGHT * WEIGHTS[change.how]
            yield from (Term(term, weight, asked) for term in analyzer.index_terms(other))
    yield from (Term(term, OTHER_WEIGHT, "") for term in analyzer.index_terms(reading.begun))
