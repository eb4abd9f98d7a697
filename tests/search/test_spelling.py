"""How questions are read as they are typed: every rule on small real indexes, and what must never be changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.build import Plan, build_generation
from indexer.records import Record
from search.analysis import Analyzer
from search.engine import Engine
from search.generation import current_number
from search.index import Expected, open_index
from search.lexicon import shipped_lexicon
from search.spelling.common import common_words, english_words, look_alikes
from search.spelling.likelihood import Likelihood
from search.spelling.reading import How, Reading, Typed, terms_of
from search.spelling.slips import SlipReader
from search.spelling.sounds import is_spelled, loose, loose_key
from search.spelling.speller import LONGEST, Speller
from search.spelling.vocabulary import Vocabulary, pair_codes
from search.suggest import syllables
from search.types import Audience, Kind, Mode, everything
from tests.conftest import query, record

ANALYZER = Analyzer(shipped_lexicon())
ARTICLES = [
    record("refund", "退款多久到账", "申请退款以后三到五天到账。退款进度在订单里查看。", ["退款几天能到"]),
    record(
        "password",
        "登录密码找回",
        "忘记登录密码时点找回密码，输入验证码。Enter the password and verify the account.",
        ["忘记密码怎么办"],
    ),
    record("slow", "慢查询怎么优化", "数据库慢查询先看索引，再优化语句。"),
    record("coupon", "优惠券怎么领取", "优惠券在活动页领取，下单时使用优惠券。"),
    record("card", "绑卡和换绑手机号", "绑卡需要银行卡和手机号，换绑手机号先验证身份。"),
    record("invoice", "电子发票怎么开", "电子发票在订单详情里申请，发票抬头可以修改。"),
    record("freeze", "账号封禁申诉", "账号被封禁可以提交申诉。账号和密码不要告诉别人。"),
    record("tool", "软件和网络要求", "软件需要网络。型号 TH-01 和 iPhone15 都可以用。"),
    record("person", "转人工客服", "需要转人工客服时点右上角。"),
]


def _open(root: Path, records: Iterable[Record]) -> Speller:
    build_generation(records, Plan(root, ANALYZER, None))
    return open_index(root / str(current_number(root)), Expected(ANALYZER.id, "")).speller


def read(speller: Speller, text: str, typing: bool = False, audience: Audience = Audience.INTERNAL) -> Reading:
    typed = Typed(text, ANALYZER.fold_question(text), typing)
    return speller.read(typed, audience, ANALYZER.is_word)


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> Speller:
    return _open(tmp_path_factory.mktemp("spelling"), ARTICLES)


@pytest.mark.parametrize(
    ("typed", "read_as", "how"),
    [
        ("tuikuan", "退款", How.PINYIN),
        ("tui kuan", "退款", How.PINYIN),
        ("denglu mima zhaohui", "登录密码找回", How.PINYIN),
        ("denglumimazhaohui", "登录密码找回", How.PINYIN),
        ("tuikuan多久", "退款多久", How.PINYIN),
        ("7tian tuikuan", "7天退款", How.PINYIN),
        ("xi an", "西安", How.PINYIN),
        ("app tuikuan", "app 退款", How.PINYIN),
        ("bang ka zenme ban", "绑卡怎么办", How.PINYIN),
        ("TuiKuan", "退款", How.PINYIN),
        ("tk多久", "退款多久", How.INITIALS),
        ("yhq", "优惠券", How.INITIALS),
        ("zrgkf", "转人工客服", How.INITIALS),
        ("tkdz", "退款到账", How.INITIALS),
        ("退宽", "退款", How.SOUND),
        ("登路密码", "登录密码", How.SOUND),
        ("慢察询怎么优花", "慢查询怎么优化", How.SOUND),
        ("封尽申诉", "封禁申诉", How.SOUND),
        ("绑定手机好", "绑定手机号", How.SOUND),
        ("绑定银航卡", "绑定银行卡", How.SOUND),
        ("验正码", "验证码", How.SOUND),
        ("修改抬偷", "修改抬头", How.SOUND),
        ("推款", "退款", How.SHAPE),
        ("退退款", "退款", How.DOUBLED),
        ("票发", "发票", How.ORDER),
        ("优券", "优惠券", How.MISSING),
        ("pasword", "password", How.ENGLISH),
        ("passwrod", "password", How.ENGLISH),
        ("verfiy my acount", "verify my account", How.ENGLISH),
    ],
)
def test_what_was_meant(speller: Speller, typed: str, read_as: str, how: How) -> None:
    found = read(speller, typed)
    assert found.text == read_as
    assert how in {change.how for change in found.changes}


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "退款多久到账",
        "可以退吗",
        "iPhone15",
        "TH-01",
        "th01",
        "ＴＨ－０１",
        "password",
        "can you change my password",
        "what is an invoice",
        "me",
        "long",
        "refund@example.com",
        "www.tuikuan.com",
        "a/tuikuan/b",
        "SN",
        "QR code",
        "TK",
        "3kg",
        "我的猫不见了",
        "看看",
        "<b>",
        "我想要一个新的",
    ],
)
def test_what_is_right_stays(speller: Speller, typed: str) -> None:
    assert read(speller, typed) == Reading(ANALYZER.fold_question(typed))


HOMOPHONES = """
景点 经典|权利 权力|报销 报效|事故 世故|期中 期终|公式 公事|公示 公式|形式 形势|必须 必需|截止 截至|反映 反应|启示 启事
合计 核计|交代 交待|制定 制订|法制 法治|品位 品味|实施 事实|时事 实事|实力 视力|意义 异议|意义 意译|仪器 一起|异常 一场
以后 一会|就是 旧式|油费 游费|会员 会园|定金 订金|签收 前手|申请 深情|申请 神情|收费 守废|手机 收集|手工 首工|支付 制服
治服 支付|运费 孕妃|退货 推火|积分 几分|计费 记肺|机器 激起|投诉 头数|市场 时常|试用 适用|使用 食用|电子 垫子|订单 定单
下单 下蛋|发票 法票|发货 发火|物流 乌榴|账户 张湖|密码 密麻|包裹 包果|快递 快地|抱歉 报欠|客服 克服|售后 瘦猴|售后 收后
优惠 幽会|活动 货动|商品 上品|商家 伤价|价格 架格|保价 报价|保证 报怔|保修 报修|维修 围修|安全 暗权|取件 曲剑|取消 去销
消费 小费|余额 鱼鳄|提现 体现|提醒 体型|充值 重置|到期 道歉|工资 公资|公司 公私|公里 功力|企业 起夜|期限 气陷|使者 侍者
权限 全险|全部 全不|预定 预订|预约 于月|登录 登陆|注册 住册|注意 主义|主页 竹叶|住宿 著述|原因 元音|缘由 原油|来源 莱园
数据 书局|数目 书目|树木 数目|速度 酥度|数码 舒马|图片 突骗|通话 童话|通知 同志|同事 同时|统治 通知|案件 按键|安检 暗箭
""".replace("\n", "|")
PAIRS = [tuple(pair.split()) for pair in HOMOPHONES.split("|") if pair]
REAL = [pair for pair in PAIRS if all(ANALYZER.is_word(word) for word in pair)]


def test_there_are_enough_homophones() -> None:
    assert len(REAL) >= 60


@pytest.fixture(scope="module")
def only_one_of_each(tmp_path_factory: pytest.TempPathFactory) -> tuple[Speller, Speller]:
    """Two indexes, each of which has the one word of every pair and not the other."""
    indexes = []
    for side in (0, 1):
        records = [record(f"{n}", f"{pair[side]}说明", f"关于{pair[side]}。") for n, pair in enumerate(REAL)]
        indexes.append(_open(tmp_path_factory.mktemp(f"side{side}"), records))
    return indexes[0], indexes[1]


@pytest.mark.parametrize("pair", REAL, ids="-".join)
def test_a_real_word_is_never_taken_for_its_homophone(
    only_one_of_each: tuple[Speller, Speller], pair: tuple[str, str]
) -> None:
    first, second = only_one_of_each
    for speller, word in ((second, pair[0]), (first, pair[1])):
        for text in (word, f"{word}怎么办", f"关于{word}的问题", f"我要{word}"):
            assert read(speller, text).text == text


def test_what_the_texts_attest_is_not_corrected(tmp_path: Path) -> None:
    speller = _open(tmp_path, [*ARTICLES, record("new", "退宽是什么", "退宽是一种布料。")])
    assert read(speller, "退宽").changes == ()


def test_tickets_attest_nothing(tmp_path: Path) -> None:
    slip = record("t", "退宽不到", "我的退宽没到", kind=Kind.TICKET, audience=Audience.INTERNAL)
    assert read(_open(tmp_path, [*ARTICLES, slip]), "退宽").text == "退款"


def test_function_words_beside_a_word_are_no_slip(speller: Speller) -> None:
    for text in ("的款", "有款", "退了", "在路", "我宽"):
        assert read(speller, text).changes == ()


def test_the_capitals_of_an_abbreviation_are_no_initials(speller: Speller) -> None:
    assert read(speller, "yhq").text == "优惠券"
    assert read(speller, "YHQ").text == "yhq"


def test_like_sounds_need_stronger_evidence() -> None:
    assert loose("zhang") == loose("zan") and loose("ning") == loose("lin") and loose("feng") == loose("hen")
    assert loose("zhong") != loose("zhang")
    vocabulary = _vocabulary({"配送范围": 50})
    reader = SlipReader(vocabulary, common_words(), Likelihood(common_words(), vocabulary))
    assert [edit.change.how for edit in reader.edits("配送翻围", lambda word: False)] == [How.SOUND]
    assert [edit.change.how for edit in reader.edits("配送荒围", lambda word: False)] == []
    assert [edit.change.how for edit in reader.edits("配送晃围", lambda word: False)] == []
    assert [edit.change.how for edit in reader.edits("配松范围", lambda word: False)] == [How.SOUND]
    assert [edit.change.how for edit in reader.edits("配送房围", lambda word: False)] == [How.LIKE_SOUND]


def _vocabulary(counts: dict[str, int]) -> Vocabulary:
    sounds = {word: syllables(word) for word in counts}
    return Vocabulary(
        counts=counts,
        latin={},
        by_key={"".join(own): [word] for word, own in sounds.items()},
        by_loose_key={loose_key(own): [word] for word, own in sounds.items()},
        by_initials={"".join(sound[0] for sound in own): [word] for word, own in sounds.items()},
        pairs=(frozenset(int(code) for word in counts for code in pair_codes(word)),),
        lines=[],
    )


@pytest.mark.parametrize(
    ("typed", "read_as"),
    [("tuik", "退款"), ("denglu mim", "登录 密码"), ("passw", "password"), ("怎么tuik", "怎么退款"), ("fap", "发票")],
)
def test_half_typed_words_are_read_while_typing_only(speller: Speller, typed: str, read_as: str) -> None:
    assert read(speller, typed, typing=True).text == read_as
    assert read(speller, typed).text != read_as


def test_a_last_character_may_be_the_beginning_of_a_word(speller: Speller) -> None:
    begun = read(speller, "怎么退", typing=True)
    assert (begun.text, begun.begun, begun.changes) == ("怎么退", "退款", ())
    assert read(speller, "怎么退").begun == ""
    assert read(speller, "怎么退款", typing=True).begun == ""


@pytest.mark.parametrize("typed", ["zh", "ch", "sh", "t", "怎么t"])
def test_the_first_letters_of_a_syllable_wait(speller: Speller, typed: str) -> None:
    assert read(speller, typed, typing=True).changes == ()


@pytest.mark.parametrize(
    ("typed", "read_as"), [("軟體", "软件"), ("網路", "网络"), ("軟體網路", "软件网络"), ("資訊", "信息")]
)
def test_words_of_taiwan_and_hong_kong(analyzer: Analyzer, typed: str, read_as: str) -> None:
    assert analyzer.fold_question(typed) == read_as


@pytest.mark.parametrize("typed", ["软体", "网路", "退款", "iPhone15", "乾隆"])
def test_simplified_text_is_folded_as_ever(analyzer: Analyzer, typed: str) -> None:
    assert analyzer.fold_question(typed) == analyzer.fold(typed)


# What readers may not see they are not led to.

HIDDEN = [
    record("in", "内部折扣码", "密钥轮换 backdoor", audience=Audience.INTERNAL),
    record("soon", "双旦秒杀预热", "双旦秒杀预热", valid_from=1 << 39),
    record("mixed", "公开说明", "公开。\n\n!!! internal\n    底价底牌 lowball\n"),
]


@pytest.mark.parametrize("typed", ["nbzkm", "neibuzhekouma", "backdor", "ssms", "dijiadipai", "lowbal", "miyaolunhuan"])
def test_nobody_is_led_to_what_they_may_not_read(tmp_path: Path, typed: str) -> None:
    speller = _open(tmp_path, [*ARTICLES, *HIDDEN])
    open_only = _open(tmp_path / "open", ARTICLES)
    words = {"内部折扣码", "backdoor", "双旦秒杀", "底价底牌", "lowball", "密钥轮换"}
    public = read(speller, typed, audience=Audience.PUBLIC)
    assert public.text not in words
    assert public == read(open_only, typed, audience=Audience.PUBLIC)


def test_staff_are_led_to_internal_words(tmp_path: Path) -> None:
    speller = _open(tmp_path, [*ARTICLES, *HIDDEN])
    assert read(speller, "nbzkm").text == "内部折扣码"
    assert read(speller, "backdor").text == "backdoor"


# Through the engine.


@pytest.fixture
def engine(make_index: Callable[[Iterable[Record]], Path], analyzer: Analyzer) -> Engine:
    """By words alone, so that nothing is found by chance."""
    return Engine(make_index(ARTICLES), analyzer, None)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("tuikuan", "refund"), ("tkdz", "refund"), ("退宽", "refund"), ("款到账", "refund"), ("denglumima", "password"),
        ("慢察询", "slow"), ("优惠卷", "coupon"), ("huanbang", "card"), ("軟體", "tool"), ("pasword", "password"),
    ],
)  # fmt: skip
def test_the_article_is_found(engine: Engine, typed: str, found: str) -> None:
    assert engine.answer(query(typed), everything).hits[0].document.id == found


def test_why_says_what_was_read(engine: Engine) -> None:
    why = engine.answer(query("tuikuan多久"), everything).hits[0].why
    assert (why.pinyin, why.corrected) == (("退款",), "退款多久")
    assert "退款" in why.terms
    why = engine.answer(query("退宽"), everything).hits[0].why
    assert (why.pinyin, why.corrected) == ((), "退款")
    why = engine.answer(query("退款"), everything).hits[0].why
    assert (why.pinyin, why.corrected) == ((), None)


def test_typing_finds_what_is_only_begun(engine: Engine) -> None:
    assert engine.answer(query("tuik", mode=Mode.TYPING), everything).hits[0].document.id == "refund"


def test_a_slip_is_completed_as_it_was_meant(engine: Engine) -> None:
    assert "退款多久到账" in engine.answer(query("退宽多久", mode=Mode.TYPING), everything).completions


def test_an_exact_word_stands_above_its_homophone(make_engine: Callable[[Iterable[Record]], Engine]) -> None:
    engine = make_engine(
        [
            record("classic", "经典说明", "经典经典经典。"),
            record("spot", "景点说明", "说明一处景点。"),
            record("x", "别的", "别的。"),
        ]
    )
    found = [hit.document.id for hit in engine.answer(query("景点"), everything).hits]
    assert found[0] == "spot"
    terms = terms_of("景点", Reading("景点"), ANALYZER, lambda word: True)
    assert [(term.text, term.weight) for term in terms] == [("景点", 1.0)]


def test_pinyin_never_outweighs_what_was_typed(speller: Speller) -> None:
    typed = "优惠券 tuikuan"
    terms = terms_of(typed, read(speller, typed), ANALYZER, lambda word: word != "tuikuan")
    weights = {term.text: term.weight for term in terms if term.text == term.asked}
    assert weights["优惠券"] == 1.0
    assert 0 < weights["退款"] < 1.0


def test_a_typed_word_of_the_index_stays_beside_its_correction() -> None:
    reading = Reading("退款多久", ())
    terms = {t.text: t.weight for t in terms_of("退宽带多久", reading, ANALYZER, lambda word: word == "宽带")}
    assert terms["宽带"] == 1.0
    assert terms["退款"] < 1.0


# Whatever is typed.

WORDS = [
    "退款",
    "多久",
    "到账",
    "登录",
    "密码",
    "找回",
    "优惠券",
    "领取",
    "银行卡",
    "手机号",
    "发票",
    "账号",
    "申诉",
    "软件",
    "网络",
]
SHARED: dict[str, Speller] = {}


@pytest.fixture(scope="module", autouse=True)
def _shared(speller: Speller) -> None:
    SHARED["speller"] = speller


@given(st.sampled_from([a.document.title for a in ARTICLES] + [q for a in ARTICLES for q in a.questions]))
def test_what_stands_in_the_texts_is_never_changed(text: str) -> None:
    assert read(SHARED["speller"], text).changes == ()


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
def test_words_side_by_side_are_never_changed(words: list[str]) -> None:
    assert read(SHARED["speller"], "".join(words)).changes == ()


TYPED = st.lists(
    st.sampled_from(
        [
            *WORDS,
            *"退宽登路察优花末未己已兔免款多久 的了",
            "tuikuan",
            "tk",
            "yhq",
            "pasword",
            "zhanghao",
            "denglu ",
            " ",
            "the",
            "7",
        ]
    ),
    max_size=7,
).map("".join)


@settings(max_examples=300)
@given(TYPED)
def test_reading_what_was_read_changes_nothing(text: str) -> None:
    once = read(SHARED["speller"], text).text
    assert read(SHARED["speller"], once).text == once


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=80), st.booleans())
def test_nothing_raises(text: str, typing: bool) -> None:
    reading = read(SHARED["speller"], text, typing)
    terms_of(ANALYZER.fold(text), reading, ANALYZER, lambda word: False)


HOSTILE = [
    "退宽" * 50_000, "tuikuan" * 20_000, "a" * 100_000, "zhuang" * 33, "退" * 200, "tk " * 66, "xian'" * 40, "😀" * 100_000,
    "<script>alert(1)</script>" * 50, "\x00\x01\x02退宽\x7f", "\ud800退宽\udfff", "\u202e退宽\u200b", "e\u0301" * 90, "𠀀𠀁退宽",
    "(a+)+$" * 30, "[^\n]{1,30}?" * 10, "bcdfghj" * 28, "z" * 8 + "h" * 8, "' " * 90,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("typing", [False, True])
def test_hostile_input_is_read_quickly(speller: Speller, text: str, typing: bool) -> None:
    read(speller, "热身tuikuan退宽", typing)
    started = time.process_time()
    read(speller, text, typing)
    assert time.process_time() - started < 0.5


def test_pasted_text_is_taken_as_it_is(speller: Speller) -> None:
    assert read(speller, "退宽").changes
    assert read(speller, "退宽".ljust(LONGEST + 1, "，")).changes == ()


def test_an_empty_index_reads_everything(tmp_path: Path) -> None:
    speller = _open(tmp_path, [])
    for text in ("退宽", "tuikuan", "tk", "pasword"):
        read(speller, text, typing=True)


# The data that ships.

LEAST = {1: 20, 2: 100, 3: 100, 4: 200}


def _jieba_words() -> Iterable[tuple[str, int]]:
    spec = find_spec("jieba")
    assert spec and spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "dict.txt"
    for line in path.read_text("utf-8").splitlines():
        word, count, _ = line.split(" ")
        yield word, int(count)


def test_common_words_are_the_frequent_words_of_jieba() -> None:
    counts = dict(_jieba_words())
    shipped = common_words().sounds
    assert [word for word in shipped if counts.get(word, 0) < LEAST[len(word)]] == []
    wanted = [
        word
        for word, count in counts.items()
        if len(word) in LEAST and count >= LEAST[len(word)] and all("\u4e00" <= c <= "\u9fff" for c in word)
    ]
    simplified = [word for word in wanted if ANALYZER.fold(word) == word]
    left_out = [word for word in simplified if word not in shipped]
    # pypinyin has no syllable with a vowel for them.
    assert len(left_out) < 5
    assert all(any(not set(sound) & set("aeiouv") for sound in syllables(word)) for word in left_out)
    sample = list(shipped)[::50]
    assert [word for word in sample if shipped[word] != "'".join(syllables(word))] == []


def test_every_common_syllable_is_spelled() -> None:
    syllable = common_words().syllables
    assert 380 <= len(syllable) <= 420
    assert is_spelled("zhuangtai", syllable) and is_spelled("xian", syllable)
    assert not is_spelled("tuik", syllable) and not is_spelled("app", syllable)


def test_look_alikes_are_mutual_single_han_characters() -> None:
    table = look_alikes()
    assert len(table) >= 300
    for char, others in table.items():
        assert len(char) == 1 and char not in others and len(set(others)) == len(others)
        assert all(char in table[other] for other in others)
        assert all(ANALYZER.fold(other) == other for other in (char, *others))


def test_english_words_are_folded() -> None:
    words = english_words()
    assert len(words) > 15_000
    assert [word for word in words if not (word.isascii() and word.isalpha() and word.islower())] == []


@given(st.text(st.sampled_from("退款多久\nab，𠀀"), max_size=30))
def test_pairs_are_neighbours(text: str) -> None:
    han = [a + b for a, b in pairwise(text) if all("\u3400" <= c <= "\u9fff" for c in a + b)]
    assert pair_codes(text).tolist() == [ord(pair[0]) << 16 | ord(pair[1]) for pair in han]
    assert pair_codes(text).dtype == np.uint32
