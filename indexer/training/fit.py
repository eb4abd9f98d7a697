"""The training itself: one vector per token, so that a question is nearest to what answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.training.batches import Material, Part
from search.types import FloatArray, IntArray

NEVER = -1e4


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How long and how hard to train.

    `scale` divides by temperature; `dropout` is the chance of a token to be left out; `mistyped` of a
    question to be asked in a mistyped form. `turn_rate` is the rate of the matrix that turns all starting
    rows at once and so moves tokens that no pair has. `threshold` is the cosine that what belongs together is to
    exceed and unrelated talk is not to reach, `unrelated` how many of these a step sees. `threads` is
    part of the result: sums are rounded in another order under another number.
    """

    steps: int = 450
    batch: int = 512
    rate: float = 2e-3
    scale: float = 40.0
    dropout: float = 0.2
    mistyped: float = 0.1
    threshold: float = 0.35
    unrelated: int = 256
    unrelated_weight: float = 0.1
    turn_rate: float = 1e-3
    seed: int = 7
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Mixture:
    """Rows that are made of others: row `whole` gets `share` of row `part`, for each triple."""

    whole: IntArray
    part: IntArray
    share: FloatArray
    parts: int

    def sparse(self, rows: int) -> Any:
        """The (rows, parts) matrix as a sparse tensor."""
        import torch

        places = torch.from_numpy(np.stack([self.whole, self.part]))
        share = torch.from_numpy(self.share)
        return torch.sparse_coo_tensor(places, share, (rows, self.parts), check_invariants=True).coalesce()


@dataclass(frozen=True, slots=True)
class Start:
    """Where the rows begin, the characters words share, and the words a spelling stands for."""

    rows: FloatArray
    characters: Mixture
    spellings: Mixture


def fit(material: Material, start: Start, config: FitConfig, progress: Callable[[int], None]) -> FloatArray:
    """The trained (tokens, dimension) rows; equal for equal arguments and number of threads.

    Softmax over groups with the nearest key of each standing for it (InfoNCE, van den Oord et al. 2018,
    with log-sum-exp in place of a single answer), in both directions.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        return _descend(_Trainer(material, start, config), config, progress)
    finally:
        torch.set_num_threads(before)


def _descend(trainer: _Trainer, config: FitConfig, progress: Callable[[int], None]) -> FloatArray:
    import torch

    warm_up = max(1, min(50, config.steps // 8))
    groups = [{"params": [trainer.own, trainer.shared], "lr": config.rate}]
    groups.append({"params": [trainer.turn], "lr": config.turn_rate})
    optimizer = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / warm_up) * (1 - step / config.steps)
    )
    for step in range(config.steps):
        loss = trainer.loss()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        progress(step + 1)
    rows: FloatArray = trainer.table().detach().numpy()
    return rows


class _Trainer:
    """The parameters and the loss of one random batch."""

    def __init__(self, material: Material, start: Start, config: FitConfig) -> None:
        import torch

        self.material, self.config = material, config
        self.rng = np.random.default_rng(config.seed)
        tokens, dimension = start.rows.shape
        self.base = torch.from_numpy(start.rows)
        self.characters = start.characters.sparse(tokens)
        self.spellings = start.spellings.sparse(tokens)
        self.own = torch.zeros(tokens, dimension, requires_grad=True)
        self.shared = torch.zeros(start.characters.parts, dimension, requires_grad=True)
        self.turn = torch.eye(dimension, requires_grad=True)
        self.samplers = material.samplers

    def table(self) -> Any:
        """All rows: start, what the token learnt itself, what its characters and its readings learnt."""
        import torch

        rows = self.base @ self.turn + self.own + torch.sparse.mm(self.characters, self.shared)
        return rows + torch.sparse.mm(self.spellings, rows)

    def loss(self) -> Any:
        """The loss of one batch of every source, each among its own, and of unrelated talk."""
        table = self.table()
        losses = [self._source_loss(table, sampler.draw(self.config.batch, self.rng)) for sampler in self.samplers]
        return sum(losses)

    def _source_loss(self, table: Any, part: Part) -> Any:
        asked = self._vectors(table, self._mistype(part.asked))
        answers = self._vectors(table, part.answers)
        loss = part.source.weight * self._matching(asked @ answers.T * self.config.scale, part)
        if part.source.service and len(self.material.unrelated) and self.config.unrelated:
            loss = loss + self.config.unrelated_weight * self._aloof(table, answers)
        return loss

    def _matching(self, scores: Any, part: Part) -> Any:
        import torch
        from torch.nn.functional import cross_entropy

        scores = scores.masked_fill(torch.from_numpy(part.itself()), NEVER)
        groups = torch.logsumexp(scores.reshape(len(scores), -1, part.source.keys), 2)
        target = torch.arange(len(groups))
        bar = self.config.scale * self.config.threshold if part.source.service else NEVER
        forward = cross_entropy(torch.nn.functional.pad(groups, (0, 1), value=bar), target)
        return (forward + cross_entropy(groups.T, target)) / 2

    def _aloof(self, table: Any, answers: Any) -> Any:
        """How far unrelated talk comes above the threshold of any answer: softmax with the bar as right."""
        import torch

        drawn = self.rng.integers(len(self.material.unrelated), size=self.config.unrelated)
        talk = self._vectors(table, self.material.unrelated[drawn])
        bar = torch.tensor(self.config.scale * self.config.threshold)
        return torch.nn.functional.softplus(torch.logsumexp(self.config.scale * talk @ answers.T, 1) - bar).mean()

    def _mistype(self, texts: IntArray) -> IntArray:
        rounds = self.material.variants
        varied = rounds[self.rng.integers(len(rounds), size=len(texts)), texts]
        return np.where(self.rng.random(len(texts)) < self.config.mistyped, varied, texts)

    def _vectors(self, table: Any, texts: IntArray) -> Any:
        import torch
        from torch.nn.functional import embedding_bag, normalize

        ids, begins = self.material.tokens.gather(texts)
        kept = torch.from_numpy((self.rng.random(len(ids)) >= self.config.dropout).astype(np.float32))
        places = (torch.from_numpy(ids), table, torch.from_numpy(begins))
        sums = embedding_bag(*places, mode="sum", per_sample_weights=kept)
        return normalize(sums, dim=1)
