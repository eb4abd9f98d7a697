"""The training itself: contrastive learning of one vector per token on pairs that mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.training.corpus import Group, Source
from search.types import FloatArray

MOST_TOKENS = 160


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How long and how hard to train. `scale` divides by temperature; `dropout` is per token."""

    steps: int = 2_000
    batch: int = 512
    rate: float = 5e-3
    scale: float = 20.0
    dropout: float = 0.2
    seed: int = 7
    anchor: float = 0.0
    map_rate: float = 0.0
    extra: float = 0.5


@dataclass(frozen=True, slots=True)
class Composition:
    """Chinese words share rows with the characters they are made of: (word, part, weight) triples."""

    words: np.ndarray
    parts: np.ndarray
    weights: np.ndarray
    count: int


class Sampler:
    """Batches of pairs from one source, at most one pair per group, so that no negative is a match."""

    def __init__(self, source: Source, encode: Any, rng: np.random.Generator) -> None:
        texts = list(dict.fromkeys(t for g in source.groups for t in (*g.asked, *g.keys)))
        number = {text: i for i, text in enumerate(texts)}
        self.ids = [np.asarray(ids[:MOST_TOKENS], dtype=np.int64) for ids in encode(texts)]
        self.groups = [
            ([number[t] for t in g.asked], [number[t] for t in g.keys]) for g in source.groups
        ]
        self.weight = source.weight
        self.rng = rng

    def batch(self, most: int):
        order = self.rng.permutation(len(self.groups))[:most]
        pairs = []
        for g in order:
            pair = self._pair(*self.groups[g])
            if pair:
                pairs.append(pair)
        left, right = zip(*pairs, strict=True)
        return left, right

    def _pair(self, asked, keys):
        a = asked[self.rng.integers(len(asked))]
        if not len(self.ids[a]):
            return None
        for _ in range(4):
            b = keys[self.rng.integers(len(keys))]
            if b != a and len(self.ids[b]):
                return a, b
        return None


def fit(sources: Sequence[Source], encode: Any, start: FloatArray, composition: Composition | None, config: FitConfig, callback=None) -> FloatArray:
    import torch
    import torch.nn.functional as F

    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    samplers = [Sampler(s, encode, rng) for s in sources]
    weights = np.array([s.weight for s in samplers])
    base = torch.tensor(start)
    own = torch.nn.Parameter(torch.zeros_like(base))
    params = [own]
    M = torch.nn.Parameter(torch.eye(start.shape[1]))
    if composition is not None:
        n = composition.count
        C = torch.sparse_coo_tensor(np.stack([composition.words, composition.parts]), composition.weights,
                                    (len(start), n)).coalesce().to_sparse_csr() if False else torch.sparse_coo_tensor(np.stack([composition.words, composition.parts]), composition.weights, (len(start), n)).coalesce()
        A = torch.nn.Parameter(torch.zeros(n, start.shape[1]))
        params.append(A)
    groups = [{"params": params, "lr": config.rate}]
    if config.map_rate:
        groups.append({"params": [M], "lr": config.map_rate})
    opt = torch.optim.Adam(groups)
    sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda i: min(1.0, (i + 1) / 50) * (1 - i / config.steps))

    def table():
        E = base @ M + own if config.map_rate else base + own
        return E + torch.sparse.mm(C, A) if composition is not None else E

    def vectors(E, sampler, texts):
        ids = [sampler.ids[t] for t in texts]
        flat = torch.from_numpy(np.concatenate(ids))
        offsets = torch.from_numpy(np.cumsum([0] + [len(i) for i in ids[:-1]]))
        keep = torch.from_numpy((rng.random(len(flat)) >= config.dropout).astype(np.float32))
        return F.normalize(F.embedding_bag(flat, E, offsets, mode="sum", per_sample_weights=keep), dim=1)

    for step in range(config.steps):
        E = table()
        loss = 0.0
        for k, sampler in enumerate(samplers):
            if k and rng.random() >= sampler.weight:
                continue
            left, right = sampler.batch(config.batch if k else 10_000)
            a, b = vectors(E, sampler, left), vectors(E, sampler, right)
            logits = config.scale * a @ b.T
            left_, right_ = np.array(left), np.array(right)
            same = torch.from_numpy((right_[:, None] == right_[None]) | (left_[:, None] == left_[None]))
            same.fill_diagonal_(False)
            logits = logits.masked_fill(same, -1e4)
            target = torch.arange(len(left))
            loss = loss + (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2 * (1.0 if k == 0 else config.extra)
        if config.anchor:
            loss = loss + config.anchor * own.square().sum()
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        sched.step()
        if callback and (step + 1) % 250 == 0:
            callback(step + 1, float(loss), table().detach().numpy())
    return table().detach().numpy()
