"""Text to terms: the one analysis for writing and asking.

NFKC, lower case, traditional to simplified, jieba segmentation in search mode with the project's
lexicon, codes whole and in parts, English stems, synonyms when asking.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import local
from typing import TYPE_CHECKING, NamedTuple

from search.errors import AnalysisUnavailable
from search.lexicon import Lexicon

if TYPE_CHECKING:
    from rjieba import Jieba

VERSION = "1"
"""Raise when the terms of an unchanged text change: indexes made before are then rebuilt."""

SYNONYM_WEIGHT = 0.4
_RUN = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*|[\u3400-\u9fff\U00020000-\U0003134f]+")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_CODE_PART = re.compile(r"[a-z]+|[0-9]+")
_NARROW = {0x3000: " "} | {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
"""Full width to half width, which NFKC does as well: punctuation is full width in nearly every Chinese text."""
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ud800-\udfff"
    r"\U000e0000-\U000e007f]"
)


class Token(NamedTuple):
    """A term and the half-open character range it came from."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Term:
    """A term to look for; `asked` is the word of the question that led to it, "" for words of the context."""

    text: str
    weight: float
    asked: str


class Analyzer:
    """Analysis under one lexicon. Thread-safe after construction."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        jieba = _jieba(lexicon)
        self._segment = _segmenter(jieba)
        self._is_word: Callable[[str], bool] = jieba.has_word
        self._simplify = _converter("t2s")
        self._simplify_phrases = _converter("tw2sp")
        self._stem = _stemmer()
        self._synonyms = {self._stem(w): tuple(map(self._stem, own)) for w, own in lexicon.synonyms.items()}

    @property
    def id(self) -> str:
        """Version and lexicon hash; an index made under another id must be rebuilt."""
        return f"{VERSION}-{self.lexicon.index_hash}"

    def fold(self, text: str) -> str:
        """NFKC, lower case, simplified Chinese, without invisible or control characters."""
        text = _plain(text)
        return text if text.isascii() else self._simplify(text)

    def fold_question(self, text: str) -> str:
        """As `fold`, and in traditional text the words of Taiwan and Hong Kong become those of the mainland."""
        plain = _plain(text)
        folded = plain if plain.isascii() else self._simplify(plain)
        return folded if folded == plain else self._simplify(self._simplify_phrases(plain))

    def is_word(self, folded: str) -> bool:
        """Whether the dictionary or the lexicon has this word."""
        return self._is_word(folded)

    def han_words(self, folded: str) -> set[str]:
        """The Han words of a text that is folded already."""
        return {word for run in _HAN.findall(folded) for word, _, _ in self._segment(run)}

    def folded_tokens(self, folded: str) -> list[Token]:
        """The tokens of a text that is folded already."""
        return list(self._folded_tokens(folded))

    def tokens(self, text: str) -> list[Token]:
        """All tokens, stop words included, with offsets into `text` as given."""
        folded, origin = self._fold_aligned(text)
        if isinstance(origin, range):
            return list(self._folded_tokens(folded))
        return [Token(t.text, origin[t.start], origin[t.end - 1] + 1) for t in self._folded_tokens(folded)]

    def index_terms(self, text: str) -> list[str]:
        """Terms to write, in order, stop words left out."""
        stop = self.lexicon.stopwords
        return [t.text for t in self._folded_tokens(self.fold(text)) if t.text not in stop]

    def query_terms(self, text: str) -> tuple[Term, ...]:
        """Terms to look for: those of the question with weight 1, synonyms with less, each once."""
        return self.weighted_terms(dict.fromkeys(self.index_terms(text), 1.0))

    def weighted_terms(self, asked: Mapping[str, float], others: Iterable[Term] = ()) -> tuple[Term, ...]:
        """Asked terms with their weights, then their synonyms with less, then `others`, each term once."""
        terms = {word: Term(word, weight, word) for word, weight in asked.items()}
        for word, weight in asked.items():
            for other in self._synonyms.get(word, ()):
                terms.setdefault(other, Term(other, SYNONYM_WEIGHT * weight, word))
        for term in others:
            terms.setdefault(term.text, term)
        return tuple(terms.values())

    def _folded_tokens(self, folded: str) -> Iterator[Token]:
        for run in _RUN.finditer(folded):
            if run[0][0].isascii():
                yield from self._code_tokens(run[0], run.start())
            else:
                at = run.start()
                for word, start, end in self._segment(run[0]):
                    yield Token(word, at + start, at + end)

    def _code_tokens(self, code: str, offset: int) -> Iterator[Token]:
        if code.isalpha() or code.isdigit():
            yield Token(self._stem(code), offset, offset + len(code))
            return
        parts = list(_CODE_PART.finditer(code))
        if len(parts) > 1:
            whole = "".join(part[0] for part in parts)
            yield Token(whole, offset, offset + len(code))
        for part in parts:
            yield Token(self._stem(part[0]), offset + part.start(), offset + part.end())

    def _fold_aligned(self, text: str) -> tuple[str, Sequence[int]]:
        """The text folded, and for each of its characters the place in `text` that it came from."""
        narrow = text.translate(_NARROW)
        if unicodedata.is_normalized("NFKC", narrow) and not _INVISIBLE.search(narrow):
            lower = narrow.lower()
            folded = lower if lower.isascii() else self._simplify(lower)
            if len(folded) == len(text):
                # Each character became one: so it is with nearly all texts, and a hundred times faster.
                return folded, range(len(text))
        pairs = [(part, i) for i, char in enumerate(text) for part in _plain_character(char)]
        plain = "".join(part for part, _ in pairs)
        folded = plain if plain.isascii() else self._simplify(plain)
        if len(folded) != len(plain):
            folded = "".join(map(self._simplify, plain))
        return folded, [i for _, i in pairs]


def _plain(text: str) -> str:
    # Invisible characters go first: what they keep apart is composed by NFKC.
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).lower()


_plain_character = lru_cache(maxsize=1 << 16)(_plain)


def merge_spans(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Overlapping or touching half-open spans joined, in order."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _jieba(lexicon: Lexicon) -> Jieba:
    # rjieba is jieba's algorithm and dictionary in Rust, 60 times faster; equal but for rare ties (a test compares).
    from rjieba import Jieba

    jieba = Jieba()
    for word in sorted(lexicon.words):
        jieba.add_word(word, None, None)
    return jieba


def _segmenter(jieba: Jieba) -> Callable[[str], list[tuple[str, int, int]]]:
    def segment(text: str) -> list[tuple[str, int, int]]:
        found: list[tuple[str, int, int]] = jieba.tokenize(text, "search")
        return found

    return segment


def _converter(name: str) -> Callable[[str], str]:
    from opencc import OpenCC

    try:
        convert: Callable[[str], str] = OpenCC(name).convert
    # What the library throws where its dictionaries cannot be read has no class of its own.
    except Exception as error:
        raise AnalysisUnavailable(
            f"the {name} dictionary cannot be read: {error}", "Install the package again."
        ) from error
    return convert


def _stemmer() -> Callable[[str], str]:
    import snowballstemmer

    # A stemmer holds the word it is working on: threads must not share one.
    own = local()

    @lru_cache(maxsize=50_000)
    def stem_word(word: str) -> str:
        if len(word) < 4 or not word.isalpha():
            return word
        if not hasattr(own, "stemmer"):
            own.stemmer = snowballstemmer.stemmer("english")
        return str(own.stemmer.stemWord(word))

    return stem_word


__all__ = ["SYNONYM_WEIGHT", "VERSION", "Analyzer", "Term", "Token", "merge_spans"]
