"""The contracts of lexical and vector engines, against slow and obvious implementations."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whoosh.util.numeric import byte_to_length, length_to_byte

from search.analysis import Term
from search.columns import ROW, Columns, Selection
from search.lexical import EXTENDED, LexicalIndex, LexicalRow, bm25, extend_lexical, idf, open_lexical, write_lexical
from search.types import FOREVER, Audience, Filter, IntArray, Kind, Role
from search.vectors import VectorBlocks, open_vectors
from search.vectors.faiss import MANY

LEXICAL = ["whoosh", "tantivy"]
VECTORS = ["faiss"]
WORDS = [f"词{n}" for n in range(60)]


def corpus() -> list[list[str]]:
    chance = random.Random(3)
    passages = [
        [chance.choice(WORDS[: chance.randint(2, 60)]) for _ in range(chance.randint(1, 40))] for _ in range(300)
    ]
    # A passage of stop words only has no terms, and must not poison the mean length.
    return [*passages, [], ["独一"]]


def selection(count: int, allowed: list[int] | None = None) -> Selection:
    mask = np.ones(count, np.bool_) if allowed is None else np.isin(np.arange(count), allowed)
    return Selection(Filter(Audience.INTERNAL, 0), mask, not mask.any())


def pairs(by_tag: Mapping[int, Sequence[int]]) -> IntArray:
    """(tag, document) pairs."""
    return np.array([(tag, d) for tag, own in by_tag.items() for d in own], dtype=np.int64).reshape(-1, 2)


def row(number: int, terms: Sequence[str], **fields: int) -> LexicalRow:
    """A passage that is a document of its own."""
    return LexicalRow(number, number, terms, **{"kind": 0, "audience": 0, "category": 0, "product": 0} | fields)


def rows() -> list[LexicalRow]:
    return [row(number, terms) for number, terms in enumerate(corpus())]


@pytest.fixture(scope="module", params=LEXICAL)
def lexical(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    folder: Path = tmp_path_factory.mktemp("lexical")
    write_lexical(request.param, folder, rows())
    return open_lexical(request.param, folder)


def exact(
    terms: list[Term], allowed: set[int], n: int, kept: Callable[[int], int] = lambda length: length
) -> list[tuple[int, float]]:
    passages = corpus()
    mean = sum(kept(len(passage)) for passage in passages) / len(passages)
    frequency = Counter(word for passage in passages for word in set(passage))
    scores: dict[int, float] = {}
    for number, passage in enumerate(passages):
        for term in terms:
            count = passage.count(term.text)
            if count and number in allowed:
                part = term.weight * idf(frequency[term.text], len(passages)) * bm25(count, kept(len(passage)), mean)
                scores[number] = scores.get(number, 0.0) + part
    return sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))[:n]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6, unique=True),
    st.lists(st.sampled_from([0.25, 0.4, 1.0]), min_size=6, max_size=6),
    st.none() | st.lists(st.integers(0, 301), max_size=60),
)
def test_lexical_is_exact_bm25(
    lexical: LexicalIndex, words: list[str], weights: list[float], only: list[int] | None
) -> None:
    terms = [Term(word, weight, word) for word, weight in zip(words, weights, strict=False)]
    found = lexical.search(terms, selection(302, only), 10)
    wanted = exact(terms, set(range(302) if only is None else only), 10)
    # Both keep lengths in one byte, so that scores differ in the third digit: order may swap at near ties.
    assert len(found) == len(wanted)
    assert {n for n, _ in found} >= {n for n, score in wanted if wanted and score > wanted[-1][1] * 1.05}
    assert [score for _, score in found] == pytest.approx([score for _, score in wanted], rel=0.05)
    if only is not None:
        assert {n for n, _ in found} <= set(only)


def test_nothing_allowed_finds_nothing(lexical: LexicalIndex) -> None:
    assert lexical.search([Term("词1", 1.0, "词1")], selection(302, []), 10) == []


def test_unknown_and_no_terms(lexical: LexicalIndex) -> None:
    assert lexical.search([Term("没有这个词", 1.0, "")], selection(302), 10) == []
    assert lexical.search([], selection(302), 10) == []
    assert lexical.idf("没有这个词") > lexical.idf("独一") > lexical.idf("词1") >= 0


def test_an_empty_index_answers(tmp_path: Path) -> None:
    for name in LEXICAL:
        (folder := tmp_path / name).mkdir()
        write_lexical(name, folder, [])
        assert open_lexical(name, folder).search([Term("词", 1.0, "词")], selection(0), 5) == []


@pytest.mark.parametrize("name", VECTORS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), only=st.none() | st.lists(st.integers(0, 199), max_size=50))
def test_vectors_are_exact_cosine(name: str, seed: int, only: list[int] | None) -> None:
    chance = np.random.default_rng(seed)
    matrix = chance.standard_normal((200, 16)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    index = open_vectors(name, matrix)
    found = index.search(matrix[7], selection(200, only), 10)
    allowed = range(200) if only is None else sorted(set(only))
    wanted = sorted(((float(matrix[n] @ matrix[7]), n) for n in allowed), key=lambda e: (-e[0], e[1]))[:10]
    assert [n for n, _ in found] == [n for _, n in wanted]
    assert [s for _, s in found] == pytest.approx([s for s, _ in wanted], abs=1e-5)
    assert index.scores(matrix[7], [7, 3]) == pytest.approx([1.0, float(matrix[3] @ matrix[7])], abs=1e-5)


@pytest.mark.parametrize("name", VECTORS)
@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans()), min_size=1, max_size=150),
    st.integers(1, 60),
)
def test_vectors_that_tie_come_by_number(name: str, rows: list[tuple[float, bool]], n: int) -> None:
    matrix = np.array([(cosine, (1 - cosine * cosine) ** 0.5, 0, 0) for cosine, _ in rows], np.float32)
    allowed = [number for number, (_, kept) in enumerate(rows) if kept]
    found = open_vectors(name, matrix).search(np.array([1, 0, 0, 0], np.float32), selection(len(rows), allowed), n)
    assert [number for number, _ in found] == sorted(allowed, key=lambda number: (-rows[number][0], number))[:n]


@pytest.mark.parametrize("name", VECTORS)
def test_an_empty_matrix_answers(name: str) -> None:
    index = open_vectors(name, np.zeros((0, 8), np.float32))
    assert index.search(np.ones(8, np.float32), selection(0), 5) == []
    assert index.scores(np.ones(8, np.float32), []) == []


def test_weights_decide(lexical: LexicalIndex) -> None:
    strong, weak = Term("词1", 1.0, ""), Term("词1", 0.25, "")
    whole = lexical.search([strong], selection(302), 302)
    part = lexical.search([weak], selection(302), 302)
    assert [number for number, _ in whole] == [number for number, _ in part]
    assert [score / 4 for _, score in whole] == pytest.approx([score for _, score in part], rel=1e-5)
    assert lexical.search([Term("独一", 1.0, ""), weak], selection(302), 1)[0][0] == 301


def kept_by_whoosh(length: int) -> int:
    """What is left of a length that Whoosh keeps in one byte."""
    return int(byte_to_length(length_to_byte(length)))


def kept_by_tantivy(length: int) -> int:
    """What is left of a length of up to 40 that Tantivy keeps in one byte."""
    return length


KEPT = {"WhooshIndex": kept_by_whoosh, "TantivyIndex": kept_by_tantivy}


@settings(max_examples=100)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6, unique=True))
def test_the_best_ten_are_exact_but_for_the_kept_lengths(lexical: LexicalIndex, words: list[str]) -> None:
    terms = [Term(word, 1.0, word) for word in words]
    found, everybody = lexical.search(terms, selection(302), 10), set(range(302))
    score = dict(exact(terms, everybody, 302, KEPT[type(lexical).__name__]))
    wanted = sorted(score.values(), reverse=True)[:10]
    assert [value for _, value in found] == pytest.approx(wanted, rel=1e-4)
    assert [score[number] for number, _ in found] == pytest.approx(wanted, rel=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1), st.integers(0, 3), st.integers(0, 2), st.integers(0, 2), st.sets(st.integers(0, 2))
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(list(Audience)),
    st.frozensets(st.sampled_from(list(Kind))),
    st.none() | st.frozensets(st.integers(0, 3)),
    st.none() | st.frozensets(st.integers(0, 3)),
    st.none() | st.frozensets(st.integers(0, 3)),
)
def test_filters_are_those_of_the_mask(
    passages: list[tuple[int, int, int, int, set[int]]],
    audience: Audience,
    kinds: frozenset[Kind],
    categories: frozenset[int] | None,
    products: frozenset[int] | None,
    tags: frozenset[int] | None,
) -> None:
    """An engine may use the filter, the mask, or both: what it finds is what the mask allows."""
    table = [
        (n, kind, audience, Role.SECTION, category, product, 0, FOREVER)
        for n, (audience, kind, category, product, _) in enumerate(passages)
    ]
    by_tag = {tag: [n for n, passage in enumerate(passages) if tag in passage[4]] for tag in range(4)}
    where = Columns(np.array(table, dtype=ROW), pairs(by_tag)).select(
        Filter(audience, 5, kinds, categories, products, tags)
    )
    written = [
        LexicalRow(n, n, ["词"], kind, own, category, product, sorted(tagged))
        for n, (own, kind, category, product, tagged) in enumerate(passages)
    ]
    for name in LEXICAL:
        with TemporaryDirectory() as folder:
            write_lexical(name, Path(folder), written)
            index = open_lexical(name, Path(folder))
            found = [number for number, _ in index.search([Term("词", 1.0, "词")], where, 20)]
            index.close()
        assert found == np.flatnonzero(where.allowed).tolist(), name


@pytest.mark.parametrize("name", sorted(EXTENDED))
@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sets(st.integers(0, 320), max_size=6), st.integers(0, 6)), min_size=1, max_size=4))
def test_an_extended_index_answers_as_one_written_at_once(name: str, changes: list[tuple[set[int], int]]) -> None:
    terms = [Term(word, 1.0, word) for word in WORDS[:5]]
    alive, extra = {own.passage: own for own in rows()}, random.Random(5)
    with TemporaryDirectory() as root:
        folder = Path(root) / "0"
        folder.mkdir()
        write_lexical(name, folder, alive.values())
        for step, (gone, added) in enumerate(changes, 1):
            before = {path.name: path.read_bytes() for path in folder.iterdir()}
            shutil.copytree(folder, beside := Path(root) / str(step), copy_function=os.link)
            first = max(alive, default=301) + 1
            new = [row(first + n, [extra.choice(WORDS) for _ in range(9)]) for n in range(added)]
            extend_lexical(name, beside, gone, new)
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
            alive = {key: own for key, own in alive.items() if key not in gone} | {own.passage: own for own in new}
            folder = beside
        found = open_lexical(name, folder).search(terms, selection(400), 20)
        (at_once := Path(root) / "once").mkdir()
        write_lexical(name, at_once, alive.values())
        wanted = open_lexical(name, at_once).search(terms, selection(400), 20)
    # Until segments are merged, passages that are gone still count in how frequent a word is.
    assert {number for number, _ in found} <= alive.keys()
    assert len(set(dict(found)) & set(dict(wanted))) >= len(wanted) - 4
    assert [score for _, score in found] == pytest.approx([score for _, score in wanted], rel=0.1)


def test_many_rows_are_found_as_exactly_as_few() -> None:
    chance = np.random.default_rng(11)
    centers = chance.standard_normal((300, 64))
    matrix = centers[chance.integers(300, size=3 * MANY)] + 0.6 * chance.standard_normal((3 * MANY, 64))
    matrix = (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)
    index, allowed = open_vectors("faiss", matrix), np.flatnonzero(chance.random(len(matrix)) < 0.8)
    for asked in chance.standard_normal((30, 64)).astype(np.float32):
        vector = asked / np.linalg.norm(asked)
        scores = matrix[allowed] @ vector
        wanted = allowed[np.argsort(-scores)[:100]]
        found = index.search(vector, selection(len(matrix), allowed.tolist()), 100)
        assert [number for number, _ in found[:10]] == wanted[:10].tolist()
        assert len({number for number, _ in found} & set(wanted.tolist())) >= 99
        assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


@settings(max_examples=60, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 200), max_size=4),
    seed=st.integers(0, 1000),
    only=st.none() | st.lists(st.integers(0, 199), max_size=50),
)
def test_blocks_are_searched_as_one(cuts: list[int], seed: int, only: list[int] | None) -> None:
    matrix = np.random.default_rng(seed).standard_normal((200, 8)).round(1).astype(np.float32)
    edges = [0, *sorted(cuts), 200]
    parts = [open_vectors("faiss", matrix[start:end]) for start, end in pairwise(edges)]
    one, several = open_vectors("faiss", matrix), VectorBlocks(parts)
    assert several.search(matrix[3], selection(200, only), 12) == one.search(matrix[3], selection(200, only), 12)
    numbers = only or [5, 199, 0]
    assert several.scores(matrix[3], numbers) == pytest.approx(one.scores(matrix[3], numbers), abs=1e-5)
    assert len(several) == 200


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 3)), st.sampled_from(list(Kind))), max_size=12),
    st.none() | st.frozensets(st.integers(0, 4)),
    st.none() | st.frozensets(st.integers(0, 4)),
    st.frozensets(st.sampled_from(list(Kind))),
)
def test_products_tags_and_kinds_are_what_a_plain_scan_allows(
    documents: list[tuple[int, set[int], Kind]],
    products: frozenset[int] | None,
    tags: frozenset[int] | None,
    kinds: frozenset[Kind],
) -> None:
    # Two passages each; an empty set of codes allows nothing, none at all allows everything.
    rows = [
        (n, list(Kind).index(kind), Audience.PUBLIC, Role.SECTION, 0, product, 0, FOREVER)
        for n, (product, _, kind) in enumerate(documents)
        for _ in range(2)
    ]
    by_tag = {tag: [n for n, (_, own, _) in enumerate(documents) if tag in own] for tag in range(4)}
    found = Columns(np.array(rows, dtype=ROW), pairs(by_tag)).select(
        Filter(Audience.PUBLIC, 5, kinds, None, products, tags)
    )
    wanted = [
        (products is None or product in products)
        and (tags is None or bool(own & tags))
        and (not kinds or kind in kinds)
        for product, own, kind in documents
        for _ in range(2)
    ]
    assert found.allowed.tolist() == wanted
    assert found.none == (not any(wanted))


ROWS = st.lists(
    st.tuples(
        st.sampled_from(list(Kind)),
        st.sampled_from(list(Audience)),
        st.integers(0, 3),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(
    ROWS,
    st.lists(st.integers(-1, 11), min_size=1, max_size=8),
    st.sampled_from(list(Audience)),
    st.sets(st.integers(0, 3)),
)
def test_masks_follow_the_clock(
    rows: list[tuple[Kind, Audience, int, int, int]], clock: list[int], audience: Audience, categories: set[int]
) -> None:
    table = np.array(
        [
            (n, list(Kind).index(k), a, Role.SECTION, c, 0, start, FOREVER if end == 0 else end)
            for n, (k, a, c, start, end) in enumerate(rows)
        ],
        dtype=ROW,
    )
    columns = Columns(table, pairs({}))
    for now in clock:
        where = Filter(audience, now, categories=frozenset(categories) or None)
        wanted = [
            a <= audience and (not categories or c in categories) and start <= now < (FOREVER if end == 0 else end)
            for _, a, c, start, end in rows
        ]
        assert columns.select(where).allowed.tolist() == wanted
        assert columns.select(where).none == (not any(wanted))
