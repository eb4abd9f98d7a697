"""Batches for the training: texts as numbers, who asks, and what may answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.training.corpus import Corpus, Source
from search.types import BoolArray, IntArray

MOST_TOKENS = 128
Encode = Callable[[Sequence[str]], list[list[int]]]
Vary = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class TokenLists:
    """Token ids of many texts, one after another; text i is `flat[starts[i] : starts[i] + lengths[i]]`."""

    flat: IntArray
    starts: IntArray
    lengths: IntArray

    @staticmethod
    def of(lists: Sequence[Sequence[int]]) -> TokenLists:
        """Pack lists, each cut to the first tokens that count."""
        cut = [ids[:MOST_TOKENS] for ids in lists]
        lengths = np.array([len(ids) for ids in cut], dtype=np.int64)
        flat = np.array([i for ids in cut for i in ids], dtype=np.int64)
        return TokenLists(flat, np.cumsum(lengths) - lengths, lengths)

    def gather(self, texts: IntArray) -> tuple[IntArray, IntArray]:
        """The ids of several texts in one array, and where each begins in it."""
        lengths = self.lengths[texts]
        begins = np.cumsum(lengths) - lengths
        places = np.arange(lengths.sum()) + np.repeat(self.starts[texts] - begins, lengths)
        return self.flat[places], begins


@dataclass(frozen=True, slots=True)
class Part:
    """One source's contribution to a batch; row i asks what column block i (of `keys` texts) answers."""

    source: Source
    asked: IntArray
    answers: IntArray

    def itself(self) -> BoolArray:
        """(row, answer) pairs of one and the same text, to be ignored where the row has another key."""
        same = self.asked[:, None] == self.answers[None]
        own = self.answers.reshape(-1, self.source.keys) == self.asked[:, None]
        hidden: BoolArray = same & ~own.all(axis=1)[:, None]
        return hidden


@dataclass(frozen=True, slots=True)
class _Ragged:
    """Lists of numbers of unequal length, drawn from at random."""

    flat: IntArray
    starts: IntArray
    lengths: IntArray

    @staticmethod
    def of(lists: Sequence[Sequence[int]]) -> _Ragged:
        lengths = np.array([len(numbers) for numbers in lists], dtype=np.int64)
        return _Ragged(np.concatenate([np.asarray(n) for n in lists]), np.cumsum(lengths) - lengths, lengths)

    def draw(self, which: IntArray, rng: np.random.Generator) -> IntArray:
        return self.flat[self.starts[which] + (rng.random(len(which)) * self.lengths[which]).astype(np.int64)]

    def firsts(self, which: IntArray) -> IntArray:
        return self.flat[self.starts[which]]


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws from one source: some of its groups, one text that asks and `keys` that may answer."""

    source: Source
    asked: _Ragged
    answers: _Ragged

    def draw(self, batch: int, rng: np.random.Generator) -> Part:
        """At most `share * batch` groups."""
        source = self.source
        number = max(2, int(source.share * batch))
        which = rng.permutation(len(source.groups))[:number].astype(np.int64)
        drawn = [self.answers.draw(which, rng) for _ in range(source.keys)]
        if source.keys > 2:
            drawn[0] = self.answers.firsts(which)
        answers = np.stack(drawn, axis=1).ravel()
        asked = self.asked.draw(which, rng)
        return Part(source, asked, answers)


@dataclass(frozen=True, slots=True)
class Material:
    """Everything the training draws from, as numbers. `variants[i]` is a mistyped form of text i, or i."""

    tokens: TokenLists
    variants: IntArray
    samplers: tuple[Sampler, ...]
    unrelated: IntArray


class _Numbers:
    """Texts to running numbers, each text once."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self.texts.setdefault(text, len(self.texts))

    def all(self, texts: Sequence[str]) -> list[int]:
        return [self(text) for text in texts]


def prepare(corpus: Corpus, encode: Encode, vary: Vary, rounds: int = 2) -> Material:
    """Number and encode all texts; what people type gets `rounds` mistyped variants."""
    numbers = _Numbers()
    samplers = tuple(_sampler(source, numbers) for source in corpus.sources)
    unrelated = np.array(numbers.all(corpus.unrelated), dtype=np.int64)
    asking = sorted({i for sampler in samplers if sampler.source.typed for i in sampler.asked.flat.tolist()})
    originals = list(numbers.texts)
    varied = [[numbers(vary(originals[i])) for i in asking] for _ in range(rounds)]
    variants = np.tile(np.arange(len(numbers.texts)), (rounds, 1))
    for row, forms in zip(variants, varied, strict=True):
        row[asking] = forms
    tokens = TokenLists.of(encode(list(numbers.texts)))
    variants = np.where(tokens.lengths[variants] > 0, variants, np.arange(len(numbers.texts)))
    return Material(tokens, variants, samplers, unrelated[tokens.lengths[unrelated] > 0])


def _sampler(source: Source, numbers: _Numbers) -> Sampler:
    asked = _Ragged.of([numbers.all(group.asked) for group in source.groups])
    return Sampler(source, asked, _Ragged.of([numbers.all(group.keys) for group in source.groups]))
