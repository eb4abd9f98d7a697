"""Formulas of evaluation: worked examples, definitions as oracles, and simulations whose answer is known."""

from __future__ import annotations

import itertools
import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.quality import (
    abstention,
    acceptance_threshold,
    auroc,
    brier,
    brier_of_constant,
    calibration_error,
    calibration_figure,
    difference,
    figure,
    reliability,
    resampled,
    risk_at,
    squared_calibration_error,
)

SHARE = st.integers(0, 20).map(lambda n: n / 20)
SHARES = st.lists(SHARE, min_size=1, max_size=40)
JUDGED = st.lists(st.tuples(SHARE, st.sampled_from([0.0, 1.0])), min_size=2, max_size=60)


@given(SHARES, SHARES)
def test_auroc_is_the_chance_that_a_positive_is_above_a_negative(positive: list[float], negative: list[float]) -> None:
    pairs = list(product(positive, negative))
    wins = sum((over > under) + (over == under) / 2 for over, under in pairs)
    assert auroc(positive, negative) == pytest.approx(wins / len(pairs))


@given(SHARES, SHARES)
def test_auroc_turns_round_with_its_groups_and_not_with_monotone_changes(a: list[float], b: list[float]) -> None:
    assert auroc(a, b) == pytest.approx(1 - auroc(b, a))
    assert auroc(a, b) == pytest.approx(auroc([math.exp(x) for x in a], [math.exp(x) for x in b]))


def test_auroc_by_hand() -> None:
    assert auroc([0.9, 0.5], [0.5, 0.1]) == 0.875
    assert auroc([], [0.5]) == auroc([0.5], []) == 0.5


@given(SHARES, SHARES, SHARE)
def test_acceptance_holds_and_no_higher_threshold_keeps_it(inside: list[float], outside: list[float], x: float) -> None:
    acceptance = max(x, 0.05)
    threshold = acceptance_threshold(inside, acceptance)
    assert sum(value >= threshold for value in inside) >= acceptance * len(inside) - 1e-6
    assert all(
        sum(value >= other for value in inside) < acceptance * len(inside) - 1e-6
        for other in inside
        if other > threshold
    )
    assert abstention(inside, outside, acceptance) == sum(value < threshold for value in outside) / len(outside)


def test_abstention_by_hand() -> None:
    inside = [step / 20 for step in range(1, 21)]
    assert acceptance_threshold(inside) == 0.1
    assert abstention(inside, [0.0, 0.05, 0.1, 0.9]) == 0.5


def test_risk_by_hand() -> None:
    sure, right = [0.9, 0.8, 0.7, 0.6], [1.0, 1.0, 0.0, 0.0]
    assert [risk_at(sure, right, coverage) for coverage in (1.0, 0.75, 0.5, 0.25)] == [0.5, pytest.approx(1 / 3), 0, 0]
    assert risk_at([], [], 0.5) == 0


@given(JUDGED)
def test_risk_of_all_is_the_share_of_wrong_ones_and_ties_are_not_cut(judged: list[tuple[float, float]]) -> None:
    sure, right = zip(*judged, strict=True)
    wrong = 1 - sum(right) / len(right)
    assert risk_at(sure, right, 1.0) == pytest.approx(wrong)
    assert risk_at([0.5] * len(right), right, 0.1) == pytest.approx(wrong)


def test_brier_by_hand() -> None:
    assert brier([1.0, 0.5, 0.0], [1.0, 1.0, 1.0]) == pytest.approx((0 + 0.25 + 1) / 3)
    assert brier_of_constant([1.0, 1.0, 1.0, 0.0]) == 0.1875


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1))
def test_no_constant_has_a_better_brier_score_than_the_share(right: list[float]) -> None:
    assert all(brier([x / 10] * len(right), right) >= brier_of_constant(right) - 1e-12 for x in range(11))


@given(JUDGED, st.integers(1, 20))
def test_bins_have_equal_mass_and_lose_nothing(judged: list[tuple[float, float]], bins: int) -> None:
    sure, right = zip(*judged, strict=True)
    found = reliability(sure, right, bins)
    sizes = [one.count for one in found]
    assert sum(sizes) == len(judged)
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 2
    assert sum(one.right * one.count for one in found) == pytest.approx(sum(right))
    # Means of equal numbers differ in their last digit.
    assert all(one.confidence <= after.confidence + 1e-12 for one, after in itertools.pairwise(found))


def test_squared_calibration_error_by_hand() -> None:
    # Two bins of four: gaps 0.25 - 0.2 and 0.75 - 0.9, each less 0.25 * 0.75 / 3 = 0.0625.
    sure, right = [0.2] * 4 + [0.9] * 4, [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    assert squared_calibration_error(sure, right, 2) == pytest.approx((0.0025 + 0.0225) / 2 - 0.0625)
    assert calibration_error(sure, right, 2) == 0
    assert calibration_error([0.3] * 4, [1.0] * 4, 1) == pytest.approx(0.7)


def test_the_error_of_perfect_confidences_is_without_bias() -> None:
    rng = np.random.default_rng(1)
    debiased, plain = [], []
    for _ in range(200):
        sure = rng.random(400)
        right = (rng.random(400) < sure).astype(float)
        debiased.append(squared_calibration_error(sure, right))
        plain.append(sum(b.count * (b.confidence - b.right) ** 2 for b in reliability(sure, right)) / 400)
    assert abs(float(np.mean(debiased))) < 0.0006
    assert float(np.mean(plain)) > 0.004


def test_perfect_confidences_have_little_error_and_shifted_ones_theirs() -> None:
    rng = np.random.default_rng(2)
    sure = rng.random(6000) * 0.7
    right = (rng.random(6000) < sure).astype(float)
    assert calibration_figure(sure, right).mean < 0.02
    assert calibration_figure(sure, right).low == 0
    shifted = calibration_figure(sure + 0.2, right)
    assert shifted.low < 0.2 < shifted.high
    assert shifted.high - shifted.low < 0.05


@given(JUDGED)
def test_a_figure_of_calibration_is_ordered(judged: list[tuple[float, float]]) -> None:
    sure, right = zip(*judged[:10], strict=True)
    found = calibration_figure(sure, right)
    assert 0 <= found.low <= found.high
    assert found.mean == calibration_error(sure, right)


def test_differences_are_paired() -> None:
    rng = np.random.default_rng(3)
    before = rng.random(200).tolist()
    after = [value + 0.01 for value in before]
    found = difference(before, after)
    assert (found.low, found.mean, found.high) == pytest.approx((0.01, 0.01, 0.01))
    assert difference(after, before).mean == pytest.approx(-0.01)
    with pytest.raises(ValueError, match="zip"):
        difference([1.0], [1.0, 2.0])


def test_resampled_groups_have_an_interval_around_the_statistic() -> None:
    found = resampled(auroc, [0.6, 0.7, 0.8, 0.9] * 5, [0.1, 0.65, 0.85] * 5)
    assert found.low < found.mean < found.high
    assert found.mean == auroc([0.6, 0.7, 0.8, 0.9], [0.1, 0.65, 0.85])
    assert resampled(auroc, [], [0.5]) == figure([])
