"""Runs of letters in a question: which are words, which are pinyin, initials, slips or only begun."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from search.spelling.common import CommonWords, english_words
from search.spelling.english import EnglishReader
from search.spelling.likelihood import Likelihood
from search.spelling.pinyin import LONGEST_RUN, Letters, PinyinReader
from search.spelling.reading import Change, Edit, How, Typed
from search.spelling.sounds import is_spelled
from search.spelling.vocabulary import Vocabulary, is_han

# Letters of codes, addresses and file names are not words; a number may stand directly before one.
_RUN = re.compile(r"(?<![a-z_.@/:\\&-])[a-z]++(?:[ ']++[a-z]++)*+(?![0-9_@/:\\-]|\.[a-z0-9])")
_TOKEN = re.compile("[a-z]+")
SHORTEST_BEGUN = 3


@dataclass(frozen=True, slots=True)
class _Token:
    """A run of letters and whether it may be pinyin, is a word anyway, and is still being typed."""

    text: str
    start: int
    end: int
    spelled: bool
    known: bool
    last: bool


class LatinReader:
    """Reads the letters of a question for one audience."""

    def __init__(self, vocabulary: Vocabulary, common: CommonWords, likelihood: Likelihood) -> None:
        self._words = vocabulary.latin
        self._syllables = common.syllables
        self._pinyin = PinyinReader(vocabulary, common, likelihood)
        self._english = EnglishReader(vocabulary)

    def edits(self, typed: Typed) -> list[Edit]:
        """What is read otherwise."""
        return [edit for run in _RUN.finditer(typed.text) for edit in self._run(typed, run)]

    def _run(self, typed: Typed, run: re.Match[str]) -> Iterator[Edit]:
        text = typed.text
        tokens = [self._token(match, typed) for match in _TOKEN.finditer(text, *run.span())]
        for spelled, group in groupby(tokens, key=lambda token: token.spelled):
            own = list(group)
            if not spelled:
                yield from (edit for token in own if not token.known for edit in self._unspelled(text, token))
            elif not all(token.known for token in own):
                yield from self._pinyin_edit(text, own)

    def _token(self, match: re.Match[str], typed: Typed) -> _Token:
        text = match[0]
        spelled = len(text) <= LONGEST_RUN and is_spelled(text, self._syllables)
        known = len(text) == 1 or text in typed.capitals or text in english_words() or text in self._words
        last = typed.unfinished and match.end() == len(typed.text)
        return _Token(text, match.start(), match.end(), spelled, known, last)

    def _pinyin_edit(self, text: str, tokens: Sequence[_Token]) -> Iterator[Edit]:
        start, end = tokens[0].start, tokens[-1].end
        path = self._pinyin.read(_letters(text, tokens))
        if path is None:
            return
        others = [(word, other) for word, keys in path.words for other in self._pinyin.others(word, keys)]
        yield Edit(start, end, Change(text[start:end], path.text, How.PINYIN, tuple(others)))

    def _unspelled(self, text: str, token: _Token) -> Iterator[Edit]:
        change = self._begun(text, token) or self._slip(token) or self._initials(text, token)
        if change:
            yield Edit(token.start, token.end, change)

    def _begun(self, text: str, token: _Token) -> Change | None:
        if not token.last or len(token.text) < SHORTEST_BEGUN:
            return None
        if word := self._english.finish(token.text):
            return Change(token.text, word, How.UNFINISHED)
        path = self._pinyin.read(_letters(text, [token]))
        return Change(token.text, path.text, How.UNFINISHED) if path else None

    def _slip(self, token: _Token) -> Change | None:
        word = self._english.correct(token.text)
        return Change(token.text, word, How.ENGLISH) if word else None

    def _initials(self, text: str, token: _Token) -> Change | None:
        readings = self._pinyin.initials(_letters(text, [token]))
        if not readings:
            return None
        others = tuple((readings[0], other) for other in readings[1:])
        return Change(token.text, readings[0], How.INITIALS, others)


def _letters(text: str, tokens: Sequence[_Token]) -> Letters:
    start, end = tokens[0].start, tokens[-1].end
    before, after = text[max(start - 1, 0) : start], text[end : end + 1]
    return Letters(
        text="".join(token.text for token in tokens),
        cuts=frozenset(accumulate(len(token.text) for token in tokens[:-1])),
        before=before if is_han(before) else "",
        after=after if is_han(after) else "",
        unfinished=tokens[-1].last,
    )
