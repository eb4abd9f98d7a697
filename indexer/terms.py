"""What the lexical engine is given of each passage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from indexer.plan import Plan
from search.analysis import Analyzer
from search.blocks import FOLDER, Places, load_array, rows_in
from search.lexical import LexicalRow
from search.passages import Terms
from search.types import Document, Passage, Role

TITLE_WEIGHT = 3
HEADING_WEIGHT = 2


def own_terms(document: Document, passage: Passage, analyzer: Analyzer) -> tuple[list[str], list[str]]:
    """The terms of a passage's text, and of what stands beside it: a title's summary and tags, a section's headings."""
    beside: Sequence[str] = ()
    if passage.role is Role.TITLE:
        beside = (document.summary, *document.tags)
    elif passage.role is Role.SECTION:
        beside = passage.headings
    return analyzer.index_terms(passage.text), analyzer.index_terms(" ".join(beside))


def weighted_terms(role: Role, title: list[str], text: list[str], beside: list[str]) -> list[str]:
    """What of a passage is indexed; a field that counts more is written more often.

    With one length for all fields this is BM25F: Robertson, Zaragoza and Taylor, "Simple BM25 Extension to
    Multiple Weighted Fields" (2004), section 4.
    """
    if role is Role.TITLE:
        return [*text * TITLE_WEIGHT, *beside]
    if role is Role.QUESTION:
        return text
    return [*title, *beside * HEADING_WEIGHT, *text]


def lexical_rows(folder: Path, names: Sequence[str], first: int, plan: Plan) -> Iterator[LexicalRow]:
    """The passages of the blocks of a generation from block number `first` on, numbered through all of them."""
    blocks = [folder / FOLDER / name for name in names]
    documents = Places(rows_in(folder, names, "ids.npy")).starts
    passages = Places(rows_in(folder, names, "columns.npy")).starts
    total = passages[-1] - passages[first]
    for place in range(first, len(blocks)):
        for row in _rows(blocks[place], documents[place], passages[place]):
            yield row
            done = row.passage + 1 - passages[first]
            if done % 200 == 0 or done == total:
                plan.progress("lexical", done, total)


def _rows(block: Path, first_document: int, first_passage: int) -> Iterator[LexicalRow]:
    terms, columns = Terms(block / "terms.txt"), load_array(block / "columns.npy")
    tags: defaultdict[int, list[int]] = defaultdict(list)
    for tag, number in load_array(block / "tags.npy").tolist():
        tags[number].append(tag)
    title: list[str] = []
    wanted = columns[["document", "role", "kind", "audience", "category", "product"]]
    for number, (document, role, kind, audience, category, product) in enumerate(wanted.tolist()):
        text, beside = terms[number]
        title = text if role == Role.TITLE else title
        written = weighted_terms(Role(role), title, text, beside)
        codes = kind, audience, category, product
        yield LexicalRow(first_passage + number, first_document + document, written, *codes, tags[document])
