from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.analysis import Analyzer
from search.engine import Engine
from search.types import Audience, Decision, DocumentRef, Kind, Mode, everything
from tests.conftest import NOW, query, record

BODY = '退款按原路退回，储蓄卡一到三个工作日。\n\n## 信用卡 {#card}\n\n信用卡要三到七个工作日，先冲抵欠款。\n\n!!! internal "内部说明"\n    超时的查渠道回执，口令是芝麻开门。\n'
RECORDS = [
    record("a_1", "退款多久能到账", BODY, ["钱啥时候能退回来"], category="refund", tags=("退款",)),
    record("a_2", "怎么修改收货地址", "发货前在订单页修改。", ["地址填错了"], category="shipping"),
    record(
        "s_1", "安抚退款着急的客户", "{客户姓名}您好，退款在路上。", ["退款催促"], kind=Kind.SCRIPT, category="refund"
    ),
    record("t_1", "退款没到", "查了是银行的问题。", ["退款五天没到"], kind=Kind.TICKET, audience=Audience.INTERNAL),
    record(
        "a_3", "双十一退款公告", "退款会慢两天。", kind=Kind.ANNOUNCEMENT, valid_from=NOW - 10, valid_until=NOW + 10
    ),
]


@pytest.fixture
def engine(make_engine: Callable[..., Engine]) -> Engine:
    return make_engine(RECORDS)


def ids(engine: Engine, text: str, **fields: object) -> list[str]:
    return [hit.document.id for hit in engine.answer(query(text, **fields), everything).hits]


def test_one_hit_per_document_best_first(engine: Engine) -> None:
    found = ids(engine, "退款多久到账")
    assert found[0] == "a_1"
    assert len(found) == len(set(found))


def test_the_section_that_answers_is_shown_with_its_anchor(engine: Engine) -> None:
    hit = engine.answer(query("信用卡退款几天"), everything).hits[0]
    assert (hit.section, hit.anchor) == ("信用卡", "card")
    assert "三到七" in hit.answer


def test_highlights_are_words_of_the_question(engine: Engine) -> None:
    hit = engine.answer(query("退款多久到账"), everything).hits[0]
    marked = {hit.answer[start:end] for start, end in hit.highlights}
    assert "退款" in marked


def test_why_names_the_question_that_matched(engine: Engine) -> None:
    why = engine.answer(query("钱啥时候能退回来"), everything).hits[0].why
    assert why.matched_question == "钱啥时候能退回来"
    assert (why.lexical_rank, why.semantic_rank) == (1, 1)
    assert "啥时候" in why.terms


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"kinds": (Kind.SCRIPT,)}, {"s_1"}),
        ({"categories": ("shipping",)}, {"a_2"}),
        ({"categories": ("nowhere' or '1'='1",)}, set()),
        ({"tags": ("退款",)}, {"a_1"}),
        ({"audience": Audience.PUBLIC}, {"a_1", "a_2", "s_1", "a_3"}),
        ({"now": NOW + 10}, {"a_1", "a_2", "s_1", "t_1"}),
        ({"now": NOW - 11}, {"a_1", "a_2", "s_1", "t_1"}),
    ],
)
def test_filters(engine: Engine, fields: dict[str, object], kept: set[str]) -> None:
    assert set(ids(engine, "退款 地址 公告 修改", **fields)) <= kept
    assert fields.get("categories") == ("nowhere' or '1'='1",) or ids(engine, "退款 地址 修改", **fields)


@pytest.mark.parametrize("text", ["口令", "芝麻开门", "渠道回执", "退款超时"])
def test_internal_blocks_never_reach_the_public(engine: Engine, text: str) -> None:
    for mode in Mode:
        answer = engine.answer(query(text, audience=Audience.PUBLIC, mode=mode), everything)
        assert "芝麻" not in repr(answer)
    staff = engine.answer(query("芝麻开门口令"), everything)
    assert "芝麻" in repr(staff)


