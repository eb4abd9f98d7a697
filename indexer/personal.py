"""Detectors of personal data: each reads folded text and yields spans of it.

Folded text is NFKC without invisible characters, with one kind of hyphen and of blank. Every pattern starts at a
bounded number of places and reads a bounded way from each, so hostile text costs linear time. Han characters are
word characters: digits are fenced by look-arounds, never by \\b.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from indexer.names import (
    CARD_PREFIXES,
    CITIES,
    COMMON_SURNAMES,
    COMPOUND_SURNAMES,
    ID_REGIONS,
    PLATE_PROVINCES,
    PROVINCES,
    SURNAMES,
)


class Personal(StrEnum):
    """Kinds of personal data; the value is the token's word."""

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


@dataclass(frozen=True, slots=True)
class Span:
    """Personal data at half-open offsets of the text; `confidence` (0 to 1) decides the kind where spans overlap."""

    start: int
    end: int
    kind: Personal
    confidence: float = 0.5


Detector = Callable[[str], Iterator[Span]]

OPAQUE = "\ufffc"
"""Stands in folded text for what is masked already; no detector reads across it."""

HAN_DIGITS = str.maketrans("零〇一二三四五六七八九幺", "001234567891")

_HAN = r"[\u3400-\u9fff]"
_JOIN = r"[-. _·]{0,3}"
# Not inside a longer number, nor among the decimals of one; `2.` before a number only counts a list.
_LONE = r"(?<![0-9])(?<![0-9][0-9]\.)"
_ENDED = r"(?![0-9])"

