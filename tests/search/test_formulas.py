"""Fusion, confidence, sentences, completions and quality figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.embedding import centroids
from search.columns import ROW, Columns
from search.confidence import Calibration, decide, sigmoid
from search.fusion import Candidate, Scale
from search.quality import figure, ndcg_at_10, ranks_of, recall_at, reciprocal_rank
from search.ranking import GIST_SHARE, KIND_WEIGHT, Proposed, best_of_role, rank
from search.sentences import sentence_spans
from search.suggest import Completer, Completion, CompletionBlock, completions_of, syllables
from search.types import FOREVER, Audience, Decision, Evidence, Kind, Passage, Role
from tests.search.slow_ranking import fuse, group

UNIT = st.floats(0, 1)


def test_convex_by_hand() -> None:
    assert Scale(10.0, 0.5).convex(np.array([5.0]), np.array([0.8])) == pytest.approx([0.5 * 0.25 + 0.5 * 0.8])
    assert Scale(0.0, 0.5).convex(np.array([5.0]), np.array([-0.3])).tolist() == [0.0]


def test_fusion_ranks_both_halves() -> None:
    fused = fuse({1: 4.0, 2: 2.0}, {2: 0.9, 3: 0.5}, Scale(10.0, 0.5))
    assert [c.passage for c in fused] == [2, 3, 1]
    assert {c.passage: (c.lexical_rank, c.semantic_rank) for c in fused} == {1: (1, None), 2: (2, 1), 3: (None, 2)}


def test_without_an_encoder_the_words_decide() -> None:
    assert [c.passage for c in fuse({1: 1.0, 2: 2.0}, {}, Scale(4.0, 0.0))] == [2, 1]
    assert fuse({2: 2.0}, {}, Scale(4.0, 0.0))[0].fused == pytest.approx(0.25)


@given(UNIT, UNIT, UNIT, UNIT, UNIT)
def test_confidence_is_a_monotone_probability(
    cosine: float, gist: float, coverage: float, margin: float, more: float
) -> None:
    model = Calibration()
    base = model.probability(Evidence(cosine, gist, coverage, margin))
    assert 0 <= base <= 1
    assert model.probability(Evidence(min(1, cosine + more), gist, coverage, margin)) >= base
    assert model.probability(Evidence(cosine, min(1, gist + more), coverage, margin)) >= base
    assert model.probability(Evidence(cosine, gist, min(1, coverage + more), margin)) >= base
    assert model.probability(Evidence(cosine, gist, coverage, min(1, margin + more))) >= base


def test_sigmoid_does_not_overflow() -> None:
    assert sigmoid(-1e6) == 0.0
    assert sigmoid(1e6) == 1.0


def test_decisions_at_their_thresholds() -> None:
    model = Calibration(answer_public=0.8, answer_internal=0.6, candidate=0.2)
    assert [decide(c, model, Audience.INTERNAL) for c in (0.6, 0.59, 0.2, 0.19)] == [
        Decision.ANSWER, Decision.CANDIDATES, Decision.CANDIDATES, Decision.ABSTAIN,
    ]  # fmt: skip
    assert [decide(c, model, Audience.PUBLIC) for c in (0.8, 0.79)] == [Decision.ANSWER, Decision.CANDIDATES]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("一到三天。周末顺延！", ["一到三天。", "周末顺延！"]),
        ("1. 打开订单\n2. 点退款", ["1. 打开订单", "2. 点退款"]),
        ("他说“行。”然后走了", ["他说“行。”", "然后走了"]),
        ("It takes 1.5 days. Wait.", ["It takes 1.5 days.", "Wait."]),
        ("", []),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences


@given(st.text(st.sampled_from("退款。！\n a.B"), max_size=60))
def test_sentences_lose_nothing(text: str) -> None:
    kept = "".join(text[start:end] for start, end in sentence_spans(text))
    assert "".join(kept.split()) == "".join(text.split())


def entry(text: str, document: int) -> Completion:
    sounds = syllables(text)
    return Completion(text, document, text, "".join(sounds), "".join(sound[0] for sound in sounds))


def completer(entries: Sequence[Completion]) -> Completer:
    return Completer([(0, CompletionBlock(entries))])


ENTRIES = [entry("退款多久到账", 0), entry("怎么申请退款", 1), entry("改地址", 2), entry("退货运费", 3)]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("退款", ["退款多久到账", "怎么申请退款"]),
        ("tuikuan", ["退款多久到账", "怎么申请退款"]),
        ("tkdj", ["退款多久到账"]),
        ("gaidi", ["改地址"]),
        ("改地址", []),
        ("没有", []),
        ("", []),
        ("\n", []),
    ],
)
def test_completions(typed: str, found: list[str]) -> None:
    assert [text for text, _ in completer(ENTRIES).find(typed, lambda _d: True, 5)] == found


def test_completions_of_hidden_documents_are_left_out() -> None:
    assert [text for text, _ in completer(ENTRIES).find("退款", lambda d: d != 0, 5)] == ["怎么申请退款"]


@given(
    st.lists(st.text(st.sampled_from("退款到账改地址"), min_size=1, max_size=6), unique=True),
    st.text(st.sampled_from("退款到账"), min_size=1, max_size=3),
)
def test_completions_are_what_a_plain_scan_finds(texts: list[str], typed: str) -> None:
    found = {text for text, _ in completer([entry(text, 0) for text in texts]).find(typed, lambda _d: True, 99)}
    assert found == {text for text in texts if typed in text and text != typed}


ALPHABET = "退款到账改地址ab1 '"


def plain_scan(entries: list[Completion], typed: str, hidden: int) -> list[str]:
    """Each way of matching after the other, over every entry in order."""
    typed = typed.strip()
    sound = typed.replace(" ", "").replace("'", "")
    latin = bool(sound) and all(char in "abcdefghijklmnopqrstuvwxyz0123456789 '" for char in typed)
    ways = [lambda e: e.folded.startswith(typed), lambda e: typed in e.folded]
    if latin:
        ways += [lambda e: e.pinyin.startswith(sound), lambda e: e.initials.startswith(sound)]
    if latin and len(sound) > 2:
        ways += [lambda e: sound in e.pinyin, lambda e: sound in e.initials]
    kept = [e for e in entries if e.document != hidden and e.folded != typed]
    return list(dict.fromkeys(e.text for way in ways if typed for e in kept if way(e)))


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.text(st.sampled_from(ALPHABET), min_size=1, max_size=6), st.integers(0, 3)), max_size=8),
    st.text(st.sampled_from(ALPHABET + "tuikndaozhgi"), max_size=4)
    | st.sampled_from(["tui", "tuikuan", "tk", "kuand", "dz", "'", "tui'kuan", " ' '"]),
    st.integers(-1, 3),
    st.integers(1, 9),
    st.integers(0, 8),
)
def test_completions_are_those_of_a_plain_scan_in_its_order(
    texts: list[tuple[str, int]], typed: str, hidden: int, n: int, cut: int
) -> None:
    entries = [entry(" ".join(text.split()), document) for text, document in texts if text.strip()]
    blocks = [(0, CompletionBlock(entries[:cut])), (0, CompletionBlock(entries[cut:]))]
    found = [text for text, _ in Completer(blocks).find(typed, lambda d: d != hidden, n)]
    assert found == plain_scan(entries, " ".join(typed.split()), hidden)[:n]


def test_what_was_used_most_comes_first_over_all_blocks() -> None:
    used = [[3, 1], [2, 2, 0]]
    blocks = [
        (10 * place, CompletionBlock([entry(f"退款{place}{n}", n)._replace(uses=count) for n, count in enumerate(own)]))
        for place, own in enumerate(used)
    ]
    found = Completer(blocks).find("退款", lambda _d: True, 9)
    assert found == [("退款00", 0), ("退款10", 10), ("退款11", 11), ("退款01", 1), ("退款12", 12)]


@pytest.mark.parametrize("typed", ["账\n怎", "退款\n多久", "'", "' '", "\n\n"])
def test_a_line_break_or_an_apostrophe_completes_nothing(typed: str) -> None:
    assert completer(ENTRIES).find(typed, lambda _d: True, 5) == []


def test_titles_of_several_lines_are_found_by_every_line() -> None:
    title = Passage(Role.TITLE, "退款\n多久", Audience.PUBLIC)
    entries = list(completions_of(4, [title], str, 0))
    assert [document for _, document in completer(entries).find("多久", lambda _d: True, 5)] == [4]
    assert [c.folded for c in entries] == ["退款 多久"]


@given(st.dictionaries(st.integers(0, 20), UNIT, max_size=9), st.dictionaries(st.integers(0, 20), UNIT, max_size=9))
def test_fusion_is_the_sum_written_out(lexical: dict[int, float], cosine: dict[int, float]) -> None:
    fused = fuse(lexical, cosine, Scale(2.0, 0.4))
    wanted = {p: 0.6 * (lexical.get(p, 0) / 2) ** 2 + 0.4 * cosine.get(p, 0) for p in {*lexical, *cosine}}
    assert {c.passage: c.fused for c in fused} == pytest.approx(wanted)
    assert fused == sorted(fused, key=lambda c: (-c.fused, c.passage))


def columns(*rows: tuple[int, Kind, Role]) -> Columns:
    return Columns(
        np.array([(d, list(Kind).index(k), 0, role, 0, 0, 0, FOREVER) for d, k, role in rows], dtype=ROW),
        np.zeros((0, 2), np.int64),
    )


def test_a_document_is_its_best_passage_and_what_it_says_as_a_whole() -> None:
    table = columns(
        (0, Kind.ARTICLE, Role.TITLE),
        (0, Kind.ARTICLE, Role.SECTION),
        (1, Kind.TICKET, Role.TITLE),
        (2, Kind.SCRIPT, Role.SECTION),
    )
    scale = Scale(2.0, 0.5)
    candidates = fuse({0: 1.0, 2: 2.0}, {0: 0.1, 1: 0.8, 2: 0.9, 3: 0.2}, scale)
    ranked = group(candidates, {0: 0.6, 1: 0.7}, scale, table)
    article = (1 - GIST_SHARE) * 0.4 + GIST_SHARE * (0.5 * (1.0 / 2.0) ** 2 + 0.5 * 0.6)
    ticket = (1 - GIST_SHARE) * (0.5 + 0.45) + GIST_SHARE * (0.5 + 0.5 * 0.7)
    assert [(entry.document, entry.score, entry.gist) for entry in ranked] == [
        (1, pytest.approx(KIND_WEIGHT[Kind.TICKET] * ticket), 0.7),
        (0, pytest.approx(article), 0.6),
        (2, pytest.approx(KIND_WEIGHT[Kind.SCRIPT] * (1 - GIST_SHARE) * 0.1), 0.0),
    ]
    assert [c.passage for c in ranked[1].evidence] == [1, 0]
    found = best_of_role(ranked[1], Role.TITLE, table)
    assert found is not None
    assert found.passage == 0
    assert best_of_role(ranked[1], Role.QUESTION, table) is None


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from(list(Kind))), min_size=1, max_size=8),
    st.dictionaries(st.integers(0, 23), st.sampled_from([0.25, 0.5, 1.0, 2.0]), max_size=12),
    st.dictionaries(st.integers(0, 23), st.sampled_from([-0.5, 0.25, 0.5, 0.75]), max_size=12),
    st.integers(1, 9),
    st.data(),
)
def test_ranking_is_what_is_written_out_passage_by_passage(
    documents: list[tuple[int, Kind]], lexical: dict[int, float], cosine: dict[int, float], n: int, data: st.DataObject
) -> None:
    table = columns(*[(d, kind, Role.SECTION) for d, (size, kind) in enumerate(documents) for _ in range(size)])
    lexical = {p: score for p, score in lexical.items() if p < len(table)}
    cosine = {p: score for p, score in cosine.items() if p < len(table)}
    scale, proposed = Scale(2.0, 0.4), Proposed.of(lexical, cosine)
    numbers = proposed.documents(table).tolist()
    gists = data.draw(st.lists(UNIT, min_size=len(numbers), max_size=len(numbers)))
    slow = group(fuse(lexical, cosine, scale), dict(zip(numbers, gists, strict=True)), scale, table)
    fast = rank(proposed, gists, scale, table, n)
    assert [entry.document for entry in fast] == [entry.document for entry in slow[:n]]
    for one, other in zip(fast, slow, strict=False):
        assert (one.score, one.gist) == pytest.approx((other.score, other.gist))
        assert [c._replace(fused=0.0) for c in one.evidence] == [c._replace(fused=0.0) for c in other.evidence]


def test_at_equal_evidence_the_article_comes_before_the_ticket() -> None:
    table = columns((0, Kind.TICKET, Role.TITLE), (1, Kind.ARTICLE, Role.TITLE))
    candidates = [Candidate(0, 0, 0, 0.5), Candidate(1, 0, 0, 0.5)]
    assert [r.document for r in group(candidates, {}, Scale(1.0), table)] == [1, 0]


def test_a_centroid_weighs_title_questions_and_sections_and_leaves_out_what_is_narrower() -> None:
    roles = [(0, 0, Role.TITLE), (0, 0, Role.QUESTION), (0, 0, Role.SECTION), (0, 0, Role.SECTION)]
    roles += [(0, 1, Role.SECTION), (1, 1, Role.TITLE), (1, 1, Role.SECTION)]
    table = np.array([(d, 0, audience, role, 0, 0, 0, FOREVER) for d, audience, role in roles], dtype=ROW)
    found = centroids(np.eye(7, dtype=np.float32), table)
    wanted = np.array([[2, 1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 2, 2]], dtype=np.float32)
    assert found == pytest.approx(wanted / np.linalg.norm(wanted, axis=1, keepdims=True))


def test_centroids_of_nothing() -> None:
    assert centroids(np.zeros((0, 4), np.float32), np.array([], dtype=ROW)).shape == (0, 4)


def test_without_an_encoder_confidence_is_still_a_monotone_probability() -> None:
    model = Calibration()
    values = [model.probability(Evidence(None, 0.0, coverage / 10, 0.3)) for coverage in range(11)]
    assert values == sorted(values)
    assert 0 <= values[0] < values[-1] <= 1


def test_quality_of_nothing() -> None:
    nothing = ranks_of([], frozenset())
    assert (reciprocal_rank(nothing), ndcg_at_10(nothing), recall_at(5)(nothing)) == (0.0, 0.0, 0.0)
    assert (figure([]).mean, figure([1.0, 1.0]).low) == (0.0, 1.0)


def test_quality_by_hand() -> None:
    judged = ranks_of(["x", "a", "b"], frozenset({"a", "z"}))
    assert (recall_at(1)(judged), recall_at(5)(judged), reciprocal_rank(judged)) == (0.0, 1.0, 0.5)
    assert ndcg_at_10(judged) == pytest.approx(0.6309 / (1 + 0.6309), abs=1e-3)


def test_the_interval_holds_the_mean_and_narrows() -> None:
    few, many = figure([0.0, 1.0] * 10), figure([0.0, 1.0] * 1000)
    assert few.low < 0.5 < few.high
    assert many.high - many.low < few.high - few.low
