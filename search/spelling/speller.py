"""Reads a question: letters first, then Han, then what is only begun."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

from search.spelling.common import common_words
from search.spelling.latin import LatinReader
from search.spelling.likelihood import Likelihood
from search.spelling.reading import Edit, Reading, Typed, apply
from search.spelling.slips import PASSES, IsWord, SlipReader
from search.spelling.vocabulary import LONGEST_WORD, Vocabulary, is_han, starting
from search.types import Audience

LONGEST = 200
"""Longer texts are pasted rather than typed; they are taken as they are."""
_HAN = re.compile(r"[\u3400-\u9fff]{2,}")


class Speller:
    """Reads questions by what one generation attests; threads may share it.

    What an audience is led to comes from texts it may read.
    """

    def __init__(self, vocabularies: Mapping[Audience, Vocabulary]) -> None:
        self._readers = {audience: _Readers(vocabulary) for audience, vocabulary in vocabularies.items()}

    def read(self, typed: Typed, audience: Audience, is_word: IsWord) -> Reading:
        """How a question is read; `is_word` says what the dictionary knows."""
        if len(typed.text) > LONGEST or not typed.text.strip():
            return Reading(typed.text)
        return self._readers[audience].read(typed, is_word)


class _Readers:
    """The readers of one audience, made when first asked."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    @cached_property
    def _likelihood(self) -> Likelihood:
        return Likelihood(common_words(), self._vocabulary)

    @cached_property
    def _latin(self) -> LatinReader:
        return LatinReader(self._vocabulary, common_words(), self._likelihood)

    @cached_property
    def _slips(self) -> SlipReader:
        return SlipReader(self._vocabulary, common_words(), self._likelihood)

    def read(self, typed: Typed, is_word: IsWord) -> Reading:
        edits = self._latin.edits(typed)
        text, changes = apply(typed.text, edits), [edit.change for edit in edits]
        for _ in range(PASSES):
            edits = self._han(text, is_word)
            if not edits:
                break
            text, changes = apply(text, edits), changes + [edit.change for edit in edits]
        return Reading(text, tuple(changes), self._begun(text, is_word) if typed.unfinished else "")

    def _han(self, text: str, is_word: IsWord) -> list[Edit]:
        return [
            Edit(run.start() + edit.start, run.start() + edit.end, edit.change)
            for run in _HAN.finditer(text)
            for edit in self._slips.edits(run[0], is_word)
        ]

    def _begun(self, text: str, is_word: IsWord) -> str:
        """The most frequent word that begins with a last character that ends no word."""
        last = text[-1]
        ends = (text[-size:] for size in range(2, min(len(text), LONGEST_WORD) + 1))
        if not is_han(last) or any(end in self._vocabulary.counts or is_word(end) for end in ends):
            return ""
        words = (word for word in starting(self._vocabulary.sorted_words, last) if len(word) > 1)
        return max(words, key=lambda word: (self._vocabulary.counts[word], word), default="")
