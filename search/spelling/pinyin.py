"""Letters to Han: full pinyin by the likeliest words, initials by what titles say."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import nlargest
from itertools import accumulate, islice

from search.spelling.common import CommonWords
from search.spelling.likelihood import Likelihood
from search.spelling.sounds import NO_INITIAL
from search.spelling.vocabulary import Line, Vocabulary, is_han, starting

LONGEST_RUN = 120
LONGEST_KEY = 24
LONGEST_INITIALS = 8
BEAM = 3
HOMOPHONES = 4
"""Words of the index, and as many of common use, that are tried for one key."""
JOINED = 2.0
"""Log bonus where two words stand side by side in the index."""
UNFINISHED = 4.0
"""Log malus of a word of which only a part is typed."""
OTHERS = 2
SCANNED = 400
"""Places in titles looked at for one run of initials."""


@dataclass(frozen=True, slots=True)
class Path:
    """Words read so far, each with its letters, and their log probability; `last` is the character before the next."""

    score: float
    last: str
    words: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The words as one text."""
        return "".join(word for word, _ in self.words)


@dataclass(frozen=True, slots=True)
class Letters:
    """A run of letters: `cuts` are where a syllable must end, the neighbours what stands directly beside it."""

    text: str
    cuts: frozenset[int] = frozenset()
    before: str = ""
    after: str = ""
    unfinished: bool = False


class PinyinReader:
    """Reads letters as Han words of one vocabulary and one audience."""

    def __init__(self, vocabulary: Vocabulary, common: CommonWords, likelihood: Likelihood) -> None:
        self._vocabulary = vocabulary
        self._common = common
        self._likelihood = likelihood

    @cached_property
    def _titles(self) -> _Titles:
        return _Titles(self._vocabulary.lines)

    def read(self, letters: Letters) -> Path | None:
        """The likeliest words for a run of pinyin, None where it cannot be read to its end."""
        text = letters.text
        if len(text) > LONGEST_RUN:
            return None
        paths: list[list[Path]] = [[] for _ in range(len(text) + 1)]
        paths[0] = [Path(0.0, letters.before)]
        for start in range(len(text)):
            lead = nlargest(BEAM, paths[start], key=lambda path: path.score)
            for end, word, malus in self._edges(letters, start) if lead else ():
                paths[end].append(self._joined(lead, word, text[start:end], malus))
        ends = (self._ended(path, letters.after) for path in paths[-1])
        best = max(ends, key=lambda path: path.score, default=None)
        return best if best and self._makes_sense(best) else None

    def _makes_sense(self, path: Path) -> bool:
        """Several characters of which no two belong together are no reading but a foreign word."""
        text = path.text
        return (
            len(path.words) == 1
            or len(path.words) < len(text)
            or any(self._vocabulary.pair(text[i : i + 2]) for i in range(len(text) - 1))
        )

    def others(self, word: str, letters: str) -> tuple[str, ...]:
        """Further words of the index for the same keys."""
        same = self._vocabulary.by_key.get(letters, ())
        return tuple(other for other in same if other != word)[:OTHERS]

    def initials(self, letters: Letters) -> tuple[str, ...]:
        """Readings of initials, best first, at most three."""
        text = letters.text
        half_typed = letters.unfinished and text in ("zh", "ch", "sh")
        if half_typed or not 2 <= len(text) <= LONGEST_INITIALS or NO_INITIAL & set(text):
            return ()
        counts = self._titles.phrases(text) or self._titles.apart(text)
        scores = {phrase: 2 * math.log1p(count) for phrase, count in counts.items()}
        for word in self._vocabulary.by_initials.get(text, ())[:20]:
            scores[word] = scores.get(word, 0.0) + math.log1p(self._vocabulary.counts[word])
        fitting = {phrase: score + self._beside(letters, phrase) for phrase, score in scores.items()}
        return tuple(nlargest(1 + OTHERS, fitting, key=lambda phrase: (fitting[phrase], phrase)))

    def _beside(self, letters: Letters, phrase: str) -> float:
        """Bonus where a phrase meets what stands beside its letters."""
        before = self._joint(letters.before + phrase[0]) if letters.before else 0.0
        return before + (self._joint(phrase[-1] + letters.after) if letters.after else 0.0)

    def _edges(self, letters: Letters, start: int) -> Iterator[tuple[int, str, float]]:
        text, size = letters.text, len(letters.text)
        for end in range(start + 1, min(size, start + LONGEST_KEY) + 1):
            cuts = [cut - start for cut in letters.cuts if start < cut < end]
            for word in self._words(text[start:end], cuts):
                yield end, word, 0.0
        if letters.unfinished and 1 < size - start <= LONGEST_KEY:
            for word in self._begun(text[start:]):
                yield size, word, UNFINISHED

    def _words(self, key: str, cuts: Sequence[int]) -> Iterator[str]:
        """Words for some letters, those of the index first, with a syllable ending at every cut."""
        for known in (self._vocabulary.by_key.get(key, ()), self._common.by_key.get(key, ())):
            yield from islice((word for word in known if not cuts or self._fits(word, cuts)), HOMOPHONES)

    def _begun(self, letters: str) -> list[str]:
        keys = starting(self._vocabulary.sorted_keys, letters)
        words = [word for key in keys for word in self._vocabulary.by_key[key]]
        words += [w for key in starting(self._common.sorted_keys, letters) for w in self._common.by_key[key][:1]]
        return nlargest(OTHERS, dict.fromkeys(words), key=lambda word: (self._likelihood.of(word), word))

    def _fits(self, word: str, cuts: Sequence[int]) -> bool:
        """Whether no syllable of the word runs over a space that was typed."""
        return set(accumulate(map(len, self._syllables(word)))).issuperset(cuts)

    def _syllables(self, word: str) -> Sequence[str]:
        if word in self._common.sounds:
            return self._common.sounds[word].split("'")
        return [self._common.characters.get(char, ("",))[0] for char in word]

    def _joined(self, paths: Sequence[Path], word: str, letters: str, malus: float) -> Path:
        """The best of `paths` with one more word: what follows sees no more of it than its last character."""
        joints = [path.score + self._joint(path.last + word[0]) for path in paths]
        score = max(joints)
        path = paths[joints.index(score)]
        return Path(score + self._likelihood.of(word) - malus, word[-1], (*path.words, (word, letters)))

    def _ended(self, path: Path, after: str) -> Path:
        return Path(path.score + self._joint(path.last + after), path.last, path.words)

    def _joint(self, pair: str) -> float:
        return JOINED if len(pair) == 2 and self._vocabulary.pair(pair) else 0.0