def test_a_hidden_document_changes_nothing_but_its_own_absence(
    engine: Engine, make_engine: Callable[..., Engine]
) -> None:
    def hide(refs: Iterable[DocumentRef]) -> frozenset[DocumentRef]:
        return frozenset(ref for ref in refs if ref.id != "a_1")

    for mode in Mode:
        hidden = engine.answer(query("退款多久到账", mode=mode), hide)
        assert "a_1" not in [hit.document.id for hit in hidden.hits]
        assert "退款多久能到账" not in hidden.completions
    shown = [hit.document.id for hit in engine.answer(query("退款多久到账"), everything).hits]
    assert [hit.document.id for hit in hidden.hits] == [key for key in shown if key != "a_1"]
    # The lead over a hidden document would betray it: the first that is left is judged by the next one that is seen.
    alone = engine.answer(query("退款多久到账", top_k=1), hide)
    assert alone.hits[0].confidence == hidden.hits[0].confidence == hidden.confidence


def test_nobody_sees_anything_when_nothing_is_visible(engine: Engine) -> None:
    answer = engine.answer(query("退款", mode=Mode.TYPING), lambda _refs: frozenset())
    assert (answer.hits, answer.completions, answer.decision, answer.confidence) == ((), (), Decision.ABSTAIN, 0.0)


def test_a_card_already_used_does_not_come_first_again(engine: Engine) -> None:
    found = ids(engine, "退款多久到账", not_first=frozenset({"a_1"}))
    assert found[0] != "a_1"
    assert "a_1" in found


def test_context_helps_ranking(make_index: Callable[..., Path], analyzer: Analyzer) -> None:
    engine = Engine(make_index(RECORDS), analyzer, None)
    assert ids(engine, "那要几天", context=("我要修改地址",))[0] == "a_2"
    assert ids(engine, "那要几天", context=("我退款了信用卡",))[0] == "a_1"


def test_completions_only_while_typing(engine: Engine) -> None:
    assert engine.answer(query("退款"), everything).completions == ()
    typed = engine.answer(query("退款多", mode=Mode.TYPING), everything).completions
    assert typed[0] == "退款多久能到账"
    assert "退款没到" not in engine.answer(query("退款", mode=Mode.TYPING), everything).completions


@pytest.mark.parametrize(
    "text", ["😀😀😀", "   ？", "\x00", "的", "<script>alert(1)</script>", "退" * 1000, "\ud800退款"]
)
def test_odd_questions_are_answered_or_abstained(engine: Engine, text: str) -> None:
    answer = engine.answer(query(text), everything)
    assert 0.0 <= answer.confidence <= 1.0


def test_weak_hits_are_kept_back_unless_asked_for(engine: Engine) -> None:
    strict = engine.answer(query("天气预报明天下雨", below_threshold=False), everything)
    assert strict.decision is Decision.ABSTAIN
    assert strict.hits == ()


def test_a_failing_lexical_engine_degrades(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: object) -> None:
        raise OSError("disk")

    monkeypatch.setattr(engine.index().lexical, "search", fail)
    answer = engine.answer(query("退款多久到账"), everything)
    assert answer.degraded == ("lexical",)
    assert answer.hits[0].document.id == "a_1"
    assert "lexical engine failed" in caplog.text


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.sampled_from("退款到账多久地址修改公告 abTH-01芝麻"), max_size=30),
    st.sets(st.sampled_from(["a_1", "a_2", "s_1", "a_3"])),
)
def test_hidden_documents_never_appear(engine: Engine, text: str, hidden: set[str]) -> None:
    answer = engine.answer(
        query(text, audience=Audience.PUBLIC, mode=Mode.TYPING),
        lambda refs: frozenset(ref for ref in refs if ref.id not in hidden),
    )
    assert not hidden & {hit.document.id for hit in answer.hits}
    assert "t_1" not in {hit.document.id for hit in answer.hits}


def hide(*keys: str) -> Callable[[Iterable[DocumentRef]], frozenset[DocumentRef]]:
    return lambda refs: frozenset(ref for ref in refs if ref.id not in keys)


