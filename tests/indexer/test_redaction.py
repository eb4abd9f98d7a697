"""Masking of personal data: a synthetic corpus per kind, what must be kept, hostile text, and the rules of tokens."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indexer.redaction import Personal, Redactor, audit, find_personal

PER_KIND = 400
P = Personal


@dataclass(frozen=True, slots=True)
class Sample:
    """A ticket text and the values in it that must go."""

    text: str
    values: tuple[tuple[Personal, str], ...] = ()


def mask(text: str) -> str:
    return Redactor().mask(text)


# --- the synthetic corpus ---------------------------------------------------------------------------------------


def digits(rng: random.Random, n: int) -> str:
    return "".join(rng.choices("0123456789", k=n))


def mobile(rng: random.Random) -> str:
    return rng.choice(["13", "14", "15", "16", "17", "18", "19"]) + digits(rng, 9)


def landline(rng: random.Random) -> str:
    area, length = rng.choice([("010", 8), ("021", 8), ("0755", 8), ("0571", 8), ("0312", 7), ("0898", 8)])
    return area + rng.choice(["-", " ", ""]) + rng.choice("2345678") + digits(rng, length - 1)


def check_character(body: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


def id_body(rng: random.Random) -> str:
    region = rng.choice(["110105", "310115", "440305", "330106", "510107", "652301", "810000"])
    birth = f"{rng.randint(1930, 2019)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    return region + birth + digits(rng, 3)


def id_card(rng: random.Random) -> str:
    body = id_body(rng)
    return body + rng.choice([check_character(body), check_character(body).lower()])


def luhn(body: str) -> str:
    for last in "0123456789":
        total = 0
        for i, digit in enumerate(reversed(body + last)):
            value = int(digit) * (2 if i % 2 else 1)
            total += value - 9 if value > 9 else value
        if total % 10 == 0:
            return body + last
    raise AssertionError("one digit of ten always fits")


def bank_card(rng: random.Random) -> str:
    prefix, length = rng.choice(
        [("6222", 19), ("6217", 19), ("6228", 19), ("6214", 16), ("6225", 16), ("6259", 16), ("4367", 16), ("5187", 16)]
    )
    return luhn(prefix + digits(rng, length - 5))


def email(rng: random.Random) -> str:
    local = rng.choice(["zhang.san", "li_si", "wangwu", "chen-6", "a", "user+shop", digits(rng, 9)])
    host = rng.choice(
        ["qq.com", "163.com", "gmail.com", "mail.example.com.cn", "foxmail.com", "公司.中国", "xn--fiq.cn"]
    )
    return f"{local}@{host}"


GIVEN = ["明", "伟", "芳", "秀英", "建国", "小红", "志强", "丽", "雨欣", "子涵", "浩然", "为民", "有才", "梓萱", "静怡"]
FAMILY = [
    "王",
    "李",
    "张",
    "刘",
    "陈",
    "赵",
    "周",
    "欧阳",
    "黄",
    "徐",
    "孙",
    "朱",
    "诸葛",
    "何",
    "郭",
    "高",
    "方",
    "于",
]


def name(rng: random.Random) -> str:
    return rng.choice(FAMILY) + rng.choice(GIVEN)


def address(rng: random.Random) -> str:
    region = rng.choice(
        [
            "北京市朝阳区",
            "上海浦东新区",
            "浙江省杭州市余杭区",
            "广东省深圳市南山区",
            "成都武侯区",
            "江苏省苏州市昆山市",
            "内蒙古赤峰市松山区",
        ]
    )
    road = rng.choice(["建国路", "张江路", "文一西路", "科技园南路", "天府大道", "人民街", "幸福巷", "长江北路"])
    number = rng.choice(["88号", "969号", f"{rng.randint(1, 999)}号", "12弄"])
    estate = rng.choice(["", "阳光花园", "万科小区", "幸福家园", "国际大厦"])
    door = (
        rng.choice(["3栋2单元501室", "5号楼1201", "A座1102室", "12幢301", "2单元602"])
        if estate
        else rng.choice(["", "5号楼1201", "3栋501室"])
    )
    return region + road + number + estate + door


def estate(rng: random.Random) -> str:
    place = rng.choice(["阳光花园", "万科小区", "翠湖公寓", "锦绣家园", "桂花新村"])
    return f"{place}{rng.randint(1, 30)}栋{rng.randint(1, 4)}单元{rng.randint(101, 2902)}室"


def plate(rng: random.Random) -> str:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    serial = rng.choice(
        [
            digits(rng, 5),
            rng.choice(letters) + digits(rng, 4),
            "D" + digits(rng, 5),
            "F" + rng.choice(letters) + digits(rng, 4),
        ]
    )
    return rng.choice("京沪粤浙苏川鲁豫湘鄂渝津闽皖") + rng.choice(letters[:12]) + rng.choice(["", "·", " "]) + serial


def wechat(rng: random.Random) -> str:
    return rng.choice(["zhang_san", "lisi", "abc", "wx-user", "Tom"]) + digits(rng, rng.randint(4, 8))


def qq(rng: random.Random) -> str:
    return rng.choice("123456789") + digits(rng, rng.randint(5, 9))


def passport(rng: random.Random) -> str:
    return rng.choice(["E", "G", "EA", "C", "H"]) + digits(rng, 8)


def plain(_rng: random.Random, value: str) -> str:
    return value


def full_width(_rng: random.Random, value: str) -> str:
    return value.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})


def circled(_rng: random.Random, value: str) -> str:
    return value.translate(str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨"))


def interrupted(rng: random.Random, value: str) -> str:
    """Invisible characters between the others, as some chat programs and some people put them."""
    return rng.choice(["\u200b", "\u200d", "\u2060", "\ufeff", "\ufe0f\u20e3"]).join(value)


def spaced(rng: random.Random, value: str) -> str:
    """Digits in the groups people type them in."""
    gap = rng.choice([" ", "-", "－", "\u3000", "—"])
    sizes = {11: [3, 4, 4], 16: [4, 4, 4, 4], 18: [6, 8, 4], 19: [4, 4, 4, 4, 3]}[len(value)]
    parts, at = [], 0
    for size in sizes:
        parts.append(value[at : at + size])
        at += size
    return gap.join(parts)


def foreign(rng: random.Random, value: str) -> str:
    return rng.choice(["+86", "+86 ", "86-", "0086", "（+86）"]) + value


DIGIT_DISGUISES = [plain, plain, plain, full_width, circled, interrupted, spaced]

Make = Callable[[random.Random], str]
Disguise = Callable[[random.Random, str], str]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How values of a kind are made, disguised and mentioned; `{}` is the value."""

    kind: Personal
    make: Make
    disguises: Sequence[Disguise]
    sentences: Sequence[str]


