"""The vocabulary: Chinese words and characters, English words and their pieces, pinyin, numbers."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

UNKNOWN = "[UNK]"
TOKEN_PATTERN = r"\p{Han}+|[a-z]+|[0-9]+"
_LATIN = re.compile(r"[a-z]+")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_NUMBER = re.compile(r"[0-9]+")
LONGEST_WORD = 6


@dataclass(frozen=True, slots=True)
class VocabularySize:
    """How many tokens of each kind at most; characters, letters and digits come on top."""

    han_words: int = 15_000
    latin_words: int = 7_000
    latin_pieces: int = 1_500
    pinyin: int = 3_500
    numbers: int = 150


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens with their counts (row 0 is unknown), and what each pinyin token can mean.

    `readings[token]` are (Chinese token, share) pairs whose shares sum to one.
    """

    counts: dict[str, float]
    readings: dict[str, list[tuple[str, float]]]


def build_vocabulary(documents: Iterable[str], words: Callable[[str], list[str]], size: VocabularySize) -> Vocabulary:
    """Count words with the analyser's segmentation and keep the most frequent of each kind."""
    han: Counter[str] = Counter()
    latin: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for document in documents:
        han.update(word for word in words(document) if _HAN_RUN.fullmatch(word))
        han.update(char for run in _HAN_RUN.findall(document) for char in run)
        latin.update(_LATIN.findall(document))
        numbers.update(_NUMBER.findall(document))
    chosen = _han_tokens(han, size.han_words)
    english = dict(_top(latin, size.latin_words, least=2))
    pieces = _pieces(latin, english, size.latin_pieces)
    readings = _pinyin_readings(chosen, english, size.pinyin)
    counts = {UNKNOWN: 0.0, **chosen, **pieces, **english}
    counts.update((token, 2.0) for token in readings if token not in counts)
    counts.update(_top(numbers, size.numbers, least=5))
    counts.update((digit, float(numbers[digit] + 1)) for digit in "0123456789")
    return Vocabulary(counts, readings)


def make_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """A unigram tokenizer: the likeliest way to cut each run of Han, letters or digits into tokens.

    Punctuation and symbols are dropped before, so that they weigh nothing in the mean.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    total = sum(vocabulary.counts.values())
    scored = [(token, math.log(max(count, 1.0) / total)) for token, count in vocabulary.counts.items()]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=0, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(TOKEN_PATTERN), behavior="removed", invert=True)
    return tokenizer


def _han_tokens(han: Counter[str], most: int) -> dict[str, float]:
    characters = {token: float(count) for token, count in sorted(han.items()) if len(token) == 1}
    words = Counter({token: count for token, count in han.items() if 1 < len(token) <= LONGEST_WORD})
    return {**characters, **dict(_top(words, most, least=2))}


def _top(counter: Counter[str], most: int, least: int) -> list[tuple[str, float]]:
    # Ties are broken by the token, so that two runs choose the same ones.
    ranked = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return [(token, float(count)) for token, count in ranked[:most] if count >= least]


def _pieces(latin: Counter[str], words: dict[str, float], most: int) -> dict[str, float]:
    """Letters, and the beginnings and ends of the words that found no place."""
    pieces: Counter[str] = Counter()
    for word in latin.keys() - words.keys():
        for length in range(2, min(7, len(word))):
            pieces.update((word[:length], word[-length:]))
    letters = {chr(code): 1.0 for code in range(ord("a"), ord("z") + 1)}
    return {**letters, **{piece: 1.0 for piece, _ in _top(pieces, most, least=2)}}


def _pinyin_readings(han: dict[str, float], taken: dict[str, float], most: int) -> dict[str, list[tuple[str, float]]]:
    from pypinyin import lazy_pinyin

    spelled: dict[str, dict[str, float]] = {}
    for token, count in han.items():
        spelling = "".join(lazy_pinyin(token))
        if spelling.isascii() and spelling.isalpha() and spelling not in taken:
            spelled.setdefault(spelling, {})[token] = count
    frequent = _top(Counter({s: sum(tokens.values()) for s, tokens in spelled.items()}), most, least=1)
    return {spelling: _shares(spelled[spelling]) for spelling, _ in frequent}


def _shares(counts: dict[str, float]) -> list[tuple[str, float]]:
    total = sum(counts.values())
    return [(token, count / total) for token, count in counts.items()]
