from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.articles import ArticleFile, Defaults, State, Unreadable, Variable, article_text, parse_article, with_id
from search.types import FOREVER, Audience, Kind

PLACE = Defaults(PurePosixPath("refund/refund-arrival.md"))


def parse(text: str) -> ArticleFile:
    return parse_article(text.encode(), PLACE)


def test_without_front_matter_the_file_speaks_for_itself() -> None:
    found = parse("# 退款多久到账\n\n一到三天。")
    assert (found.title, found.category, found.audience, found.state) == (
        "退款多久到账", "refund", Audience.INTERNAL, State.PUBLISHED,
    )  # fmt: skip
    assert parse("没有标题").title == "refund-arrival"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, ending: str) -> None:
    text = "---\ntitle: 退款\nvalid_until: 2026-12-31\n---\n\n正文。\n".replace("\n", ending)
    found = parse_article(text.encode(encoding), PLACE)
    assert (found.title, found.body) == ("退款", "正文。")


def test_validity_ends_when_the_day_ends_in_the_time_zone_of_the_desk() -> None:
    found = parse("---\ntitle: 甲\nvalid_from: 2026-01-01\nvalid_until: 2026-01-01\n---\n")
    assert found.valid_until - found.valid_from == 24 * 3600
    assert found.valid_from == 1_767_196_800
    assert parse("---\ntitle: 甲\n---\n").valid_until == FOREVER


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("---\ntitle: 甲\ntags: [a\n---\n", 4, "front matter"),
        ("---\ntitle: 甲: 乙\n---\n", 2, "front matter"),
        ("---\ntitle: 甲\nreview_every: 很久\n---\n", 3, "review_every"),
        ("---\ntitle: 甲\naudience: everyone\n---\n", 3, "audience"),
        ("---\ntitle: 甲\nid: ../../etc\n---\n", 3, "id"),
        ("---\ntitle: 甲\nkind: ticket\n---\n", 3, "kind"),
        ("---\n- 甲\n- 乙\n---\n", 1, "not a list"),
        ("---\ntitle: 甲\n没有结束", 1, "never closed"),
        ("---\ntitle: !!python/object/apply:os.system [id]\n---\n", 2, "front matter"),
        ("正文\n第二行\x00", 2, "control characters"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(text: str, line: int, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as caught:
        parse(text)
    assert caught.value.line == line
    assert caught.value.hint


@pytest.mark.parametrize("data", [b"x" * 50_000_000, b"\xff\xfe\x00\x01", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_what_is_no_text_or_too_large_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_article(data, PLACE)


def test_a_yaml_bomb_is_harmless() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    assert parse("---\ntitle: 甲\n" + "\n".join(lines) + "\n---\n").title == "甲"


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Co", "Cn")), min_size=1, max_size=20
)
LINE = WORDS.map(str.strip).filter(bool)


@settings(max_examples=150, deadline=None)
@given(
    title=LINE,
    tags=st.lists(LINE, max_size=3),
    questions=st.lists(LINE, max_size=3),
    body=st.lists(st.sampled_from(["段落。", "## 标题", "", "- 项", "---", "title: 假的"]), max_size=6).map("\n".join),
    days=st.integers(0, 4000),
    kind=st.sampled_from([Kind.ARTICLE, Kind.SCRIPT, Kind.ANNOUNCEMENT]),
)
def test_a_file_written_is_the_file_read(
    title: str, tags: list[str], questions: list[str], body: str, days: int, kind: Kind
) -> None:
    article = ArticleFile(
        id="a_12345678",
        title=title,
        body=body.strip("\n"),
        category="refund",
        kind=kind,
        tags=tuple(tags),
        questions=tuple(questions),
        audience=Audience.PUBLIC,
        valid_until=FOREVER if days == 0 else 1_767_196_800 + days * 86400,
        variables=(Variable("姓名", "王"),),
        channels={"sms": title},
    )
    assert parse(article_text(article, "Asia/Shanghai")) == article


def test_giving_an_id_changes_nothing_else() -> None:
    text = "---\n# 注释\ntitle: 甲   # 行尾\n---\n\n正文\n"
    assert with_id(text.encode(), "a_12345678").decode() == text.replace("---\n", "---\nid: a_12345678\n", 1)
    plain = with_id("# 甲\n".encode(), "a_12345678")
    assert parse_article(plain, PLACE).id == "a_12345678"
    assert parse_article(plain, PLACE).body == "# 甲"


ID = "a_12345678"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("---\ntitle: 甲\n---\n正文\n", "---\nid: a_12345678\ntitle: 甲\n---\n正文\n"),
        ("---  \ntitle: 甲\n--- \n正文", "---  \nid: a_12345678\ntitle: 甲\n--- \n正文"),
        ("---\ntitle: 甲\nid:\n---\n正文", "---\nid: a_12345678\ntitle: 甲\n---\n正文"),
        ('---\nid: ""\ntitle: 甲\n---\nid:\n', "---\nid: a_12345678\ntitle: 甲\n---\nid:\n"),
        ("---\n---\n正文", "---\nid: a_12345678\n---\n正文"),
        ("# 甲\n\n正文\n", "---\nid: a_12345678\n---\n\n# 甲\n\n正文\n"),
    ],
)
def test_giving_an_id_keeps_every_other_byte(encoding: str, ending: str, before: str, after: str) -> None:
    data = with_id(before.replace("\n", ending).encode(encoding), ID)
    assert data == after.replace("\n", ending).encode(encoding)
    assert parse_article(data, PLACE).id == ID


def test_the_last_day_there_is_means_for_ever() -> None:
    assert parse("---\ntitle: 甲\nvalid_until: 9999-12-31\n---\n").valid_until == FOREVER
    long_ago = parse("---\ntitle: 甲\nvalid_from: 0001-01-01\nvalid_until: 0001-01-02\n---\n")
    assert (long_ago.valid_from, long_ago.valid_until) == (0, 0)
    assert parse(article_text(long_ago, "Asia/Shanghai")).title == "甲"


@pytest.mark.parametrize(
    "text",
    [
        "---  \ntitle: 甲\n没有结束",
        "---\ntitle: " + "甲" * 66_000 + "\n---\n",
        "---\na: " + "[" * 30_000 + "\n---\n",
        "---\ntitle: 甲\nvalid_from: 2026-02-30\n---\n",
        "---\ntitle: 甲\nreview_every: " + "9" * 5_000 + "\n---\n",
        "---\ntitle: [甲]\n---\n",
        "---\ntitle: true\n---\n",
        "---\ntitle: 甲\nquestions: {a: 1}\n---\n",
        "---\ntitle: 甲\nvariables: [{example: 王}]\n---\n",
        "---\ntitle: 甲\nchannels: [chat]\n---\n",
        "---\ntitle: " + "甲" * 201 + "\n---\n",
    ],
)
def test_front_matter_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(text)
    assert caught.value.line >= 1
    assert caught.value.hint


@settings(max_examples=200)
@given(st.binary(max_size=200) | st.text(st.sampled_from("-: \n[]{}'\"#&*!甲title"), max_size=80).map(str.encode))
def test_any_file_is_an_article_or_is_refused(data: bytes) -> None:
    for content in (data, b"---\n" + data + b"\n---\n"):
        try:
            assert isinstance(parse_article(content, PLACE), ArticleFile)
        except Unreadable as error:
            assert error.hint