@pytest.mark.parametrize("text", ["退款多久到账", "退款", "公告 退款 地址", "tuikuan"])
@pytest.mark.parametrize("gone", ["a_1", "s_1", "a_3"])
def test_hidden_by_permission_is_the_same_as_hidden_by_the_clock(
    make_engine: Callable[..., Engine], text: str, gone: str
) -> None:
    """Both engines hold the same documents; for one of them the filter leaves it out, for the other `visible`."""
    ended = [replace(r, document=replace(r.document, valid_from=0, valid_until=NOW - 1)) for r in RECORDS]
    filtered = make_engine([e if r.document.id == gone else r for r, e in zip(RECORDS, ended, strict=True)])
    by_clock = filtered.answer(query(text, mode=Mode.TYPING), everything)
    by_permission = make_engine(RECORDS).answer(query(text, mode=Mode.TYPING), hide(gone))
    assert by_permission.hits == by_clock.hits
    assert by_permission.completions == by_clock.completions
    assert (by_permission.decision, by_permission.confidence) == (by_clock.decision, by_clock.confidence)
    assert by_permission.documents == by_clock.documents


def test_a_hidden_namesake_takes_no_completion_away(make_engine: Callable[..., Engine]) -> None:
    twins = [record(f"a_{n}", "退款说明", "见下。") for n in range(20)]
    others = [record(f"b_{n}", f"退款说明第{n}条", "见下。") for n in range(6)]
    engine = make_engine([*twins, *others])
    completions = engine.answer(
        query("退款", mode=Mode.TYPING), hide(*(f"a_{n}" for n in range(19)), "b_0", "b_1")
    ).completions
    assert completions == ("退款说明", *(f"退款说明第{n}条" for n in range(2, 6)))


def test_ranks_in_why_do_not_count_what_is_hidden(engine: Engine) -> None:
    found = engine.answer(query("退款多久到账"), hide("a_1", "t_1")).hits
    assert min(hit.why.semantic_rank for hit in found if hit.why.semantic_rank) == 1
    assert min(hit.why.lexical_rank for hit in found if hit.why.lexical_rank) == 1


def test_visible_is_asked_once_for_everything_that_may_be_ranked(engine: Engine) -> None:
    asked: list[frozenset[str]] = []

    def visible(refs: Iterable[DocumentRef]) -> frozenset[DocumentRef]:
        refs = frozenset(refs)
        asked.append(frozenset(ref.id for ref in refs))
        return refs

    hits = engine.answer(query("退款多久到账", top_k=1), visible).hits
    assert len(asked) == 1
    assert len(hits) == 1
    assert asked[0] > {hits[0].document.id}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("退款到账多久地址修改信用卡钱 refundTH-01"), min_size=1, max_size=20))
def test_highlights_lie_in_the_answer_and_mark_what_was_asked(engine: Engine, text: str) -> None:
    answer = engine.answer(query(text), everything)
    for hit in answer.hits:
        # Initials and slips are read as words of the hit.
        read = (*hit.why.pinyin, hit.why.corrected or "")
        wanted = {term.text for meant in (text, *read) for term in engine.analyzer.query_terms(meant)}
        assert 0.0 <= hit.confidence <= 1.0
        edges = [0, *(offset for span in hit.highlights for offset in span), len(hit.answer)]
        assert edges == sorted(edges)
        for start, end in hit.highlights:
            assert {token.text for token in engine.analyzer.tokens(hit.answer[start:end])} & wanted
    assert [h.document.id for h in answer.hits] == list(dict.fromkeys(h.document.id for h in answer.hits))


def test_only_the_last_two_messages_are_context(engine: Engine) -> None:
    near = engine.answer(query("那要几天", context=("信用卡", "好的", "嗯")), everything)
    assert near.hits == engine.answer(query("那要几天", context=("好的", "嗯")), everything).hits


def test_context_words_are_not_counted_as_asked(engine: Engine) -> None:
    why = engine.answer(query("多久", context=("退款",)), everything).hits[0].why
    assert "退款" not in why.terms
    assert all(asked != "退款" for asked, _ in why.synonyms)


def test_why_tells_which_synonym_was_found(engine: Engine) -> None:
    hit = next(h for h in engine.answer(query("邮寄住址"), everything).hits if h.document.id == "a_2")
    assert ("住址", "地址") in hit.why.synonyms
    assert "地址" not in hit.why.terms


def test_answers_are_the_same_every_time(engine: Engine) -> None:
    first, second = (engine.answer(query("退款多久到账"), everything) for _ in range(2))
    assert replace(first, timing_ms={}) == replace(second, timing_ms={})
