"""The words of the service desk: dictionary additions, synonyms and stop words, kept as data."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files


@dataclass(frozen=True)
class Lexicon:
    """Words to keep whole, synonyms (asked word -> found words) and stop words."""

    words: frozenset[str]
    synonyms: Mapping[str, tuple[str, ...]]
    stopwords: frozenset[str]

    @cached_property
    def index_hash(self) -> str:
        """Hash of what shapes an index; synonyms act when asking and are left out."""
        return _digest([*sorted(self.words), "--", *sorted(self.stopwords)])


def parse_lexicon(words: str, synonyms: str, stopwords: str) -> Lexicon:
    """A lexicon from the text of its three files; synonyms that are Han become words as well."""
    table = parse_synonyms(synonyms)
    spoken = {word for group in table.items() for word in (group[0], *group[1])}
    han = {word for word in spoken if len(word) > 1 and not word.isascii()}
    return Lexicon(frozenset(_lines(words)) | han, table, frozenset(_lines(stopwords)))


def parse_synonyms(text: str) -> Mapping[str, tuple[str, ...]]:
    """Synonym lines to a table: "a b c" is two-way, "a => b c" one-way."""
    table: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for line in _lines(text):
        left, arrow, right = line.partition("=>")
        for word in left.split():
            others = right.split() if arrow else left.split()
            table[word.lower()].update(dict.fromkeys(other.lower() for other in others if other != word))
    return {word: tuple(others) for word, others in table.items()}


def shipped_lexicon() -> Lexicon:
    """The lexicon that comes with the product."""
    here = files(__name__)
    words, synonyms, stopwords = (
        here.joinpath(name).read_text("utf-8") for name in ("words.txt", "synonyms.txt", "stopwords.txt")
    )
    return parse_lexicon(words, synonyms, stopwords)


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            yield line


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
