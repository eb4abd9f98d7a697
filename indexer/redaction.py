"""Mask personal data in text before it is stored.

Detectors run on an NFKC copy with an offset map, so that full-width digits and invisible characters hide nothing.
Every pattern is linear: bounded repeats only. Han characters are word characters, so digits are fenced by
look-arounds for digits and Latin letters, never by \\b.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType


class Personal(StrEnum):
    """Kinds of personal data; the value is the token's name."""

    MOBILE = "手机号"
    LANDLINE = "座机"
    ID_CARD = "身份证"
    BANK_CARD = "银行卡"
    EMAIL = "邮箱"
    ADDRESS = "地址"
    PLATE = "车牌"
    NAME = "姓名"
    WECHAT = "微信"
    QQ = "QQ"
    PASSPORT = "证件"


NO_VALUES: Mapping[Personal, Sequence[str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Span:
    """Personal data at half-open offsets of the text."""

    start: int
    end: int
    kind: Personal


@dataclass(frozen=True, slots=True)
class _Detector:
    """A pattern, the group that is personal, and what must hold of its text and of the words before it."""

    kind: Personal
    pattern: re.Pattern[str]
    group: int | str = 0
    holds: Callable[[str, str], bool] = lambda _found, _before: True


_INVISIBLE = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")
_CONTEXT = 12
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_REGIONS = frozenset(
    ["11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42", "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71", "81", "82"]
)
_BINS = ("62", "60", "4", "51", "52", "53", "54", "55", "35", "37")
_SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方俞任袁柳"
    "酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元卜顾孟平黄和穆萧尹姚邵湛汪祁毛禹狄米贝明臧计伏成戴谈宋茅庞"
    "熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万支柯昝管卢莫经房裘缪干解应宗丁宣贲邓"
    "郁单杭洪包诸左石崔吉钮龚程嵇邢滑裴陆荣翁荀羊於惠甄曲家封芮羿储靳汲邴糜松井段富巫乌焦巴弓牧隗山谷车侯宓蓬全郗班仰秋仲伊宫"
    "宁仇栾暴甘钭厉戎祖武符刘景詹束龙叶幸司韶郜黎蓟薄印宿白怀蒲邰从鄂索咸籍赖卓蔺屠蒙池乔阴胥能苍双闻莘党翟谭贡劳逄姬申扶堵冉"
    "宰郦雍却璩桑桂濮牛寿通边扈燕冀郏浦尚农温别庄晏柴瞿阎充慕连茹习宦艾鱼容向古易慎戈廖庾终暨居衡步都耿满弘匡国文寇广禄阙东欧"
)
_NOT_NAMES = re.compile(
    r"^(?:了|的|过|个|外卖|快递|客服|经理|什么|啥|他|她|它|人|一|们|车|单)|(?:了|的|吗|呢|吧|客服|先生女士)$"
)
_WORDS = frozenset(
    ["方便", "时间", "时候", "明天", "高兴", "应该", "安排", "满意", "常用", "万一", "全部", "左右", "成功", "经常", "平时", "包裹", "通过", "路上", "严重", "单独"]
)
_PROVINCES = (
    "北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|陕西|甘肃"
    "|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门"
)
_ROOMS = r"(?:号楼|栋|幢|座|单元|室|楼|层|户|号)"
_UNITS = rf"(?:路|街|巷|弄|村|小区|花园|苑|公寓|大厦|广场|号院|{_ROOMS[3:]}"
_DETAILS = rf"(?: ?[A-Za-z0-9一二三四五六七八九十东南西北]{{1,5}} ?{_ROOMS}){{0,4}}(?:[ -]?\d{{2,4}}(?!\d))?"
_PLACE = re.compile("路|街|巷|弄|道|村|小区|花园|苑|公寓|大厦|广场|栋|幢|单元|室|号楼")
_PLATES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_L = r"(?<![0-9A-Za-z])"
_R = r"(?![0-9A-Za-z])"
_HAN = r"[\u4e00-\u9fff]"


def _is_id_card(digits: str, _before: str) -> bool:
    """GB 11643-1999: region, real birth date, ISO 7064 MOD 11-2 check character."""
    body, check = digits[:17], digits[17].upper()
    return (
        digits[:2] in _REGIONS
        and _is_date(digits[6:14])
        and _CHECKS[sum(int(d) * w for d, w in zip(body, _WEIGHTS, strict=True)) % 11] == check
    )


def _is_old_id_card(digits: str, before: str) -> bool:
    return digits[:2] in _REGIONS and _is_date("19" + digits[6:12]) and bool(re.search("身份证|证件", before))


def _is_date(digits: str) -> bool:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])).year >= 1900
    except ValueError:
        return False


