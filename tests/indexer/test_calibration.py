"""What a confidence means is fitted, not guessed."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.build import Plan
from indexer.calibration import LEAST_QUESTIONS, Sample, calibrate, fit, threshold
from indexer.records import Record
from indexer.training.corpus import OwnData, read_own
from search.analysis import Analyzer
from search.confidence import Calibration
from search.encoder import StaticEncoder, load_encoder, question_key
from search.errors import SearchError
from search.lexicon import shipped_lexicon
from search.quality import brier, brier_of_constant, calibration_error
from search.types import Audience, Document, Evidence, Kind

TRUTH = Calibration(bias=-4.0, cosine=2.0, gist=4.0, coverage=0.0, margin=3.0)
OBJECTS = ("退款", "运费", "发票", "积分", "密码", "手机号", "地址", "优惠券", "会员", "快递", "订单", "红包", "银行卡")
MATTERS = ("怎么申请", "多久能到", "为什么失败了", "在哪里查看", "可以修改吗", "能不能取消", "丢了怎么办", "规则是什么")


def drawn(number: int, seed: int = 3) -> list[Sample]:
    """Samples whose outcomes follow TRUTH."""
    rng = np.random.default_rng(seed)
    found = []
    for values in rng.random((number, 4)):
        evidence = Evidence(*(float(value) for value in values))
        right = bool(rng.random() < TRUTH.probability(evidence))
        found.append(Sample(evidence, right, right or bool(rng.random() < 0.5)))
    return found


def test_a_fit_finds_the_weights_that_made_the_outcomes() -> None:
    fitted = fit(drawn(20_000))
    assert astuple(fitted)[:5] == pytest.approx(astuple(TRUTH)[:5], abs=0.35)


def test_a_fitted_confidence_is_calibrated_on_other_questions() -> None:
    fitted, others = fit(drawn(5_000)), drawn(5_000, seed=4)
    sure = [fitted.probability(sample.evidence) for sample in others]
    right = [float(sample.right) for sample in others]
    assert calibration_error(sure, right) < 0.03
    assert brier(sure, right) < brier_of_constant(right) - 0.02
    # A model that was not fitted to them is told from one that was.
    off = replace(fitted, bias=fitted.bias + 1)
    assert calibration_error([off.probability(sample.evidence) for sample in others], right) > 0.1


def test_more_evidence_never_lowers_a_fitted_confidence() -> None:
    against = [replace(s, right=s.evidence.coverage < 0.5, answerable=True) for s in drawn(2_000)]
    assert min(astuple(fit(against))[1:5]) >= 0


def test_thresholds_keep_their_precision() -> None:
    samples = drawn(4_000)
    fitted = fit(samples)
    assert fitted.candidate <= fitted.answer_internal <= fitted.answer_public
    for bar, precision in ((fitted.answer_internal, 0.8), (fitted.answer_public, 0.9)):
        above = [sample.right for sample in samples if fitted.probability(sample.evidence) >= bar]
        assert np.mean(above) >= precision


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40), st.sampled_from((0.5, 0.8, 0.9, 1.0))
)
def test_a_threshold_is_the_least_one_that_is_precise_enough(pairs: list[tuple[float, bool]], precision: float) -> None:
    sure, right = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    order = np.argsort(-sure, kind="stable")
    depths = [n for n in range(1, len(order) + 1) if right[order[:n]].mean() >= precision]
    wanted = sure[order[max(depths) - 1]] if depths else 1.0
    assert threshold(sure, right, precision) == wanted


def records(matters: tuple[str, ...]) -> list[Record]:
    found = []
    for number, thing in enumerate(OBJECTS):
        for place, matter in enumerate(matters):
            key = f"a{number}-{place}"
            document = Document(key, 1, Kind.ARTICLE, f"{thing}{matter}", key, "all", Audience.PUBLIC)
            asked = (f"我的{thing}{matter}", f"{thing}，{matter}呀", f"请问{thing}{matter}", f"想知道{thing}{matter}")
            found.append(Record(document, asked, f"{thing}{matter}：请在首页进入{thing}页面，按提示办理。"))
    return found


def test_a_knowledge_base_is_calibrated_on_its_own_questions(tmp_path: Path) -> None:
    (root := tmp_path / "index").mkdir()
    plan = Plan(root, Analyzer(shipped_lexicon()), load_encoder())
    fitted = calibrate(records(MATTERS), plan, 1_700_000_000)
    assert fitted.documents == len(OBJECTS) * len(MATTERS)
    assert min(fitted.cosine, fitted.gist, fitted.coverage, fitted.margin) >= 0
    sure, doubtful = Evidence(0.95, 0.95, 1.0, 0.3), Evidence(0.1, 0.1, 0.0, 0.0)
    assert fitted.probability(sure) > 0.8 > 0.2 > fitted.probability(doubtful)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert not list(root.iterdir())


def test_too_few_questions_are_refused(tmp_path: Path) -> None:
    plan = Plan(tmp_path / "index", Analyzer(shipped_lexicon()), load_encoder())
    with pytest.raises(SearchError, match=f"too few .* {LEAST_QUESTIONS}"):
        calibrate(records(MATTERS[:2]), plan, 1_700_000_000)


def test_questions_that_the_encoder_has_learnt_are_left_out(tmp_path: Path) -> None:
    encoder, analyzer = load_encoder(), Analyzer(shipped_lexicon())
    assert isinstance(encoder, StaticEncoder)
    own = records(MATTERS)
    asked = sorted({analyzer.fold(question) for record in own for question in record.questions})
    assert not any(map(encoder.has_learnt, asked))
    learnt = replace(encoder, learnt=np.sort(np.array([question_key(text) for text in asked], dtype=np.uint64)))
    assert all(map(learnt.has_learnt, asked))
    with pytest.raises(SearchError, match="0 questions are too few"):
        calibrate(own, Plan(tmp_path / "index", analyzer, learnt), 1_700_000_000)


def test_the_shipped_encoder_knows_what_it_has_learnt() -> None:
    encoder = load_encoder()
    assert isinstance(encoder, StaticEncoder)
    fold = Analyzer(shipped_lexicon()).fold
    corpus = read_own(OwnData()).folded(fold)
    asked = [text for source in corpus.sources if source.service for group in source.groups for text in group.asked]
    assert len(encoder.learnt) > 20_000
    # Articles may have got new 相似问法 since.
    assert np.mean([encoder.has_learnt(text) for text in asked]) > 0.9