RECIPES = [
    Recipe(
        P.MOBILE,
        mobile,
        [*DIGIT_DISGUISES, foreign],
        [
            "我手机号是{}，尽快联系",
            "电话{}",
            "打{}没人接",
            "{}",
            "TEL:{}找我",
            "加我微信{}同号",
            "（{}）",
            "收货电话：{}，白天打",
            "原号{}不用了",
        ],
    ),
    Recipe(P.LANDLINE, landline, [plain, full_width], ["公司电话{}", "座机：{}，工作时间打", "打{}转总机", "{}"]),
    Recipe(P.ID_CARD, id_card, DIGIT_DISGUISES, ["身份证{}", "实名用的证件号是{}，通不过", "{}", "我的{}被别人绑了"]),
    Recipe(
        P.BANK_CARD,
        bank_card,
        DIGIT_DISGUISES,
        ["退到卡号{}", "银行卡{}没到账", "{}", "我尾号不对，账号是{}", "打到{}这张卡"],
    ),
    Recipe(
        P.EMAIL,
        email,
        [
            plain,
            plain,
            full_width,
            lambda rng, v: v.replace("@", rng.choice(["＠", "(at)", "[at]", "@\u200b"])) if v.isascii() else v,
        ],
        ["邮箱{}", "发票发到{}谢谢", "{}", "我的是{}，收不到验证码", "E-mail:{}"],
    ),
    Recipe(
        P.ADDRESS,
        address,
        [plain, plain, full_width],
        ["寄到{}", "收货地址：{}，谢谢", "{}", "我住{}", "地址写错了，应该是{}", "麻烦改成{}。", "送到{}的快递丢了"],
    ),
    Recipe(P.ADDRESS, estate, [plain], ["我住{}", "地址{}", "{}没人送上门", "放在{}门口"]),
    Recipe(P.PLATE, plate, [plain, full_width], ["车牌{}", "我的车{}被蹭了", "开的是{}，", "{}"]),
    Recipe(
        P.NAME,
        name,
        [plain],
        [
            "收件人：{}，",
            "姓名{}",
            "我叫{}，想退货",
            "联系人 {} 白天在",
            "户名是{}。",
            "寄件人:{}\n",
            "本人叫{}",
            "我叫{}想要退款",
        ],
    ),
    Recipe(P.WECHAT, wechat, [plain], ["微信号{}", "微信：{}", "加v {}", "vx:{}，通过一下", "我微信是{}", "加我wx {}"]),
    Recipe(P.QQ, qq, [plain, full_width], ["QQ{}", "qq号：{}", "加QQ {} 聊", "扣扣是{}"]),
    Recipe(P.PASSPORT, passport, [plain, full_width], ["护照{}", "护照号码：{}", "港澳通行证号{}", "台胞证是{}，"]),
]

