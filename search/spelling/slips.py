"""Wrong, doubled, missing and exchanged Han characters, corrected only where nothing attests what was typed.

A noisy channel: Kernighan, Church and Gale, "A Spelling Correction Program Based on a Noisy Channel Model" (1990).
A reading is taken when the likelihood of its word outweighs that of the typed words and the cost of the slip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

from search.spelling.common import CommonWords, look_alikes
from search.spelling.likelihood import Likelihood
from search.spelling.reading import Change, Edit, How
from search.spelling.sounds import loose_key
from search.spelling.vocabulary import LONGEST_WORD, Vocabulary, starting

IsWord = Callable[[str], bool]
SIZES = range(2, 5)
PASSES = 3
READINGS = 2
SPELLINGS = 8
FUNCTION = frozenset(
    "的地得了着过是我你他她它们在有和与就都也还又再很不没这那哪吗呢吧啊呀嘛个些么什谁几"  # small words
    "一二两三四五六七八九十百千万"
)
"""Characters that stand beside anything: a pair with one of them says nothing about a slip."""
LOG_COST = {
    How.SOUND: 9.0,
    How.DOUBLED: 5.0,
    How.MISSING: 9.0,
    How.SHAPE: 8.5,
    How.ORDER: 13.0,
    How.LIKE_SOUND: 13.0,
}
"""How much likelier, as a log, a reading must be than what is typed, by how seldom people slip that way."""
LOG_PAIR = 2.5
"""What one more attested pair of neighbours is worth."""
LOG_KEPT = 2.5
"""What each character of a word is worth beyond two: the more of it is there, the less it is there by chance."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of Han: for each pair of neighbours whether it is attested, for each character whether it may be wrong."""

    text: str
    seen: Sequence[bool]
    free: Sequence[bool]


@dataclass(frozen=True, slots=True)
class _Proposal:
    start: int
    end: int
    read: str
    how: How
    gain: float


