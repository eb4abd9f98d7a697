"""Fusion, confidence, sentences, completions and quality figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.confidence import Calibration, Evidence, decide, sigmoid
from search.fusion import convex, fuse
from search.quality import figure, ndcg_at_10, ranks_of, recall_at, reciprocal_rank
from search.sentences import sentence_spans
from search.suggest import Completer, Completion, syllables
from search.types import Decision

UNIT = st.floats(0, 1)


def test_convex_by_hand() -> None:
    assert convex(5.0, 10.0, 0.8, 0.5) == pytest.approx(0.65)
    assert convex(5.0, 0.0, -0.3, 0.5) == 0.0


def test_fusion_ranks_both_halves() -> None:
    fused = fuse({1: 4.0, 2: 2.0}, {2: 0.9, 3: 0.5}, 10.0, 0.5)
    assert [c.passage for c in fused] == [2, 3, 1]
    assert {c.passage: (c.lexical_rank, c.semantic_rank) for c in fused} == {1: (1, None), 2: (2, 1), 3: (None, 2)}


def test_without_an_encoder_the_words_decide() -> None:
    assert [c.passage for c in fuse({1: 1.0, 2: 2.0}, {}, 4.0, 0.6)] == [2, 1]
    assert fuse({2: 2.0}, {}, 4.0, 0.6)[0].fused == pytest.approx(0.5)


@given(UNIT, UNIT, UNIT, UNIT)
def test_confidence_is_a_monotone_probability(cosine: float, coverage: float, margin: float, more: float) -> None:
    model = Calibration()
    base = model.probability(Evidence(cosine, coverage, margin))
    assert 0 <= base <= 1
    assert model.probability(Evidence(min(1, cosine + more), coverage, margin)) >= base
    assert model.probability(Evidence(cosine, min(1, coverage + more), margin)) >= base
    assert model.probability(Evidence(cosine, coverage, min(1, margin + more))) >= base


def test_sigmoid_does_not_overflow() -> None:
    assert sigmoid(-1e6) == 0.0
    assert sigmoid(1e6) == 1.0


def test_decisions_at_their_thresholds() -> None:
    model = Calibration(answer=0.6, candidate=0.2)
    assert [decide(c, model) for c in (0.6, 0.59, 0.2, 0.19)] == [
        Decision.ANSWER, Decision.CANDIDATES, Decision.CANDIDATES, Decision.ABSTAIN,
    ]  # fmt: skip


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
    assert [c.text for c in Completer(ENTRIES).find(typed, lambda _d: True, 5)] == found


def test_completions_of_hidden_documents_are_left_out() -> None:
    assert [c.text for c in Completer(ENTRIES).find("退款", lambda d: d != 0, 5)] == ["怎么申请退款"]


@given(
    st.lists(st.text(st.sampled_from("退款到账改地址"), min_size=1, max_size=6), unique=True),
    st.text(st.sampled_from("退款到账"), min_size=1, max_size=3),
)
def test_completions_are_what_a_plain_scan_finds(texts: list[str], typed: str) -> None:
    found = {c.text for c in Completer([entry(text, 0) for text in texts]).find(typed, lambda _d: True, 99)}
    assert found == {text for text in texts if typed in text and text != typed}


def test_quality_by_hand() -> None:
    judged = ranks_of(["x", "a", "b"], frozenset({"a", "z"}))
    assert (recall_at(1)(judged), recall_at(5)(judged), reciprocal_rank(judged)) == (0.0, 1.0, 0.5)
    assert ndcg_at_10(judged) == pytest.approx(0.6309 / (1 + 0.6309), abs=1e-3)


def test_the_interval_holds_the_mean_and_narrows() -> None:
    few, many = figure([0.0, 1.0] * 10), figure([0.0, 1.0] * 1000)
    assert few.low < 0.5 < few.high
    assert many.high - many.low < few.high - few.low