NEGATIVE_SENTENCES: list[Callable[[random.Random], str]] = [
    lambda r: f"订单号{digits(r, r.choice([12, 16, 18, 19]))}一直不发货",
    lambda r: f"订单编号：{mobile(r)}",
    lambda r: f"运单{r.choice(['SF', 'YT', 'JD', 'EA'])}{digits(r, 13)}到哪了",
    lambda r: f"快递单号 {luhn(digits(r, 14))}",
    lambda r: f"单号{mobile(r)}{digits(r, 4)}查不到",
    lambda r: f"流水号{digits(r, 6)}{mobile(r)}{digits(r, 11)}",
    lambda r: digits(r, 9) + "0" + mobile(r) + "0" + digits(r, 9),
    lambda r: f"物流18位的 {wrong_id(r)}",
    lambda r: f"付了{r.randint(1, 99999)}.{digits(r, 2)}元，应付¥{r.randint(10, 999)}",
    lambda r: f"App版本{r.randint(1, 9)}.{r.randint(0, 99)}.{r.randint(0, 9999)}闪退，错误码E{digits(r, 8)}",
    lambda r: f"打400-{digits(r, 3)}-{digits(r, 4)}没人接，800{digits(r, 7)}也是",
    lambda r: f"95{digits(r, 3)}发的短信，还有1{digits(r, 4)}",
    lambda r: (
        f"202{r.randint(0, 9)}-{r.randint(1, 12):02}-{r.randint(1, 28):02} {r.randint(10, 23)}:30 下的单，20260{r.randint(1, 9)}15到"
    ),
    lambda r: f"{r.randint(1, 30)}号到货，走{r.choice(['地铁2号线', '3号门', '人民路站2号口'])}出来",
    lambda r: f"北京市朝阳区有没有门店，第{r.randint(1, 9)}层还是楼上",
    lambda r: "收件人信息填错了，联系人和电话都要改，姓名能改吗",
    lambda r: "客户方便的时间再打，联系人应该是本人，高先生说的，我叫了客服三次",
    lambda r: f"微信支付失败，微信 8.0.{r.randint(10, 60)} 版本，QQ音乐会员{r.randint(1, 12)}个月",
    lambda r: f"设备序列号SN{digits(r, 12)}，IMEI：{luhn('86' + digits(r, 12))}",
    lambda r: f"最新F{digits(r, 5)}型号，全新A{digits(r, 5)}，护照怎么上传",
    lambda r: f"@小王 看下 lodash@{r.randint(1, 9)}.17.21，@@@",
    lambda r: f"时间戳 17{digits(r, 11)}，商品编号{digits(r, 13)}，批次号{digits(r, 8)}",
    lambda r: f"尾号{digits(r, 4)}的卡，验证码{digits(r, 6)}，满{r.randint(100, 999)}减{r.randint(5, 50)}",
    lambda r: f"电话20260{r.randint(1, 9)}01打的，一共{r.randint(1, 9)}次，重量{r.randint(1, 99)}.5kg",
    lambda r: f"我住的小区改名了，{r.randint(2, 9)}号楼电梯坏了，在路上等了{r.randint(10, 59)}分钟",
]