def _is_bank_card(text: str, before: str) -> bool:
    digits = re.sub(r"[ -]", "", text)
    if not 13 <= len(digits) <= 19 or not _luhn(digits):
        return False
    # One order number in ten passes Luhn: without the word for a card it takes a known prefix and the usual length.
    if re.search(r"订单|单号|运单|流水|编号|order", before, re.IGNORECASE):
        return False
    named = re.search(r"卡|账号|账户|card", before, re.IGNORECASE)
    return bool(named) or (digits.startswith(_BINS) and len(digits) in (15, 16, 18, 19))


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = [int(d) * 2 for d in digits[-2::-2]]
    return (sum(int(d) for d in digits[-1::-2]) + sum(d - 9 if d > 9 else d for d in doubled)) % 10 == 0


def _is_name(name: str, _before: str) -> bool:
    return name[0] in _SURNAMES and not _NOT_NAMES.search(name[1:]) and name not in _WORDS


_DETECTORS = (
    _Detector(Personal.ID_CARD, re.compile(_L + r"\d{17}[0-9Xx]" + _R), holds=_is_id_card),
    _Detector(
        Personal.ID_CARD,
        re.compile(_L + r"\d{6}[ -]\d{8}[ -]\d{3}[0-9Xx]" + _R),
        holds=lambda t, b: _is_id_card(re.sub("[ -]", "", t), b),
    ),
    _Detector(Personal.ID_CARD, re.compile(_L + r"\d{15}" + _R), holds=_is_old_id_card),
    _Detector(
        Personal.BANK_CARD, re.compile(_L + r"\d{4}(?:[ -]?\d{4}){2,3}(?:[ -]?\d{1,4})?" + _R), holds=_is_bank_card
    ),
    _Detector(Personal.BANK_CARD, re.compile(_L + r"\d{13,19}" + _R), holds=_is_bank_card),
    _Detector(
        Personal.MOBILE, re.compile(r"(?<![0-9A-Za-z.])(?:(?:\+|00)?86[- ]?)?1[3-9]\d(?:[- .]?\d{4}){2}(?![0-9A-Za-z])")
    ),
    _Detector(
        Personal.MOBILE,
        re.compile(r"(?<![0-9A-Za-z.])(?:(?:\+|00)?86[- ]?)?1[3-9]\d{2}[- ]\d{3}[- ]\d{4}(?![0-9A-Za-z])"),
    ),
    _Detector(
        Personal.LANDLINE, re.compile(_L + r"\(?0(?:10|2\d|[3-9]\d{2})\)?[- ]?[2-9]\d{6,7}(?:[-转]\d{1,6})?" + _R)
    ),
    _Detector(
        Personal.EMAIL,
        re.compile(
            r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_][A-Za-z0-9._%+-]{0,63}(?:@|\(at\)|\[at\])[A-Za-z0-9\u4e00-\u9fff-]{1,63}(?:\.[A-Za-z0-9\u4e00-\u9fff-]{1,63}){0,4}\.[A-Za-z\u4e00-\u9fff]{2,24}(?<![\u4e00-\u9fff])",
            re.IGNORECASE,
        ),
    ),
    _Detector(Personal.PLATE, re.compile(rf"[{_PLATES}][A-HJ-NP-Z][·. ]?[A-HJ-NP-Z0-9]{{5,6}}(?![A-Za-z0-9])")),
    _Detector(
        Personal.WECHAT,
        re.compile(
            r"(?:微信|vx|wx|威信|薇信)(?:号|账号)?(?:是|为|[:： ]){0,3}\s?([A-Za-z][A-Za-z0-9_-]{5,19})(?![A-Za-z0-9_-])",
            re.IGNORECASE,
        ),
        1,
    ),
    _Detector(
        Personal.QQ,
        re.compile(r"(?:QQ|扣扣|企鹅)(?:号)?(?:是|为|[:： ]){0,3}\s?([1-9]\d{4,10})(?!\d)", re.IGNORECASE),
        1,
    ),
    _Detector(
        Personal.PASSPORT,
        re.compile(
            r"(?:护照|通行证|港澳证|台胞证)(?:号码|号)?(?:是|为|[:： ]){0,3}\s?([A-Za-z]{1,2}\d{7,9})(?![A-Za-z0-9])"
        ),
        1,
    ),
    _Detector(
        Personal.ADDRESS,
        re.compile(
            rf"(?:(?:{_PROVINCES})(?:省|市|自治区|特别行政区)?|{_HAN}{{2,3}}?(?:市|州|区|县|镇))[ ,，]?"
            rf"[\u4e00-\u9fffA-Za-z0-9 -]{{1,40}}(?:{_UNITS}|(?<=[栋幢座元号楼])[ ]?\d{{2,4}})"
        ),
        holds=lambda text, _before: bool(re.search(r"\d", text) and _PLACE.search(text)),
    ),
    _Detector(
        Personal.ADDRESS,
        re.compile(rf"{_HAN}{{2,10}}(?:路|街|巷|大道|弄) ?\d{{1,5}} ?(?:号院|号楼|号|弄){_DETAILS}"),
    ),
    _Detector(
        Personal.ADDRESS,
        re.compile(
            rf"{_HAN}{{2,10}}(?:小区|花园|苑|公寓|家园|府|城|湾|里)(?:[A-Za-z0-9一二三四五六七八九十东南西北]{{1,5}} ?{_ROOMS}){_DETAILS}"
        ),
    ),
    _Detector(
        Personal.NAME,
        re.compile(
            rf"(?:收件人|收货人|联系人|姓名|户名|开户人|持卡人|署名|本名|真名)(?:是|为|叫|写的是|[:： ]){{0,3}}({_HAN}{{2,4}}?)(?=[,，。.;；、!！?？\s\d\[(（]|$|电话|手机|地址|的)"
        ),
        1,
        _is_name,
    ),
    _Detector(
        Personal.NAME,
        re.compile(
            rf"(?:[我他她]叫|本人叫|名字叫|名字是|名字)(?:[:： ])?({_HAN}{{2,3}})(?=[,，。.;；、!！?？\s\d\[(（]|$|电话|手机)"
        ),
        1,
        _is_name,
    ),
    _Detector(
        Personal.NAME,
        re.compile(
            rf"({_HAN}{{2,3}})[,， ]{{1,2}}(?:身份证|手机|电话)?[号:： ]{{0,3}}(?=1[3-9]\d{{9}}(?!\d)|\d{{17}}[0-9Xx])"
        ),
        1,
        _is_name,
    ),
    _Detector(Personal.MOBILE, re.compile(r"(?<!\d[ -])(?<![0-9A-Za-z])1[ -][3-9](?:[ -]\d){9}(?![ -]?\d)")),
)