class _Titles:
    """Titles and questions by their initials, in one string that is scanned."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._initials = "\n".join(line.initials for line in lines)
        self._characters = "\n".join(line.characters for line in lines)
        self._marks = "\n".join(line.marks for line in lines)

    def phrases(self, initials: str) -> Counter[str]:
        """Whole words in a row that begin with these letters, with how often they stand in titles."""
        found: Counter[str] = Counter()
        at = self._initials.find(initials)
        for _ in range(SCANNED):
            if at < 0:
                break
            found.update(self._phrase(at, at + len(initials)))
            at = self._initials.find(initials, at + 1)
        return found

    def apart(self, initials: str) -> Counter[str]:
        """Two phrases of one title, in this order, that begin with these letters."""
        found: Counter[str] = Counter()
        for cut in range(2, len(initials) - 1):
            pattern = re.compile(f"{initials[:cut]}(?=[^\n]{{1,30}}?({initials[cut:]}))")
            for _, match in zip(range(SCANNED), pattern.finditer(self._initials), strict=False):
                pair = self._phrase(match.start(), match.end()), self._phrase(match.start(1), match.end(1))
                found.update(first + second for first in pair[0] for second in pair[1])
        return found

    def _phrase(self, start: int, end: int) -> Iterator[str]:
        text = self._characters[start:end]
        if is_han(text) and self._marks[start] in "23" and self._marks[end - 1] in "13":
            yield text


__all__ = ["Letters", "Path", "PinyinReader"]
