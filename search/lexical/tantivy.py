"""Tantivy, the engine for a knowledge base of any size: its segments never change, so that a commit beside is cheap.

Audience, kind, category, product and tags are terms of the query; validity and what was replaced are masked afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import tantivy
from tantivy import Document, Filter, Index, Occur, Query, SchemaBuilder, TextAnalyzerBuilder, Tokenizer

from search.analysis import Term
from search.columns import KINDS, Selection
from search.lexical import LexicalRow, idf
from search.types import Audience
from search.types import Filter as Where

_TERMS, _PASSAGE, _DOCUMENT = "terms", "passage", "document"
_KIND, _AUDIENCE, _CATEGORY, _PRODUCT, _TAG = "kind", "audience", "category", "product", "tag"
_HEAP_BYTES = 64 << 20
_LONGEST_TERM = 4_000
"""Characters; Tantivy leaves out what is longer than a page of memory."""
KEPT_TERMS = 50_000


def write(folder: Path, rows: Iterable[LexicalRow]) -> None:
    """A new index in an empty folder."""
    _commit(_prepared(Index(_schema(), path=str(folder))), (), rows)


def extend(folder: Path, gone: Iterable[int], rows: Iterable[LexicalRow]) -> None:
    """Take out the passages of documents and add others, as new files beside those that are there."""
    _commit(_prepared(Index.open(str(folder))), gone, rows)


def _schema() -> tantivy.Schema:
    builder = SchemaBuilder().add_text_field(_TERMS, tokenizer_name=_TERMS, index_option="freq")
    builder.add_unsigned_field(_PASSAGE, fast=True)
    for name in (_DOCUMENT, _KIND, _AUDIENCE, _CATEGORY, _PRODUCT, _TAG):
        builder.add_unsigned_field(name, indexed=True)
    return builder.build()


def _prepared(index: Index) -> Index:
    splitter = TextAnalyzerBuilder(Tokenizer.whitespace()).filter(Filter.remove_long(_LONGEST_TERM)).build()
    index.register_tokenizer(_TERMS, splitter)
    # By default a thread would watch the folder for changes: a generation has none.
    index.config_reader(reload_policy="manual")
    return index


def _commit(index: Index, gone: Iterable[int], rows: Iterable[LexicalRow]) -> None:
    # One thread makes one segment a commit, in the order of the passages.
    writer = index.writer(heap_size=_HEAP_BYTES, num_threads=1)
    try:
        if numbers := sorted(gone):
            writer.delete_documents_by_query(Query.term_set_query(index.schema, _DOCUMENT, numbers))
        for row in rows:
            writer.add_document(_document(row))
    except BaseException:
        writer.rollback()
        raise
    writer.commit()
    writer.wait_merging_threads()


def _document(row: LexicalRow) -> Document:
    document = Document()
    document.add_text(_TERMS, " ".join(row.terms))
    for name, value in (
        (_PASSAGE, row.passage),
        (_DOCUMENT, row.document),
        (_KIND, row.kind),
        (_AUDIENCE, row.audience),
        (_CATEGORY, row.category),
        (_PRODUCT, row.product),
    ):
        document.add_unsigned(name, value)
    for tag in row.tags:
        document.add_unsigned(_TAG, tag)
    return document


class TantivyIndex:
    """A Tantivy folder opened for searching; threads may share it."""

    def __init__(self, folder: Path) -> None:
        index = _prepared(Index.open(str(folder)))
        self._schema = index.schema
        self._searcher = index.searcher()
        self.idf = lru_cache(KEPT_TERMS)(self._idf)

    def search(self, terms: Sequence[Term], where: Selection, n: int) -> list[tuple[int, float]]:
        if where.none or not terms:
            return []
        query = self._query(terms, where.where)
        asked = n + 1
        while True:
            found = self._best(query, asked)
            allowed = [(passage, score) for passage, score in found if where.allowed[passage]]
            # What ties with the n-th is ordered by number: as long as the end still ties, there may be more of it.
            settled = len(allowed) > n and allowed[n - 1][1] > found[-1][1]
            if len(found) < asked or settled:
                return sorted(allowed, key=lambda entry: (-entry[1], entry[0]))[:n]
            asked *= 2

    def _best(self, query: Query, n: int) -> list[tuple[int, float]]:
        hits = self._searcher.search(query, limit=n, count=False).hits
        passages = self._searcher.fast_field_values(_PASSAGE, [address for _, address in hits])
        # Every passage has its number: the values are typed as if they could be missing.
        return [(int(passage or 0), float(score)) for passage, (score, _) in zip(passages, hits, strict=True)]

    def _query(self, terms: Sequence[Term], where: Where) -> Query:
        words = [(Occur.Should, self._word(term)) for term in terms]
        wanted = [
            (Occur.Must, Query.const_score_query(self._any_of(name, codes), 0.0)) for name, codes in _wanted(where)
        ]
        return Query.boolean_query([(Occur.Must, Query.boolean_query(words)), *wanted])

    def _word(self, term: Term) -> Query:
        return Query.boost_query(Query.term_query(self._schema, _TERMS, term.text, index_option="freq"), term.weight)

    def _any_of(self, name: str, codes: Sequence[int]) -> Query:
        return Query.boolean_query([(Occur.Should, Query.term_query(self._schema, name, code)) for code in codes])

    def _idf(self, term: str) -> float:
        frequency = self._searcher.doc_freq(_TERMS, term) if term else 0
        return idf(frequency, max(self._searcher.num_docs, frequency))

    def close(self) -> None:
        """Files are closed with the last reference to the searcher."""


def _wanted(where: Where) -> list[tuple[str, Sequence[int]]]:
    """Fields and the codes of which a passage must have one; what every passage fulfils is left out."""
    wanted: list[tuple[str, Sequence[int]]] = []
    if where.audience < max(Audience):
        wanted.append((_AUDIENCE, range(where.audience + 1)))
    if where.kinds and len(where.kinds) < len(KINDS):
        wanted.append((_KIND, [KINDS.index(kind) for kind in where.kinds]))
    named = ((_CATEGORY, where.categories), (_PRODUCT, where.products), (_TAG, where.tags))
    return wanted + [(name, sorted(codes)) for name, codes in named if codes is not None]