_MOBILE = re.compile(
    rf"{_LONE}(?:\(?(?:\+|00)?86\)?[- ]?|0)?(?:\(?1[3-9][0-9]\)?{_JOIN}[0-9]{{4}}{_JOIN}[0-9]{{4}}"
    rf"|1[3-9][0-9]{_JOIN}[0-9]{{3}}{_JOIN}[0-9]{{5}}"
    rf"|1[3-9][0-9]{{2}}{_JOIN}(?:[0-9]{{4}}{_JOIN}[0-9]{{3}}|[0-9]{{3}}{_JOIN}[0-9]{{4}})"
    rf"|1[-. _·*,][3-9](?:[-. _·*,][0-9]){{9}}){_ENDED}(?!\.[0-9]{{1,2}}{_ENDED})"
    rf"(?:(?:转|ext\.?) ?[0-9]{{1,6}}|-[0-9]{{4}}{_ENDED})?",
    re.IGNORECASE,
)
_LANDLINE = re.compile(
    rf"{_LONE}(?:(?:\(?(?:010|02[0-9])\)?|\+86[- ]?\(?(?:10|2[0-9])\)?)[- ]{{0,3}}[2-8][0-9]{{3}}[- ]?[0-9]{{4}}"
    rf"|(?:\(?0[3-9][0-9]{{2}}\)?|\+86[- ]?\(?[3-9][0-9]{{2}}\)?)[- ]{{0,3}}[2-8][0-9]{{2,3}}[- ]?[0-9]{{4}}){_ENDED}"
    rf"(?:[-转]{{1,2}}[0-9]{{1,6}}{_ENDED})?"
)
_LOCAL_LINE = re.compile(
    r"(?:电话|座机|固话|传真|(?<![A-Za-z])tel)(?:号码)? ?(?:是|为)?[: ]{0,2}"
    rf"(?!(?:19|20)[0-9]{{2}}(?:0[1-9]|1[0-2]))([2-8][0-9]{{6,7}}){_ENDED}(?!-)",
    re.IGNORECASE,
)
_ID_CARD = re.compile(rf"{_LONE}(?=([1-9](?:[ -]?[0-9]){{16}}[ -]?[0-9Xx×]){_ENDED})")
_OLD_ID_CARD = re.compile(rf"{_LONE}[1-9][0-9]{{14}}{_ENDED}")
_ID_LABEL = re.compile(r"(?:身份证|证件|id ?card)(?:号码|号|编号)?[^0-9\n]{0,6}\Z", re.IGNORECASE)
_CARD = re.compile(
    rf"{_LONE}(?=([0-9]{{2,19}}(?:[ -][0-9]{{1,19}}){{0,7}}{_ENDED}|(?<![0-9][ -])[0-9](?:[ -][0-9]){{12,18}}{_ENDED}))"
)
_CARD_LABEL = re.compile(
    r"(?:卡号|银行卡|储蓄卡|信用卡|借记卡|工资卡|尾号|账号|帐号|账户|帐户|开户行|银行|card)[^0-9\n]{0,14}\Z",
    re.IGNORECASE,
)
_GAP = re.compile("[ -]")
_BARE = {**dict.fromkeys(map(ord, " \t\n\r-._·*,/")), ord("x"): "X", ord("×"): "X"}
_DOUBLED = str.maketrans("0123456789", "0246813579")
_GROUPS_OF_FOUR = re.compile(r"[0-9]{4}(?:[ -][0-9]{4}){3}(?:[ -][0-9]{1,3})?")
_EMAIL_LOCAL = r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]++"
_SUFFIX = r"(?:com|cn|net|org|edu|gov|io|me|vip|top|xyz|cc|hk|tw|co|info|biz)(?![A-Za-z0-9])"
_EMAIL = re.compile(
    rf"{_EMAIL_LOCAL}(?:@(?:[A-Za-z0-9-]{{1,63}}\.){{1,6}}(?!(?:jpe?g|png|gif|webp|svg|js|css)(?![A-Za-z0-9]))[A-Za-z]{{2,24}}"
    rf"|@(?:[A-Za-z0-9\u3400-\u9fff-]{{1,20}}\.){{1,3}}(?:中国|公司|网络|集团|在线|中文网|手机|{_SUFFIX})"
    rf"| {{0,2}}(?:@|[(\[{{<] ?at ?[)\]}}>]|艾特) {{0,2}}"
    rf"(?:[A-Za-z0-9-]{{1,63}}(?:\.| ?[(\[] ?dot ?[)\]] ?|点)){{1,3}}{_SUFFIX})",
    re.IGNORECASE,
)
_PLATE = re.compile(
    rf"(?<![最全更刷创])[{PLATE_PROVINCES}][A-HJ-NP-Za-hj-np-z][-· .]?"
    r"(?:[A-HJ-NP-Za-hj-np-z0-9]{4}[挂学警港澳]|[A-HJ-NP-Za-hj-np-z0-9]{5,6}(?![A-Za-z0-9]))"
)
_NOT_WECHAT = r"(?!iphone|android|ios|windows|harmony|version|https?|pay|wechat|weixin|error|mini)"
_WECHAT = re.compile(
    r"(?<![A-Za-z0-9_])(wxid_[a-z0-9]{6,24})(?![A-Za-z0-9_])"
    r"|(?:微信|薇信|威信|v信|(?<![A-Za-z0-9_])(?:vx|wx|wechat)|加 ?v)(?:"
    rf"(?:号码?|账号|id)? ?(?::|是|为|叫) ?{_NOT_WECHAT}([a-z][a-z0-9_-]{{5,19}})"
    rf"|(?:号码?|账号|id) ?{_NOT_WECHAT}([a-z][a-z0-9_-]{{5,19}})"
    rf"| ?{_NOT_WECHAT}(?=[a-z_-]{{0,19}}[0-9])([a-z][a-z0-9_-]{{5,19}}))(?![A-Za-z0-9_-])",
    re.IGNORECASE,
)
_QQ = re.compile(
    rf"(?:(?<![A-Za-z0-9@.])qq|扣扣|企鹅)(?:号码?)? ?(?:是|为)?[:= ]{{0,2}}([1-9][0-9]{{4,10}}){_ENDED}(?!\.[0-9])",
    re.IGNORECASE,
)
_PASSPORT = re.compile(
    r"(?:护照|通行证|回乡证|台胞证|港澳证|居留证|居留许可|passport)"
    r"(?:号码?|编号| ?no\.?| ?number)? ?(?:是|为)?[: ]{0,2}"
    r"([A-Za-z]{1,3}[0-9]{6,10}[A-Za-z]?|[0-9]{8,10})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
# Directly before a number: this is the shop's number, not the customer's.
_KEEP_LABEL = re.compile(
    r"(?:(?:订单|运单|快递|物流|包裹|工单|流水|交易|退款|退货|售后|批次|序列|产品|商品|设备|合同|发票|货)(?:单号|编号|号码|号)"
    r"|单号|流水号|编号|IMEI|SN|order(?: ?(?:no\.?|number|id))?|tracking(?: ?(?:no\.?|number))?)"
    r" ?(?:是|为)?[:# ]{0,3}\Z",
    re.IGNORECASE,
)
# Part of a code (`SF`) or of a hash or UUID; not the short words people put before a phone number.
_CODE_PREFIX = re.compile(
    r"(?<![A-Za-z])(?!(?:TEL|WX|VX|QQ|PH|HP|MOB|T|M|P|V)[-_]?\Z)[A-Z]{1,4}[-_]?\Z|[0-9][0-9a-f]{0,6}[a-f][0-9a-f]{0,6}-?\Z"
)

_SURNAME = re.compile(rf"{COMPOUND_SURNAMES}|[{SURNAMES}]")
_NAME_FIELD = (
    "(?:收件人|收货人|寄件人|联系人|持卡人|开户人|开户名|(?<!用)户名|申请人|投保人|机主|客户姓名|真实姓名|姓名|真名|本名|署名)"
    "(?:姓名|名字)?"
)
_NAME_LABELS = (
    re.compile(rf"{_NAME_FIELD} {{0,2}}(?:[:=]|是|为|叫|写的是| ) {{0,3}}(?={_HAN})"),
    re.compile(rf"(?:客户名?|乘客|患者|名字) {{0,2}}[:=] {{0,3}}(?={_HAN})"),
    re.compile(rf"(?:[我他她]|本人|名字)叫[: ]{{0,2}}(?={_HAN})|名叫(?={_HAN})|名字是(?=[{COMMON_SURNAMES}])"),
    re.compile(
        rf"{_NAME_FIELD}(?=[{COMMON_SURNAMES}]|(?!和)(?:{COMPOUND_SURNAMES}|[{SURNAMES}]){_HAN}{{1,2}}(?!{_HAN}))"
    ),
)
_NAME_BEFORE_NUMBER = re.compile(
    rf"(?<!{_HAN})(?=[{SURNAMES}])({_HAN}{{2,4}})[, ]{{1,2}}(?=(?:(?:手机|电话|身份证)号?[: ]{{0,2}})?"
    rf"(?:1[3-9][0-9][- ]?[0-9]{{4}}[- ]?[0-9]{{4}}|[1-9][0-9]{{16}}[0-9Xx]){_ENDED})"
)
_LATIN_NAME = re.compile(
    rf"(?:{_NAME_FIELD}|(?<![A-Za-z])(?<![A-Za-z] )(?:[Ff]ull |[Cc]ustomer )?[Nn]ame) {{0,2}}[:=] {{0,2}}"
    r"((?!The )[A-Z][a-z]{1,20}(?: [A-Z][a-z]{1,20}){1,3})"
)
_MINORITY_NAME = re.compile(rf"{_NAME_FIELD} {{0,2}}[:= ] {{0,2}}({_HAN}{{1,10}}·{_HAN}{{1,10}})")
_TITLE = re.compile("先生|女士|小姐|老师|同学|师傅|经理|总")
_GIVEN = re.compile(f"{_HAN}{{1,3}}")
_AFTER_NAME = frozenset(
    "卡的了和与及在是想要买收退换订下您你我他她它住电手地身号这那没也就还不请问给从因说已联打购到今昨刚呢吗吧啊"
)
_NOT_NAMES = re.compile(
    "时间|时候|方便|常用|应该|安排|满意|万一|全部|左右|成功|经常|平时|包裹|通过|路上|严重|单独|查询|高兴|何时|余额|金额|单号|支付|应付|关注|顾客|时长|方案|解决|安装|成交|车牌|钱包|包邮|项目|汇款|任务|全局|全称|方式|程序|付款|付给|关于|于是|关系|连接|那个|那边|申请"
    "|和电|和手|和地|车[了辆和的]|经理|房东|相同|安全|水果|常见|管理|习惯|向您|都是|都要|都不|卖家"
)

_PLACES = re.compile(f"{PROVINCES}|{CITIES}")
_DISTRICT = re.compile(rf"{_HAN}{{1,5}}?(?<![小地专社战辖片])[区县旗镇乡市]|街道")
_ADDRESS_LABEL = re.compile(
    r"(?:(?:收货|收件|寄件|家庭|联系|现|新|旧|老)?(?:地址|住址)(?:填写|填错|改成|改为|写成|写的|是|为|在)?|[寄送发]到|[寄送]往|家?住在?|搬到|改到|家在|配送至|送至|寄至)"
    r"[: ]{0,3}"
)
_LEFT_LIMIT = 40
_STREET = (
    "路|街|大道|巷|弄|胡同|村|庄|屯|小区|花园|家园|公寓|大厦|广场|苑|园|新城|名城|公馆|坊|府|庭|湾|轩|阁|院|宿舍|大学|学校|医院|社区|中心"
    "|酒店|厂|镇|乡|街道|道|段|里|区|队|山庄|豪庭|国际|城"
)
_STRONG_STREET = re.compile("路|街|大道|巷|弄|胡同|村|小区|花园|家园|公寓|大厦|苑|新城|山庄|宿舍|公馆|豪庭")
# `5号到货` is a date, `2号线` a train, `3号窗口` a counter.
_UNIT = (
    r"(?:[A-Za-z]|[甲乙丙丁]?[0-9]{1,5}[A-Za-z]?|[一二三四五六七八九十百甲乙丙丁东西南北]{1,4})"
    r"(?:-[0-9A-Za-z]{1,4}){0,3} ?(?:号楼|号院|号门"
    r"|号(?![线口机店窗仓柜席桌]|链接|套餐|客服|[到发收送前之才能就开截]|[上下]午|左右|以[前后])"
    r"|栋|幢|座|塔|单元|室|弄|楼|层|户|房|组(?!装|合)|门(?!店|诊))"
)
# A room without a word behind it: `1201`, `5-3`, `A1201`, `18F`.
_ROOM = r"(?:[A-Za-z]?[0-9]{2,4}(?:-[0-9]{1,4}){0,3}|[0-9]{1,4}(?:-[0-9]{1,4}){1,3}|[0-9]{1,2}F)"
_ROOM_ENDS = r"(?![A-Za-z0-9元块万个件年月日天点分次米%.])"
_DOORS = rf"{_UNIT}(?:[ ,-]?{_UNIT}){{0,5}}(?:{_ROOM}{_ROOM_ENDS})?"
_DOOR = re.compile(_UNIT)
_NUMBERED = rf"(?:{_STREET})[东西南北中]?[段侧]? ?(?:{_DOORS}|{_ROOM}{_ROOM_ENDS})"
_CORE = re.compile(rf"{_NUMBERED}(?: ?(?:{_HAN}|[A-Za-z]){{2,16}}?{_NUMBERED}){{0,2}}")
_BUILDING = re.compile("[栋幢]|号楼")
_DOORS_ALONE = re.compile(
    r"(?<![0-9第])[0-9]{1,3}(?:号楼|栋|幢|座)(?:[0-9一二三四五六七八九十]{1,2}单元)?(?:[0-9]{3,4}(?:室|房|号)?|[0-9]{1,2}[楼层])"
    rf"{_ENDED}"
)
_LABELLED_PLACE = re.compile(rf"{_ADDRESS_LABEL.pattern}((?:{_HAN}|[A-Za-z0-9#-]){{6,50}})")
_NOT_ADDRESS = re.compile(rf"[^A-Za-z0-9\u3400-\u9fff\u00b7#() -]|\s{{2}}|{OPAQUE}|[0-9]{{6}}")
_LEAD = re.compile("[在到是寄送住址我们家您你的于去从改为成往给收发货请帮把就了吧]+(?![路街])")


def _labelled(label: re.Pattern[str], text: str, start: int, reach: int = 24) -> bool:
    return label.search(text, max(0, start - reach), start) is not None


def _is_shop_number(text: str, start: int) -> bool:
    return _labelled(_KEEP_LABEL, text, start) or _labelled(_CODE_PREFIX, text, start, 8)


def _mobiles(text: str) -> Iterator[Span]:
    for reading in {text, text.translate(HAN_DIGITS)}:
        for match in _MOBILE.finditer(reading):
            if not _is_shop_number(text, match.start()):
                yield Span(*match.span(), Personal.MOBILE, 0.85)


def _landlines(text: str) -> Iterator[Span]:
    for match in _LANDLINE.finditer(text):
        if not _is_shop_number(text, match.start()):
            yield Span(*match.span(), Personal.LANDLINE, 0.7)
    yield from (Span(*match.span(1), Personal.LANDLINE, 0.6) for match in _LOCAL_LINE.finditer(text))


def _id_cards(text: str) -> Iterator[Span]:
    for match in _ID_CARD.finditer(text):
        # Said to be one, it is one, even when mistyped.
        if is_id_card(match[1]) or (_is_born(match[1]) and _labelled(_ID_LABEL, text, match.start())):
            yield Span(*match.span(1), Personal.ID_CARD, 0.95)
    for match in _OLD_ID_CARD.finditer(text):
        if _is_born(f"{match[0][:6]}19{match[0][6:]}") and _labelled(_ID_LABEL, text, match.start()):
            yield Span(*match.span(), Personal.ID_CARD, 0.95)


def is_id_card(text: str) -> bool:
    """18 characters with a region, a birth date and the check character of GB 11643-1999 (ISO 7064 MOD 11-2)."""
    if not _is_born(text):
        return False
    number = _digits(text)
    weighed = sum(int(digit) * pow(2, 17 - i, 11) for i, digit in enumerate(number[:17]))
    return "10X98765432"[weighed % 11] == number[17]


def _is_born(text: str) -> bool:
    """Whether an identity number begins with a region and the day of birth of somebody who may be alive."""
    number = _digits(text)
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return number[:2] in ID_REGIONS and date(1900, 1, 1) <= born <= date.today()


def _digits(text: str) -> str:
    return text.translate(_BARE)


def _bank_cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        start = match.start()
        for candidate in filter(passes_luhn, _group_ends(match[1])):
            named = _labelled(_CARD_LABEL, text, start)
            if (named or _looks_like_card(candidate)) and not _is_shop_number(text, start):
                yield Span(start, start + len(candidate), Personal.BANK_CARD, 0.9)
                break


def _group_ends(digits: str) -> Iterator[str]:
    """The groups of `digits` from the first on, as many as make 13 to 19 digits, longest first."""
    gaps = [gap.start() for gap in _GAP.finditer(digits, 13)]
    for separators, end in reversed(list(enumerate([*gaps, len(digits)], len(_GAP.findall(digits[:13]))))):
        if 13 <= end - separators <= 19:
            yield digits[:end]


def _looks_like_card(text: str) -> bool:
    digits = _digits(text)
    if _GROUPS_OF_FOUR.fullmatch(text):
        return digits[0] in "34569"
    contiguous = text.isdigit() or re.fullmatch(r"[0-9]{6}[ -][0-9]{10,13}", text) is not None
    return contiguous and len(digits) in (16, 17, 18, 19) and digits.startswith(CARD_PREFIXES)


def passes_luhn(text: str) -> bool:
    """The check digit of ISO/IEC 7812-1, annex B; separators are passed over."""
    digits = _digits(text)
    return sum(map(int, digits[-1::-2] + digits[-2::-2].translate(_DOUBLED))) % 10 == 0


def _plates(text: str) -> Iterator[Span]:
    for match in _PLATE.finditer(text):
        serial = match[0][2:].lstrip("-· .")
        letters = sum(char.isascii() and char.isalpha() for char in serial)
        if letters <= (2 if len(serial) == 5 else 1) or (len(serial) == 6 and letters == 2 and serial[0].isalpha()):
            yield Span(*match.span(), Personal.PLATE, 0.7)


def _grouped(pattern: re.Pattern[str], kind: Personal, confidence: float) -> Detector:
    """A detector for a pattern that needs no further thought: its one filled group, or all of it."""

    def detect(text: str) -> Iterator[Span]:
        for match in pattern.finditer(text):
            yield Span(*match.span(match.lastindex or 0), kind, confidence)

    return detect


def _names(text: str) -> Iterator[Span]:
    for label in _NAME_LABELS:
        for match in label.finditer(text):
            end = _name_end(text, match.end())
            if end:
                yield Span(match.end(), end, Personal.NAME, 0.4)
    for match in _NAME_BEFORE_NUMBER.finditer(text):
        if _name_end(text, match.start(1)) == match.end(1):
            yield Span(*match.span(1), Personal.NAME, 0.4)


def _name_end(text: str, start: int) -> int:
    """Where the name that begins at `start` ends, 0 when there is none."""
    surname = _SURNAME.match(text, start)
    if not surname or _NOT_NAMES.match(text, start) or _TITLE.match(text, surname.end()):
        return 0
    given = _GIVEN.match(text, surname.end())
    if not given:
        return 0
    # A field that ends within two characters holds the name alone; in running text a word may follow directly.
    alone = len(given[0]) <= 2
    short = not alone and (given[0][1] in _AFTER_NAME or _TITLE.match(given[0], 1))
    return surname.end() + (1 if short else min(2, len(given[0])))


def _addresses(text: str) -> Iterator[Span]:
    floor = 0
    for core in _CORE.finditer(text):
        start = _address_start(text, core.start(), floor)
        if _address_score(text, start, core.end()) >= 2:
            floor = core.end()
            yield Span(start, core.end(), Personal.ADDRESS, 0.5)
    yield from (Span(*match.span(), Personal.ADDRESS, 0.5) for match in _DOORS_ALONE.finditer(text))
    for match in _LABELLED_PLACE.finditer(text):
        place = match[1]
        if _DISTRICT.search(place) and _STRONG_STREET.search(place) and _PLACES.match(place):
            yield Span(*match.span(1), Personal.ADDRESS, 0.5)


def _address_start(text: str, street: int, floor: int) -> int:
    """Where the address begins whose street word stands at `street`: at a label, a place, or after the last verb."""
    left = max(floor, street - _LEFT_LIMIT)
    for stop in _NOT_ADDRESS.finditer(text, left, street):
        left = stop.end()
    for label in _ADDRESS_LABEL.finditer(text, left, street):
        left = label.end()
    place = _PLACES.search(text, left, street)
    if place:
        return place.start()
    for lead in _LEAD.finditer(text, left, street):
        left = lead.end()
    return max(left, street - 12)


def _address_score(text: str, start: int, end: int) -> int:
    """Signs of an address, one point each; a road and a number alone are also a shop, a train or a counter."""
    address = text[start:end]
    return (
        (_PLACES.match(address) is not None)
        + (_DISTRICT.search(address) is not None)
        + (_STRONG_STREET.search(address) is not None)
        + (len(_DOOR.findall(address)) >= 2)
        + (_BUILDING.search(address) is not None)
        + _labelled(re.compile(rf"{_ADDRESS_LABEL.pattern}\Z"), text, start)
    )


def _loose_mobiles(text: str) -> Iterator[Span]:
    pattern = rf"{_LONE}1[-\s._·*,/()]{{0,3}}[3-9](?:[-\s._·*,/()]{{0,3}}[0-9]){{9}}{_ENDED}"
    for match in re.finditer(pattern, text.translate(HAN_DIGITS)):
        yield Span(*match.span(), Personal.MOBILE, 0.8)


def _loose_id_cards(text: str) -> Iterator[Span]:
    gap = r"[-\s._·*,/]{0,3}"
    for match in re.finditer(rf"(?=([1-9](?:{gap}[0-9]){{16}}{gap}[0-9Xx×]))", text):
        if is_id_card(match[1]):
            yield Span(*match.span(1), Personal.ID_CARD, 0.95)


def _loose_bank_cards(text: str) -> Iterator[Span]:
    for match in re.finditer(rf"{_LONE}(?=([0-9](?:[-\s._·*,/]{{0,3}}[0-9]){{15,18}}){_ENDED})", text):
        digits = _digits(match[1])
        if digits.startswith(CARD_PREFIXES) and passes_luhn(digits):
            yield Span(*match.span(1), Personal.BANK_CARD, 0.9)


DETECTORS: tuple[Detector, ...] = (
    _mobiles,
    _landlines,
    _id_cards,
    _bank_cards,
    _plates,
    _names,
    _addresses,
    _grouped(_EMAIL, Personal.EMAIL, 0.95),
    _grouped(_PASSPORT, Personal.PASSPORT, 0.75),
    _grouped(_WECHAT, Personal.WECHAT, 0.65),
    _grouped(_QQ, Personal.QQ, 0.6),
    _grouped(_LATIN_NAME, Personal.NAME, 0.4),
    _grouped(_MINORITY_NAME, Personal.NAME, 0.45),
)
STRICT: tuple[Detector, ...] = (
    _loose_mobiles,
    _loose_id_cards,
    _loose_bank_cards,
    _grouped(re.compile(rf"{_EMAIL_LOCAL}\s{{0,2}}@\s{{0,2}}[^\s@.]{{1,63}}\.[^\s@.]{{2,24}}"), Personal.EMAIL, 0.8),
)