def find_personal(text: str) -> list[Span]:
    """Personal data in `text`, in order and without overlap: of two that overlap the longer one."""
    folded, origin = _fold(text)
    spans = [span for detector in _DETECTORS for span in _matches(detector, folded)]
    return [Span(origin[span.start], origin[span.end - 1] + 1, span.kind) for span in _apart(spans)]


def audit(text: str) -> list[Span]:
    """A second, stricter look at stored text: every run of digits or address sign that could still be real."""
    folded, origin = _fold(text)
    found = [span for detector in _STRICT for span in _matches(detector, folded)]
    return [Span(origin[span.start], origin[span.end - 1] + 1, span.kind) for span in _apart(found)]


class Redactor:
    """Masks the texts of one ticket: the same value gets the same token everywhere in it.

    `known` are values of fields named as personal; they are masked wherever they stand.
    """

    def __init__(self, known: Mapping[Personal, Sequence[str]] = NO_VALUES) -> None:
        self._known = [(value, kind) for kind, values in known.items() for value in values if len(value) > 1]
        self._tokens: dict[tuple[Personal, str], str] = {}
        self._counts: dict[Personal, int] = {}

    def mask(self, text: str) -> str:
        """`text` with a token such as [手机号#1] in place of each piece of personal data."""
        parts, at = [], 0
        for span in self._spans(text):
            parts += [text[at : span.start], self._token(span.kind, text[span.start : span.end])]
            at = span.end
        return "".join([*parts, text[at:]])

    def _spans(self, text: str) -> list[Span]:
        return _apart([*find_personal(text), *self._known_spans(text)])

    def _known_spans(self, text: str) -> Iterator[Span]:
        for value, kind in self._known:
            at = text.find(value)
            while at >= 0:
                yield Span(at, at + len(value), kind)
                at = text.find(value, at + len(value))

    def _token(self, kind: Personal, value: str) -> str:
        key = (kind, re.sub(r"[\s\-.+()（）]", "", _fold(value)[0]).lower())
        if key not in self._tokens:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._tokens[key] = f"[{kind.value}#{self._counts[kind]}]"
        return self._tokens[key]


_STRICT = (
    *(d for d in _DETECTORS if d.kind in (Personal.ID_CARD, Personal.BANK_CARD, Personal.EMAIL)),
    _Detector(Personal.MOBILE, re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")),
)


def _matches(detector: _Detector, folded: str) -> Iterator[Span]:
    for match in detector.pattern.finditer(folded):
        start, end = match.span(detector.group)
        if detector.holds(folded[start:end], folded[max(0, start - _CONTEXT) : start]):
            yield Span(start, end, detector.kind)


def _apart(spans: Sequence[Span]) -> list[Span]:
    """No two overlapping: the longest first, then the earliest."""
    kept: list[Span] = []
    taken: set[int] = set()
    for span in sorted(spans, key=lambda s: (s.start - s.end, s.start)):
        if taken.isdisjoint(range(span.start, span.end)):
            kept.append(span)
            taken.update(range(span.start, span.end))
    return sorted(kept, key=lambda span: span.start)


def _fold(text: str) -> tuple[str, list[int]]:
    """NFKC without invisible characters, and the original offset of each character of it."""
    pairs = [
        (part, i)
        for i, char in enumerate(text)
        if char not in _INVISIBLE
        for part in (char if char.isascii() else unicodedata.normalize("NFKC", char))
    ]
    return "".join(part for part, _ in pairs), [i for _, i in pairs]
