"""The contracts of lexical and vector engines, against slow and obvious implementations."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def exact(terms: list[Term], allowed: set[int], n: int) -> list[tuple[int, float]]:
    passages = corpus()
    mean = sum(map(len, passages)) / len(passages)
    frequency = Counter(word for passage in passages for word in set(passage))
    scores: dict[int, float] = {}
    for number, passage in enumerate(passages):
        for term in terms:
            count = passage.count(term.text)
            if count and number in allowed:
                part = term.weight * idf(frequency[term.text], len(passages)) * bm25(count, len(passage), mean)
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
