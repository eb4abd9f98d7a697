from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.chunking import MAX_CHARACTERS, passages, split_text
from indexer.markdown import first_heading, for_audience, sections, split_internal
from search.sentences import sentence_spans
from search.types import Audience, Kind, Role
from tests.conftest import record

CANARY = "芝麻开门"
DISGUISES = [
    f'!!! internal "内部说明"\n    {CANARY}\n',
    f"!!! INTERNAL\n\n    {CANARY}\n\n    又一段{CANARY}\n",
    f"！！！ internal\n    {CANARY}\n",
    f"!!!internal\n\t{CANARY}\n",
    f"> !!! internal\n>     {CANARY}\n",
    f"```\n!!! internal\n    {CANARY}\n```\n",
    f"- 列表\n\n    !!! internal\n        {CANARY}\n",
    f"1. 步骤\n    !!! internal\n        - {CANARY}\n",
    f"!!! internal 标题 {CANARY}\n    正文\n",
    f"！！！　internal\n　　{CANARY}\n",
    f"!!!\u00a0ＩＮＴＥＲＮＡＬ\n    {CANARY}\n",
    f"!!! internal内部\n    {CANARY}\n",
    f"!!!! internal\n    {CANARY}\n",
    f"!!! warning internal\n    {CANARY}\n",
    f"- !!! internal\n      {CANARY}\n",
    f"- [ ] !!! internal\n      {CANARY}\n",
    f"12. !!! internal\n\n        {CANARY}\n",
    f">\t> !!! internal\n>\t>     {CANARY}\n",
    f"[^1]: !!! internal\n        {CANARY}\n",
    f"\u200b!!!\u200b internal\n    {CANARY}\n",
    f"!\x02!! internal\n\x02    {CANARY}\n",
    f"<!--\n!!! internal\n    {CANARY}\n-->\n",
]


@pytest.mark.parametrize("block", DISGUISES)
def test_internal_blocks_are_cut_in_every_disguise(block: str) -> None:
    text = f"开头。\n\n{block}\n结尾。\n"
    public = for_audience(text, Audience.PUBLIC)
    assert CANARY not in public
    assert "开头。" in public
    assert "结尾。" in public
    assert for_audience(text, Audience.INTERNAL) == text


def test_a_carriage_return_ends_a_line_too() -> None:
    text = f"开头。\r!!! internal\r    {CANARY}\r\n结尾。"
    assert for_audience(text, Audience.PUBLIC) == "开头。\n结尾。"


@pytest.mark.parametrize("line", ["!!! note", "!!! internals", "说 !!! internal", "!! internal", "!!! tip 国际"])
def test_what_is_no_internal_block_stays(line: str) -> None:
    text = f"{line}\n    正文"
    assert for_audience(text, Audience.PUBLIC) == text


def test_a_heading_inside_a_block_is_no_heading_of_what_follows() -> None:
    text = f"## 甲\n\n一\n\n!!! internal\n    ## {CANARY}\n\n    二\n\n三\n\n### 乙\n\n四\n"
    assert [(s.headings, s.anchor, s.text, s.audience) for s in sections(text)] == [
        (("甲",), "甲", "一", Audience.PUBLIC),
        ((CANARY,), CANARY, "二", Audience.INTERNAL),
        (("甲",), "甲", "三", Audience.PUBLIC),
        (("甲", "乙"), "乙", "四", Audience.PUBLIC),
    ]


PREFIXES = st.lists(st.sampled_from(["> ", ">", "\t", "    ", "- ", "3. ", "* ", "[^x]: ", "\u200b", "　"]), max_size=4)
MARKS = st.sampled_from(["!!!", "！！！", "!！!", "!!!!", "!\u200d!!"])
GAPS = st.sampled_from(["", " ", "  ", "\t", "　", "\u00a0", " note "])
WORDS = st.sampled_from(
    ["internal", "INTERNAL", "Internal", "ｉｎｔｅｒｎａｌ", "inter\u200bnal", 'internal "说明"', "internal说明"]
)


