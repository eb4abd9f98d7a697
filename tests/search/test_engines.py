"""The contracts of lexical and vector engines, against slow and obvious implementations."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whoosh.util.numeric import byte_to_length, length_to_byte

from search.analysis import Term
from search.columns import ROW, Columns, Selection
from search.lexical import LexicalIndex, bm25, idf, open_lexical, write_lexical
from search.types import FOREVER, Audience, Filter, Kind, Role
from search.vectors import open_vectors

LEXICAL = ["whoosh"]
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


@pytest.fixture(scope="module", params=LEXICAL)
def lexical(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    folder: Path = tmp_path_factory.mktemp("lexical")
    write_lexical(request.param, folder, corpus())
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
    # Whoosh keeps lengths in one byte, so that scores differ in the third digit: order may swap at near ties.
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


def kept_length(length: int) -> int:
    """What is left of a length that Whoosh keeps in one byte."""
    return int(byte_to_length(length_to_byte(length)))


@settings(max_examples=100)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6, unique=True))
def test_the_best_ten_are_exact_but_for_the_kept_lengths(lexical: LexicalIndex, words: list[str]) -> None:
    terms = [Term(word, 1.0, word) for word in words]
    found, everybody = lexical.search(terms, selection(302), 10), set(range(302))
    score = dict(exact(terms, everybody, 302, kept_length))
    wanted = sorted(score.values(), reverse=True)[:10]
    assert [value for _, value in found] == pytest.approx(wanted, rel=1e-4)
    assert [score[number] for number, _ in found] == pytest.approx(wanted, rel=1e-4)


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
    found = Columns(np.array(rows, dtype=ROW), by_tag).select(Filter(Audience.PUBLIC, 5, kinds, None, products, tags))
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
    columns = Columns(table, {})
    for now in clock:
        where = Filter(audience, now, categories=frozenset(categories) or None)
        wanted = [
            a <= audience and (not categories or c in categories) and start <= now < (FOREVER if end == 0 else end)
            for _, a, c, start, end in rows
        ]
        assert columns.select(where).allowed.tolist() == wanted
        assert columns.select(where).none == (not any(wanted))