def wrong_id(rng: random.Random) -> str:
    """18 digits in the form of an identity number with a check character that does not fit."""
    body = id_body(rng)
    return body + rng.choice([d for d in "0123456789" if d != check_character(body)])


def parcel(rng: random.Random) -> Sample:
    """What people paste from an order: who, which number, where to."""
    values = (P.NAME, name(rng)), (P.MOBILE, rng.choice([plain, spaced])(rng, mobile(rng))), (P.ADDRESS, address(rng))
    form = rng.choice(
        ["收货人：{}\n手机号码：{}\n所在地区：{}", "{}，{}，{}", "{} {} {}", "改成{}，电话{}，地址{}可以吗"]
    )
    if form.startswith("改成"):
        form = form.replace("改成", "收件人改成：", 1)
    return Sample(form.format(*(value for _, value in values)), values)


@cache
def corpus() -> tuple[Sample, ...]:
    rng = random.Random(20260101)
    noise = ["", "你好，", "急！", "昨天买的杯子碎了。", "都三天了，", "麻烦看看："]
    samples = [Sample(rng.choice(noise) + make(rng)) for make in NEGATIVE_SENTENCES for _ in range(60)]
    for recipe in RECIPES:
        for _ in range(PER_KIND):
            value = rng.choice(recipe.disguises)(rng, recipe.make(rng))
            text = rng.choice(noise) + rng.choice(recipe.sentences).format(value)
            # A phone number said to be a WeChat name stays a phone number.
            samples.append(Sample(text, ((recipe.kind, value),)))
    return (*samples, *(parcel(rng) for _ in range(PER_KIND)))


@cache
def scores() -> dict[Personal, tuple[float, float]]:
    """(recall, precision) per kind: found is a value that is covered whole, wrong a span that touches no value."""
    expected, found, right, wrong = ({kind: 0 for kind in P} for _ in range(4))
    for sample in corpus():
        spans = find_personal(sample.text)
        places = [
            (kind, sample.text.rindex(value), sample.text.rindex(value) + len(value)) for kind, value in sample.values
        ]
        for kind, start, end in places:
            expected[kind] += 1
            found[kind] += any(s.kind is kind and s.start <= start and end <= s.end for s in spans)
        for span in spans:
            hit = any(span.kind is kind and span.start < end and start < span.end for kind, start, end in places)
            right[span.kind] += hit
            wrong[span.kind] += not hit
    return {kind: (found[kind] / expected[kind], right[kind] / (right[kind] + wrong[kind])) for kind in P}


@pytest.mark.parametrize("kind", list(P))
def test_recall_and_precision(kind: Personal) -> None:
    recall, precision = scores()[kind]
    assert recall >= 0.99
    assert precision >= 0.98


def test_a_value_is_covered_without_its_neighbours() -> None:
    over = [
        (sample.text, sample.text[span.start : span.end])
        for sample in corpus()
        for kind, value in sample.values
        if kind not in (P.ADDRESS, P.NAME)
        for span in find_personal(sample.text)
        if span.kind is kind and span.end - span.start > len(value) + 2
    ]
    assert not over


def test_nothing_real_is_left_after_masking() -> None:
    left = [(span.kind, sample.text) for sample in corpus() if sample.values for span in audit(mask(sample.text))]
    assert not left


