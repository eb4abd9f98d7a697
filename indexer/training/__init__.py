"""Training of the static sentence encoder: `train(TrainConfig(...))` writes a model folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from indexer.training.batches import Encode, prepare
from indexer.training.card import TrainReport, card
from indexer.training.corpus import Corpus, Fold, OwnData, read_own
from indexer.training.export import MODEL_FILES, save_model
from indexer.training.fit import FitConfig, fit
from indexer.training.measure import measure
from indexer.training.public import read_public
from indexer.training.variants import Homophones, variant
from indexer.training.vocabulary import Vocabulary, VocabularySize, build_vocabulary, make_tokenizer
from indexer.training.warmup import starting_rows
from search.analysis import Analyzer
from search.encoder import load_encoder
from search.errors import SearchError
from search.lexicon import shipped_lexicon
from search.types import FloatArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Progress = Callable[[str, int, int], None]


def _silent(stage: str, done: int, total: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What to train from and where to write.

    `data` is a folder with the public sets that the model card lists, None for the project's own texts
    alone. `out` is the model folder; files of a model that is already there are replaced.
    """

    data: Path | None
    out: Path
    seed: int = 7
    dimension: int = 256
    size: VocabularySize = field(default_factory=VocabularySize)
    fit: FitConfig = field(default_factory=FitConfig)
    own: OwnData = field(default_factory=OwnData)


@dataclass(frozen=True, slots=True)
class _Inputs:
    vocabulary: Vocabulary
    encode: Encode


def train(config: TrainConfig, progress: Progress = _silent) -> TrainReport:
    """Train the static encoder and write it, with its card, to `config.out`.

    The same data, seed, package versions and number of threads give the same files. `progress(stage, done,
    total)` is called as the work goes on, with total 0 where it is unknown. Raises SearchError when the
    data cannot be read.
    """
    began = time.monotonic()
    analyzer = Analyzer(shipped_lexicon())
    progress("reading", 0, 0)
    corpus = _read(config).folded(analyzer.fold)
    progress("vocabulary", 0, 0)
    vocabulary = build_vocabulary(corpus.documents, lambda text: _words(text, analyzer), config.size)
    tokenizer = make_tokenizer(vocabulary)
    progress("co-occurrence", 0, 0)
    rows = _fit(corpus, _Inputs(vocabulary, _encoder(tokenizer)), config, progress)
    save_model(config.out, tokenizer, rows)
    report = _report(corpus, rows, config, analyzer.fold)
    (config.out / "README.md").write_text(card(report), encoding="utf-8")
    return replace(report, seconds=round(time.monotonic() - began, 1))


def _report(corpus: Corpus, rows: FloatArray, config: TrainConfig, fold: Fold) -> TrainReport:
    return TrainReport(
        out=str(config.out),
        tokens=len(rows),
        dimension=config.dimension,
        groups={source.name: len(source.groups) for source in corpus.sources},
        documents=len(corpus.documents),
        hashes=dict(corpus.hashes),
        size=sum((config.out / name).stat().st_size for name in MODEL_FILES),
        seconds=0.0,
        figures=measure(load_encoder(str(config.out)), fold, config.data) if config.data else {},
    )


def _read(config: TrainConfig) -> Corpus:
    if config.data is not None and not config.data.is_dir():
        raise SearchError(f"no such data folder: {config.data}", "Leave it out to train from the project's own texts.")
    corpus = read_own(config.own)
    if config.data is not None:
        read_public(config.data, corpus)
    return corpus


def _words(text: str, analyzer: Analyzer) -> list[str]:
    """All words of a text: stop words too, as 怎么 and 多久 say what is asked."""
    return [token.text for token in analyzer.tokens(text)]


def _encoder(tokenizer: Tokenizer) -> Encode:
    return lambda texts: [e.ids for e in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def _fit(corpus: Corpus, inputs: _Inputs, config: TrainConfig, progress: Progress) -> FloatArray:
    rng = np.random.default_rng(config.seed)
    homophones = Homophones.of(inputs.vocabulary.counts)
    material = prepare(corpus, inputs.encode, lambda text: variant(text, homophones, rng))
    start = starting_rows(inputs.encode(corpus.documents), inputs.vocabulary, config.dimension, config.seed)
    how = replace(config.fit, seed=config.seed)
    rows = fit(material, start, how, lambda done: progress("training", done, how.steps))
    # Row 0 stands for what no token covers and must not move a text.
    rows[0] = 0
    return rows


__all__ = ["FitConfig", "OwnData", "TrainConfig", "TrainReport", "VocabularySize", "train"]
