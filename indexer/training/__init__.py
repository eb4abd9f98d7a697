"""Training of the static sentence encoder: `train(TrainConfig(...))` writes a model folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from indexer.training.batches import Encode, prepare
from indexer.training.corpus import Corpus, OwnData, read_own
from indexer.training.export import save_learnt, save_model
from indexer.training.fit import FitConfig, Mixture, Start, fit
from indexer.training.public import read_public
from indexer.training.variants import Homophones, variant
from indexer.training.vocabulary import Vocabulary, VocabularySize, build_vocabulary, make_tokenizer
from indexer.training.warmup import cooccurrence_vectors
from search.analysis import Analyzer
from search.errors import SearchError
from search.lexicon import shipped_lexicon
from search.types import FloatArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Progress = Callable[[str, int, int], None]
RARITY = 1e-3
"""The a of a / (a + p(token)), the weight of frequent tokens at the start (Arora et al. 2017, SIF)."""


def silent(stage: str, done: int, total: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What to train from and where to write.

    `data` is a folder with the public sets that the model card lists, None for the project's own texts
    alone. `out` is the model folder; files of a model that is already there are replaced.
    `progress(stage, done, total)` is called as the work goes on.
    """

    data: Path | None
    out: Path
    seed: int = 7
    dimension: int = 256
    size: VocabularySize = field(default_factory=VocabularySize)
    fit: FitConfig = field(default_factory=FitConfig)
    own: OwnData = field(default_factory=OwnData)
    progress: Progress = silent


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What was made: rows, groups and documents learnt from, SHA-256 of what was read, bytes and seconds."""

    out: Path
    tokens: int
    dimension: int
    groups: dict[str, int]
    documents: int
    hashes: dict[str, str]
    size: int
    seconds: float


def train(config: TrainConfig) -> TrainReport:
    """Train the static encoder and write it to `config.out`.

    The same data, seed, package versions and number of threads give the same files. Raises SearchError
    when the data cannot be read.
    """
    began = time.monotonic()
    analyzer = Analyzer(shipped_lexicon())
    corpus = _read(config, analyzer)
    config.progress("vocabulary", 0, 1)
    vocabulary = build_vocabulary(corpus.documents, lambda text: _words(text, analyzer), config.size)
    tokenizer = make_tokenizer(vocabulary)
    encode = _encoder(tokenizer)
    config.progress("co-occurrence", 0, 1)
    start = _start(encode(corpus.documents), vocabulary, config)
    rows = _fit(corpus, vocabulary, encode, start, config)
    save_model(config.out, tokenizer, rows)
    service = (group for source in corpus.sources if source.service for group in source.groups)
    save_learnt(config.out, (text for group in service for text in group.asked))
    groups = {source.name: len(source.groups) for source in corpus.sources}
    size = sum(file.stat().st_size for file in config.out.iterdir() if file.is_file())
    seconds = time.monotonic() - began
    return TrainReport(
        config.out, len(rows), config.dimension, groups, len(corpus.documents), dict(corpus.hashes), size, seconds
    )


def _read(config: TrainConfig, analyzer: Analyzer) -> Corpus:
    config.progress("reading", 0, 1)
    if config.data is not None and not config.data.is_dir():
        raise SearchError(f"no such data folder: {config.data}", "Leave it out to train from the project's own texts.")
    corpus = read_own(config.own)
    if config.data is not None:
        read_public(config.data, corpus)
    return corpus.folded(analyzer.fold)


def _words(text: str, analyzer: Analyzer) -> list[str]:
    """All words of a text: stop words too, as 怎么 and 多久 say what is asked."""
    return [token.text for token in analyzer.tokens(text)]


def _encoder(tokenizer: Tokenizer) -> Encode:
    return lambda texts: [e.ids for e in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def _start(documents: list[list[int]], vocabulary: Vocabulary, config: TrainConfig) -> Start:
    tokens = list(vocabulary.counts)
    vectors = cooccurrence_vectors(documents, len(tokens), config.dimension, config.seed)
    frequency = np.bincount(np.concatenate([np.asarray(d, dtype=np.int64) for d in documents]), minlength=len(tokens))
    rarity = RARITY / (RARITY + frequency / frequency.sum())
    rows: FloatArray = (vectors * rarity[:, None]).astype(np.float32)
    return Start(rows, share_characters(tokens), _spellings(tokens, vocabulary))


def share_characters(tokens: list[str]) -> Mixture:
    """The characters that words share; a token of ASCII is made of none."""
    numbers: dict[str, int] = {}
    triples = [
        (row, numbers.setdefault(character, len(numbers)), 1 / len(token))
        for row, token in enumerate(tokens)
        if not token.isascii()
        for character in token
    ]
    return mixture(triples, len(numbers))


def _spellings(tokens: list[str], vocabulary: Vocabulary) -> Mixture:
    row = {token: number for number, token in enumerate(tokens)}
    readings = vocabulary.readings.items()
    return mixture([(row[s], row[t], share) for s, read in readings for t, share in read], len(tokens))


def mixture(triples: list[tuple[int, int, float]], parts: int) -> Mixture:
    """Of (row, part, share) triples."""
    whole, part, share = np.array(triples, dtype=np.float64).reshape(-1, 3).T
    return Mixture(whole.astype(np.int64), part.astype(np.int64), share.astype(np.float32), parts)


def _fit(corpus: Corpus, vocabulary: Vocabulary, encode: Encode, start: Start, config: TrainConfig) -> FloatArray:
    rng = np.random.default_rng(config.seed)
    homophones = Homophones.of(vocabulary.counts)
    material = prepare(corpus, encode, lambda text: variant(text, homophones, rng))
    how = replace(config.fit, seed=config.seed)
    rows = fit(material, start, how, lambda done: config.progress("training", done, how.steps))
    # Row 0 stands for what no token covers and must not move a text.
    rows[0] = 0
    return rows


__all__ = ["FitConfig", "OwnData", "TrainConfig", "TrainReport", "VocabularySize", "train"]