# --- single cases ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("电话13800138000找我", "电话[手机号#1]找我"),
        ("手机１３８００１３８０００", "手机[手机号#1]"),
        ("①③⑧⓪⓪①③⑧⓪⓪⓪", "[手机号#1]"),
        ("一三八零零一三八零零零", "[手机号#1]"),
        ("1 3 8 0 0 1 3 8 0 0 0", "[手机号#1]"),
        ("138.0013.8000转8001", "[手机号#1]"),
        ("身份证11010519491231002x", "身份证[身份证#1]"),
        ("110105 19491231 002X", "[身份证#1]"),
        ("身份证号110105491231002", "身份证号[身份证#1]"),
        ("身份证110105194912310021写错一位", "身份证[身份证#1]写错一位"),
        ("2 张卡 6222 0212 3456 7890 128 100元", "2 张卡 [银行卡#1] 100元"),
        ("abc@例子.公司和x(at)qq.com", "[邮箱#1]和[邮箱#2]"),
        ("q艾特qq点com", "[邮箱#1]"),
        ("京A12345、粤B·D12345、沪AD12345", "[车牌#1]、[车牌#2]、[车牌#3]"),
        ("姓名：阿依古丽·买买提，", "姓名：[姓名#1]，"),
        ("Customer Name: Marisa Obrien", "Customer Name: [姓名#1]"),
        ("张三，13800138000", "[姓名#1]，[手机号#1]"),
        ("我叫王小明想退货", "我叫[姓名#1]想退货"),
        ("我在朝阳区建国路88号院5号楼1201，", "我在[地址#1]，"),
        ("河南省南阳市卧龙区王村镇李庄村3组12号", "[地址#1]"),
        ("湖南省长沙市岳麓区麓山南路932号中南大学岳麓山校区升华公寓7栋", "[地址#1]"),
        ("寄到江苏省 苏州市 工业园区 星湖街 328号 创意产业园 5-201", "寄到[地址#1]"),
        ("深圳南山粤海街道科苑南路3099号中国储能大厦18F", "[地址#1]"),
        ("放到丰巢柜，幸福里小区8号楼", "放到丰巢柜，[地址#1]"),
        ("扔在朝阳门外大街甲6号了", "扔在[地址#1]了"),
        ("寄件人李雷 电话13900139000", "寄件人[姓名#1] 电话[手机号#1]"),
        ("my number is +86 (139) 0013 9000", "my number is [手机号#1]"),
        ("Zhang.San(at)Gmail(dot)com", "[邮箱#1]"),
        ("wxid_abc123def456", "[微信#1]"),
        ("座机：62345678转801", "座机：[座机#1]转801"),
        ("(0571)8765 4321", "[座机#1]"),
    ],
)
def test_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "订单号13812345678，运单SF1380013800012",
        "流水4200001380013800013800138000",
        "DD13800138000",
        "0efa45e17da815020a18919551973cc98089",
        "110105194912310021",
        "110105194913310024",
        "6222021234567890127",
        "400-800-1234、8008101234、95588、12315、10086",
        "版本8.0.33，错误码E12345678，¥13800.00，2026-01-01",
        "姓名：高先生；收货人信息；客户方便；我叫车了",
        "人民路2号线，3号窗口，12月5号到货，上海走陆路5号到",
        "微信 iPhone14pro 闪退，微信支付",
        "3.13800138000415",
        "余额 13900139000.00，工号13900，取件码 3-2-1024，1,380,013.80元",
        "用户名和密码、收件人和物品，名字是全局唯一的",
        "淘宝订单 2634567890123456789，京东订单 123456789012",
        "[手机号#1]的[地址#2]",
        "",
    ],
)
def test_kept(text: str) -> None:
    assert mask(text) == text


def test_tokens_are_stable_in_a_ticket() -> None:
    redactor = Redactor()
    assert redactor.mask("138 0013 8000和13900139000") == "[手机号#1]和[手机号#2]"
    assert redactor.mask("打+86-139-0013-9000或１３８００１３８０００") == "打[手机号#2]或[手机号#1]"
    assert redactor.mask("A@QQ.com a@qq.com") == "[邮箱#1] [邮箱#1]"
    assert Redactor().mask("13900139000") == "[手机号#1]"


def test_a_number_that_stands_in_the_text_is_not_given_again() -> None:
    redactor = Redactor()
    assert redactor.mask("引用：[手机号#1] 新号13900139000") == "引用：[手机号#1] 新号[手机号#2]"
    assert redactor.mask("13700137000") == "[手机号#3]"


def test_known_values_are_masked_wherever_they_stand() -> None:
    redactor = Redactor({P.NAME: ["王小明", "Li Lei", "我"], P.MOBILE: ["+86 138-0013-8000"], P.WECHAT: ["xm2000"]})
    text = "王小明的包裹，王　小明，li lei，liLei2，订单号13800138000，xm2000，我"
    assert redactor.mask(text) == "[姓名#1]的包裹，[姓名#1]，[姓名#2]，liLei2，订单号[手机号#1]，[微信#1]，我"