@settings(max_examples=300)
@given(PREFIXES.map("".join), MARKS, GAPS, WORDS, st.booleans())
def test_no_spelling_of_the_marker_lets_a_canary_through(
    prefix: str, marks: str, gap: str, word: str, fenced: bool
) -> None:
    deeper = " " * (len(prefix.expandtabs(4)) + 8)
    block = f"{prefix}{marks}{gap}{word}\n{deeper}{CANARY}\n\n{deeper}- {CANARY}"
    text = f"开头。\n\n```\n{block}\n```\n\n结尾。" if fenced else f"开头。\n\n{block}\n\n结尾。"
    public = for_audience(text, Audience.PUBLIC)
    assert CANARY not in public
    assert "结尾。" in public
    assert CANARY not in repr([s for s in sections(text) if s.audience is Audience.PUBLIC])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["段落。", "## 标题 {#x}", "- 项", "> 引", "```", "| a | b |", "", "    缩进", "!!! note"]),
        max_size=12,
    ),
    st.integers(0, 12),
    st.sampled_from(["", "    ", "> "]),
)
def test_a_canary_in_an_internal_block_never_shows(lines: list[str], place: int, indent: str) -> None:
    block = [f"{indent}!!! internal", f"{indent}    {CANARY}"]
    text = "\n".join([*lines[:place], *block, *lines[place:]])
    assert CANARY not in for_audience(text, Audience.PUBLIC)
    public = [s for s in sections(text) if s.audience is Audience.PUBLIC]
    assert all(CANARY not in section.text and CANARY not in "".join(section.headings) for section in public)


@given(st.text(st.sampled_from("!！ internal\n>-#`段 \t"), max_size=80))
def test_cutting_loses_and_adds_nothing(text: str) -> None:
    assert "\n".join(segment.markdown for segment in split_internal(text)) == text


ARTICLE = """# 退款多久到账

储蓄卡一到三天。**信用卡**三到七天，见[进度](progress.md)。

## 各方式 {#methods .wide}

| 方式 | 时间 |
|---|---|
| 储蓄卡 | 1–3 天 |
| 信用卡 | 3–7 天 |

### 步骤

1. 打开订单
2. 点“退款”
   - 选原因

!!! internal
    先查回执。

## 各方式

```
code 1
```
"""


def test_sections_have_paths_anchors_and_lines() -> None:
    found = sections(ARTICLE, "退款多久到账")
    assert [(s.headings, s.anchor, s.audience) for s in found] == [
        ((), "退款多久到账", Audience.PUBLIC),
        (("各方式",), "methods", Audience.PUBLIC),
        (("各方式", "步骤"), "步骤", Audience.PUBLIC),
        (("各方式", "步骤"), "步骤", Audience.INTERNAL),
        (("各方式",), "各方式", Audience.PUBLIC),
    ]
    assert found[0].text == "储蓄卡一到三天。信用卡三到七天，见进度。"
    assert found[1].text == "方式：储蓄卡；时间：1–3 天\n方式：信用卡；时间：3–7 天"
    assert found[2].text == "1. 打开订单\n2. 点“退款”\n· 选原因"
    assert found[3].text == "先查回执。"
    assert found[4].text == "code 1"


def test_repeated_anchors_are_numbered() -> None:
    assert [s.anchor for s in sections("## 甲\n\n一\n\n## 甲\n\n二\n\n## 甲\n\n三")] == ["甲", "甲_1", "甲_2"]


def test_english_tables_are_punctuated_in_english() -> None:
    assert sections("| Way | Days |\n|---|---|\n| Card | 3 |")[0].text == "Way: Card; Days: 3"


def test_first_heading() -> None:
    assert first_heading("前言\n\n## 标题 {#a .b}\n\n正文") == "标题"
    assert first_heading("没有标题") == ""


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 300), max_size=12))
def test_split_text_keeps_every_sentence_within_the_limit(lengths: list[int]) -> None:
    text = "".join(f"{'字' * length}。" for length in lengths)
    pieces = split_text(text)
    assert all(len(piece) <= MAX_CHARACTERS for piece in pieces)
    assert all(any(text[start:end] in piece for piece in pieces) for start, end in sentence_spans(text))


def test_one_endless_sentence_is_cut() -> None:
    pieces = split_text("字" * 5000)
    assert "".join(pieces) == "字" * 5000
    assert max(map(len, pieces)) <= 2 * MAX_CHARACTERS


def test_passages_of_an_article_and_a_script() -> None:
    found = passages(record("a_1", "退款多久到账", ARTICLE, ["钱呢", "钱呢", ""]))
    assert [p.role for p in found[:2]] == [Role.TITLE, Role.QUESTION]
    assert sum(p.role is Role.QUESTION for p in found) == 1
    script = passages(record("s_1", "安抚", "您好{客户姓名}。", kind=Kind.SCRIPT))
    assert script[-1].text == "您好{客户姓名}。"


def test_an_internal_article_has_no_public_passage() -> None:
    found = passages(record("a_1", "标题", ARTICLE, audience=Audience.INTERNAL))
    assert {p.audience for p in found} == {Audience.INTERNAL}
