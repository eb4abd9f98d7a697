"""What the lexical engine is given of each passage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from indexer.plan import Plan
from search.analysis import Analyzer
from search.blocks import FOLDER, Places, load_array
from search.lexical import LexicalRow
from search.passages import Records, document_of, passage_of
from search.types import Document, Passage, Role

TITLE_WEIGHT = 3
HEADING_WEIGHT = 2


def weighted_terms(document: Document, passage: Passage, analyzer: Analyzer) -> list[str]:
    """The terms of a passage; a field that counts more is written more often.

    With one length for all fields this is BM25F: Robertson, Zaragoza and Taylor, "Simple BM25 Extension to
    Multiple Weighted Fields" (2004), section 4.
    """
    terms = analyzer.index_terms
    if passage.role is Role.TITLE:
        return terms(passage.text) * TITLE_WEIGHT + terms(" ".join((document.summary, *document.tags)))
    if passage.role is Role.QUESTION:
        return terms(passage.text)
    return terms(document.title) + terms(" ".join(passage.headings)) * HEADING_WEIGHT + terms(passage.text)


def lexical_rows(folder: Path, names: Sequence[str], first: int, plan: Plan) -> Iterator[LexicalRow]:
    """The passages of the blocks of a generation from block number `first` on, numbered through all of them."""
    blocks = [folder / FOLDER / name for name in names]
    documents = Places([len(load_array(block / "ids.npy")) for block in blocks]).starts
    passages = Places([len(load_array(block / "columns.npy")) for block in blocks]).starts
    total = passages[-1] - passages[first]
    for place in range(first, len(blocks)):
        for row in _rows(blocks[place], documents[place], passages[place], plan):
            yield row
            done = row.passage + 1 - passages[first]
            if done % 200 == 0 or done == total:
                plan.progress("lexical", done, total)


def _rows(block: Path, first_document: int, first_passage: int, plan: Plan) -> Iterator[LexicalRow]:
    documents, passages = Records(block / "documents.jsonl"), Records(block / "passages.jsonl")
    columns = load_array(block / "columns.npy")
    tags: dict[int, list[int]] = {}
    for tag, number in load_array(block / "tags.npy").tolist():
        tags.setdefault(number, []).append(tag)
    own, document = -1, None
    for number, row in enumerate(columns.tolist()):
        fields = dict(zip(columns.dtype.names, row, strict=True))
        if document is None or fields["document"] != own:
            own = fields["document"]
            document = document_of(documents[own])
        yield LexicalRow(
            passage=first_passage + number,
            document=first_document + own,
            terms=weighted_terms(document, passage_of(passages[number]), plan.analyzer),
            kind=fields["kind"],
            audience=fields["audience"],
            category=fields["category"],
            product=fields["product"],
            tags=tags.get(own, ()),
        )
