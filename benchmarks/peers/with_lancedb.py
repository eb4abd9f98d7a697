"""LanceDB: a table with a full-text index, hybrid queries fused by reciprocal rank."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa
from lancedb.index import FTS, BTree, HnswSq
from lancedb.rerankers import RRFReranker

from benchmarks.peers.material import Change, Material, Question, Vectors
from benchmarks.peers.protocol import TOP

TABLE = "passages"
BATCH = 8192


class LanceDB:
    """Without a vector index, which its documentation advises below some 100,000 rows: every row is compared."""

    answers_documents = False

    def __init__(self) -> None:
        self._reranker = RRFReranker()
        self._exhaust = False

    def configuration(self) -> str:
        return (
            f"LanceDB {version('lancedb')}: FTS index (base_tokenizer `whitespace`, no stemming, no stop words), "
            "no vector index (its documentation: usually unnecessary to around 100,000 rows), "
            "B-tree on the key, RRF (K 60)"
        )

    def build(self, material: Material, folder: Path) -> None:
        passages, vectors = material.passages(), material.vectors()
        rows = enumerate(passage.tokens for passage in passages)
        schema = _schema(vectors.shape[1])
        reader = pa.RecordBatchReader.from_batches(schema, _batches(rows, vectors, schema))
        table = lancedb.connect(str(folder)).create_table(TABLE, reader, schema=schema)
        table.create_index("tokens", config=_words())
        table.create_index("key", config=BTree())
        self._index_vectors(table)

    def open(self, folder: Path, material: Material) -> None:
        self._table: Any = lancedb.connect(str(folder)).open_table(TABLE)

    def query(self, question: Question, vector: Vectors) -> list[int]:
        asked = self._table.search(query_type="hybrid").vector(vector).text(question.tokens).distance_type("dot")
        asked = asked.rerank(self._reranker).select(["key"]).limit(TOP)
        return _keys(asked.bypass_vector_index() if self._exhaust else asked)

    def nearest(self, question: Question, vector: Vectors) -> list[int]:
        return _keys(self._table.search(vector).distance_type("dot").select(["key"]).limit(TOP))

    def inner(self) -> float | None:
        return None

    def update(self, change: Change, vectors: Vectors) -> None:
        schema = _schema(vectors.shape[1])
        rows = pa.Table.from_batches(_batches(zip(change.passages, change.tokens, strict=True), vectors, schema))
        self._table.merge_insert("key").when_matched_update_all().when_not_matched_insert_all().execute(rows)

    def keep(self) -> None:
        """An update is on disk; this folds it into the indexes, as the documentation advises from time to time."""
        self._table.optimize()

    def exhaust(self) -> None:
        self._exhaust = True

    def _index_vectors(self, table: Any) -> None:
        """None."""


class LanceDBGraph(LanceDB):
    """With the vector index its documentation names for recall and low latency."""

    def configuration(self) -> str:
        return (
            super()
            .configuration()
            .replace(
                "no vector index (its documentation: usually unnecessary to around 100,000 rows)",
                "vector index IVF_HNSW_SQ (one partition, as advised for most tables; other settings as they come)",
            )
        )

    def _index_vectors(self, table: Any) -> None:
        table.create_index("vector", config=HnswSq(distance_type="dot", num_partitions=1))


def _words() -> FTS:
    """The terms are made already: they are split at spaces and left as they are."""
    return FTS(base_tokenizer="whitespace", stem=False, remove_stop_words=False, ascii_folding=False, lower_case=False)


def _schema(dimension: int) -> pa.Schema:
    vector = pa.list_(pa.float32(), dimension)
    return pa.schema([("key", pa.int64()), ("tokens", pa.string()), ("vector", vector)])


def _batches(rows: Iterable[tuple[int, str]], vectors: Vectors, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    pairs = list(rows)
    for start in range(0, len(pairs), BATCH):
        keys, tokens = zip(*pairs[start : start + BATCH], strict=True)
        flat = pa.array(vectors[start : start + BATCH].reshape(-1), type=pa.float32())
        column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        yield pa.record_batch([pa.array(keys, pa.int64()), pa.array(tokens), column], schema=schema)


def _keys(asked: Any) -> list[int]:
    return list(asked.to_arrow()["key"].to_pylist())