class SlipReader:
    """Corrects Han towards the words of one vocabulary and one audience."""

    def __init__(self, vocabulary: Vocabulary, common: CommonWords, likelihood: Likelihood) -> None:
        self._vocabulary = vocabulary
        self._common = common
        self._counts = vocabulary.counts
        self._likelihood = likelihood
        self._look_alikes = look_alikes()

    def edits(self, text: str, is_word: IsWord) -> list[Edit]:
        """Corrections of one run of Han, in order."""
        seen = [self._vocabulary.pair(text[i : i + 2]) for i in range(len(text) - 1)]
        if all(seen):
            return []
        run = self._attested(text, seen, is_word)
        chosen: list[_Proposal] = []
        for proposal in sorted(self._proposals(run), key=self._rank):
            if all(proposal.end <= other.start or other.end <= proposal.start for other in chosen):
                chosen.append(proposal)
        chosen.sort(key=lambda proposal: proposal.start)
        return [Edit(p.start, p.end, Change(text[p.start : p.end], p.read, p.how)) for p in chosen]

    def _rank(self, proposal: _Proposal) -> tuple[float, int, int]:
        return -proposal.gain, -self._counts[proposal.read], proposal.start

    def _attested(self, text: str, seen: Sequence[bool], is_word: IsWord) -> _Run:
        """Pairs and characters with what dictionary and vocabulary say about them."""
        pairs, free = list(seen), [True] * len(text)
        for start in range(len(text) - 1):
            for end in range(start + 2, min(len(text), start + LONGEST_WORD) + 1):
                if text[start:end] in self._counts or is_word(text[start:end]):
                    pairs[start : end - 1] = [True] * (end - 1 - start)
                    free[start:end] = [False] * (end - start)
        return _Run(text, pairs, free)

    def _proposals(self, run: _Run) -> Iterator[_Proposal]:
        for start in range(len(run.text) - 1):
            for size in SIZES:
                end = start + size
                if end <= len(run.text) and any(run.free[start:end]) and not all(run.seen[start : end - 1]):
                    yield from self._window(run, start, end)

    def _window(self, run: _Run, start: int, end: int) -> Iterator[_Proposal]:
        window = run.text[start:end]
        if len(window) == 2 and FUNCTION & set(window):
            return
        as_typed: float | None = None
        for read, how in self._readings(window, run.free[start:end]):
            pairs = self._gain(run, start, end, read)
            if pairs > 0:
                as_typed = self._typed(window) if as_typed is None else as_typed
                evidence = LOG_PAIR * (pairs - 1) + LOG_KEPT * (len(read) - 2)
                gain = self._likelihood.of(read) - as_typed + evidence - LOG_COST[how]
                if gain > 0:
                    yield _Proposal(start, end, read, how, gain)

    def _typed(self, window: str) -> float:
        """The log probability of a window as the likeliest words that it falls into."""
        best = [0.0]
        for end in range(1, len(window) + 1):
            cuts = ((start, window[start:end]) for start in range(end))
            best.append(max(best[i] + self._likelihood.of(p) for i, p in cuts if len(p) == 1 or p in self._counts))
        return best[-1]

    def _gain(self, run: _Run, start: int, end: int, read: str) -> int:
        """How many more pairs of neighbours are attested when `start`..`end` is read as a word."""
        before = run.seen[max(start - 1, 0) : end].count(False)
        after = 0
        if start > 0:
            after += not self._beside(run, start - 1, run.text[start - 1] + read[0])
        if end < len(run.text):
            after += not self._beside(run, end - 1, read[-1] + run.text[end])
        return before - after

    def _beside(self, run: _Run, at: int, pair: str) -> bool:
        return run.seen[at] if run.text[at : at + 2] == pair else self._vocabulary.pair(pair)

    def _readings(self, window: str, free: Sequence[bool]) -> Iterator[tuple[str, How]]:
        for read in self._exchanged(window, free):
            yield from self._if_known(read, How.ORDER)
        for read in self._looking(window, free):
            yield from self._if_known(read, How.SHAPE)
        for read, how in self._sounding(window):
            changed = [i for i, (a, b) in enumerate(zip(window, read, strict=True)) if a != b]
            if 0 < len(changed) <= len(window) // 2 and all(free[i] for i in changed):
                yield read, how
        yield from self._doubled(window)
        if all(free):
            yield from self._missing(window)

    def _exchanged(self, window: str, free: Sequence[bool]) -> Iterator[str]:
        for i in range(len(window) - 1):
            if free[i] and free[i + 1]:
                yield window[:i] + window[i + 1] + window[i] + window[i + 2 :]

    def _looking(self, window: str, free: Sequence[bool]) -> Iterator[str]:
        for i, char in enumerate(window):
            for other in self._look_alikes.get(char, "") if free[i] else "":
                yield window[:i] + other + window[i + 1 :]

    def _sounding(self, window: str) -> Iterator[tuple[str, How]]:
        readings = [self._common.characters.get(char, ())[:READINGS] for char in window]
        for sounds in islice(product(*readings), SPELLINGS):
            same = self._vocabulary.by_key.get("".join(sounds), ())
            for read in self._vocabulary.by_loose_key.get(loose_key(sounds), ()):
                if len(read) == len(window):
                    yield from self._if_known(read, How.SOUND if read in same else How.LIKE_SOUND)

    def _doubled(self, window: str) -> Iterator[tuple[str, How]]:
        for i in range(len(window) - 1):
            if window[i] == window[i + 1]:
                yield from self._if_known(window[:i] + window[i + 1 :], How.DOUBLED)

    def _missing(self, window: str) -> Iterator[tuple[str, How]]:
        """Words of one more character that begin and end like the window."""
        for word in starting(self._vocabulary.sorted_words, window[0]):
            inner = any(word[:i] + word[i + 1 :] == window for i in range(1, len(word) - 1))
            if len(word) == len(window) + 1 and inner:
                yield from self._if_known(word, How.MISSING)

    def _if_known(self, word: str, how: How) -> Iterator[tuple[str, How]]:
        if word in self._counts and len(word) > 1:
            yield word, how
