"""Small deterministic material for tests: a fake encoder, records, and indexes made of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from indexer.build import Plan, build_generation
from indexer.records import Record
from search.analysis import Analyzer
from search.encoder import Encoder
from search.engine import Engine
from search.lexicon import shipped_lexicon
from search.types import Audience, Document, FloatArray, Kind, Query, Script

NOW = 1_700_000_000

# A shared machine makes single examples slow without anything being wrong.
settings.register_profile("zhida", deadline=None, database=None)
settings.load_profile("zhida")


@dataclass
class FakeEncoder:
    """Character bigrams hashed into a few dimensions; remembers the texts it was given."""

    id: str = "fake-1"
    dimension: int = 64
    passages: list[str] = field(default_factory=list)

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        return self._rows(texts)

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        self.passages.extend(texts)
        return self._rows(texts)

    def _rows(self, texts: Sequence[str]) -> FloatArray:
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for a, b in pairwise(f" {text} "):
                row[zlib.crc32((a + b).encode("utf-8", "surrogatepass")) % self.dimension] += 1
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def record(key: str, title: str, body: str = "", questions: Iterable[str] = (), **fields: Any) -> Record:
    """A public article unless `fields` of its document say otherwise."""
    document = Document(
        id=key,
        version=1,
        kind=Kind.ARTICLE,
        title=title,
        slug=key,
        category="general",
        audience=Audience.PUBLIC,
    )
    return Record(replace(document, **fields), tuple(questions), body)


def query(text: str, **fields: Any) -> Query:
    """A question of somebody who may read everything."""
    return replace(Query(text, Audience.INTERNAL, NOW), **fields)


def build(root: Path, records: Iterable[Record], analyzer: Analyzer, encoder: Encoder | None) -> Path:
    """The next generation under `root`."""
    build_generation(records, Plan(root, analyzer, encoder))
    return root


DESK = (
    record(
        "refund",
        "退款多久到账",
        "支付宝退款一般一到三天到账。\n\n## 银行卡 {#bank-card}\n\n银行卡退款三到七个工作日到账，节假日顺延。\n\n"
        "## 内部\n\n!!! internal\n    超过十天让财务组核对流水。\n",
        ("退款什么时候到", "钱怎么还没退回来"),
        category="refund",
        tags=("退款", "到账"),
        product="mall",
    ),
    record(
        "returns",
        "怎么申请退货",
        "打开我的订单，点申请售后，选退货退款。\n\n## 运费 {#fee}\n\n质量问题的运费由商家承担。",
        ("退货按钮在哪",),
        category="refund",
        tags=("退货",),
        product="mall",
    ),
    record(
        "thermostat",
        "温控器 TH-01 离线怎么办",
        "TH-01 报 E7 时重新连接无线网络。\n\n## 重置 {#reset}\n\n长按电源键十秒恢复出厂设置。",
        ("温控器连不上网",),
        category="device",
        tags=("TH-01",),
        product="home",
    ),
    record(
        "password",
        "How to reset your password",
        "Open the login page and choose forgot password. We send a code to your phone.",
        ("I cannot log in",),
        category="account",
    ),
    record(
        "desk-only",
        "投诉升级流程",
        "客户要求升级时转给值班经理处理。",
        ("客户要投诉怎么处理",),
        category="desk",
        audience=Audience.INTERNAL,
    ),
    record(
        "sorry",
        "退款延迟致歉话术",
        "非常抱歉让您久等，退款会在三天内到账。",
        kind=Kind.SCRIPT,
        category="refund",
        script=Script("非常抱歉让您久等，退款会在{天数}内到账。", ("天数",), {"chat": "抱歉久等"}),
    ),
    record(
        "sale",
        "双十一退款时效公告",
        "双十一期间退款到账时间延长两天。",
        kind=Kind.ANNOUNCEMENT,
        category="refund",
        valid_from=NOW - 100,
        valid_until=NOW + 100,
    ),
    record(
        "ticket-1",
        "退款没到账已核对",
        "银行退回后重新打款，第二天到账。",
        ("退款十天还没到账",),
        kind=Kind.TICKET,
        category="refund",
        audience=Audience.INTERNAL,
    ),
)
"""One of everything."""


@pytest.fixture(scope="session")
def analyzer() -> Analyzer:
    return Analyzer(shipped_lexicon())


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def make_index(tmp_path: Path, analyzer: Analyzer, encoder: FakeEncoder) -> Callable[[Iterable[Record]], Path]:
    """Builds records into the next generation of one folder, which it returns."""
    return lambda records: build(tmp_path / "index", records, analyzer, encoder)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, analyzer: Analyzer) -> Engine:
    """An engine over `DESK`."""
    encoder = FakeEncoder()
    return Engine(build(tmp_path_factory.mktemp("desk"), DESK, analyzer, encoder), analyzer, encoder)