def test_spans_are_offsets_of_the_original() -> None:
    text = "㈱１3\u200b800138000，ａ@qq.com"
    assert [text[s.start : s.end] for s in find_personal(text)] == ["１3\u200b800138000", "ａ@qq.com"]


def test_overlapping_spans_become_one() -> None:
    assert mask("QQ：123456789@qq.com") == "QQ：[邮箱#1]"
    assert mask("微信13800138000") == "微信[手机号#1]"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("订单号13812345678", P.MOBILE),
        ("1/3/8/0/0/1/3/8/0/0/0", P.MOBILE),
        ("流水99911010519491231002X99", P.ID_CARD),
        ("订单号6222021234567890128", P.BANK_CARD),
        ("a @ b.c1", P.EMAIL),
    ],
)
def test_audit_reports_what_masking_keeps(text: str, kind: Personal) -> None:
    assert mask(text) == text
    assert [span.kind for span in audit(text)] == [kind]


def test_audit_is_quiet_on_ordinary_text() -> None:
    assert not audit("订单20260101，共3件，¥99.00，联系[手机号#1]，版本8.0.33，95588")


# --- rules that hold for any text ------------------------------------------------------------------------------

FRAGMENTS = st.sampled_from(
    [
        *(
            "13800138000",
            "138",
            "0013",
            "8000",
            "1",
            "86",
            "+86",
            "-",
            " ",
            ".",
            "，",
            "\n",
            "\u200b",
            "：",
            "@",
            "(at)",
        ),
        *("qq.com", "a", "卡号", "6222021234567890128", "11010519491231002X", "110105", "19491231", "身份证", "姓名"),
        *(
            "收件人",
            "我叫",
            "王小明",
            "张",
            "先生",
            "地址",
            "北京市",
            "朝阳区",
            "建国路",
            "88号",
            "3栋",
            "501室",
            "京A12345",
        ),
        *(
            "微信",
            "abc123",
            "QQ",
            "[手机号#1]",
            "[地址#12]",
            "[",
            "]",
            "#1",
            "订单号",
            "①",
            "一三八",
            "010-62345678",
            "SF",
        ),
        *("护照", "E12345678", "的", "和", "路", "号", "转", "0"),
    ]
)
TEXTS = st.lists(FRAGMENTS | st.text(max_size=3), max_size=14).map("".join)


@settings(max_examples=600, deadline=None)
@given(TEXTS)
@example("我叫王小明王小明")
@example("收件人张张13800138000")
def test_masking_twice_changes_nothing(text: str) -> None:
    masked = mask(text)
    assert mask(masked) == masked


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_spans_are_in_order_and_apart(text: str) -> None:
    for spans in (find_personal(text), audit(text)):
        ends = [0, *(offset for span in spans for offset in (span.start, span.end)), len(text)]
        assert ends == sorted(ends)
        assert all(span.start < span.end for span in spans)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 9999), st.dates(date(1900, 1, 1), date(2020, 1, 1)))
def test_exactly_one_check_character_makes_an_id_card(serial: int, born: date) -> None:
    body = "110105" + born.strftime("%Y%m%d") + f"{serial % 1000:03}"
    assert [c for c in "0123456789X" if mask(f"（{body}{c}）") == "（[身份证#1]）"] == [check_character(body)]


# --- hostile text ----------------------------------------------------------------------------------------------


def repeated(piece: str) -> str:
    return piece * (200 * 1024 // len(piece.encode()))


@pytest.mark.parametrize(
    "piece",
    [
        "1",
        "138",
        "1-",
        "6222 ",
        "138 ",
        "12 ",
        "@",
        "a@",
        "a.",
        "a",
        "路",
        "路1号",
        "北京市朝阳区",
        "收件人王",
        "13800138000 ",
        "\u200b",
        "(",
        "微信号",
        "ﷺ",
    ],
)
def test_hostile_text_takes_linear_time(piece: str) -> None:
    # Anything quadratic takes minutes at this size, so the bound need not be near to hold.
    before = time.process_time()
    mask(repeated(piece))
    audit(repeated(piece)[:100_000])
    assert time.process_time() - before < 6
