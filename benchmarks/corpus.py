"""A knowledge base of any size: real texts recombined under invented products, the same for the same seed.

`python -m benchmarks.corpus --data FOLDER --articles N --tickets M [--home KB_HOME]`. FOLDER holds help centres
(`helpcenter-zh`, `helpcenter-en`: oss, cdn, vod) and `intents/train.jsonl`, `intents/train_more.jsonl`; what is set
aside for tests is never read. Every fifth article is a near neighbour of the one before: the same text with another
product and other numbers. Memory does not grow with the size.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, TypeVar

from benchmarks.texts import Source, intents, pages
from indexer.articles import ArticleFile
from indexer.chunking import passages
from indexer.records import Record
from indexer.tickets.types import Ticket
from search.types import FOREVER, Audience, Document, Kind

if TYPE_CHECKING:
    from kb_app.kb import Kb
    from kb_app.store.tickets import StoredTicket

ROWS = 500
"""Rows of one transaction."""

_FIRST, _LAST = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2023, 2026))
_DAY = 86_400
_STEMS = (
    "星河云盘", "青鸟商城", "远山支付", "白露会员", "山雀物流", "北斗直播", "墨竹文档", "银杏教育",
    "海棠出行", "松果家电", "云雀邮箱", "麦田外卖", "石榴保险", "长亭租房", "蓝鲸客服", "木棉社区",
    "流萤相册", "朝露健康", "赤壁游戏", "千帆广告", "橙舟打车", "雨燕快送", "玉兰票务", "竹影安防",
)  # fmt: skip
_MODELS = ("", " Pro", " Lite", " 企业版", " 国际版", " X1", " X3", " M20", " S7", " 2025")
PRODUCTS = tuple(stem + model for model in _MODELS for stem in _STEMS)
_BRAND = re.compile(
    r"阿里云视频点播|视频点播|对象存储\s?OSS|阿里云|Alibaba Cloud|ApsaraVideo VOD"
    r"|(?<![A-Za-z])(?:OSS|CDN|VOD)(?![A-Za-z])"
)
_NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?![\w.])|[二三四五六七八九十](?=个?(?:小时|天|次|工作日|分钟|元|位))")
_DIGITS = "二三四五六七八九十"
_SENTENCE = re.compile(r"[^。！？；]+[。！？；]?")
_SLIPS = (
    "账帐", "登等", "订定", "密蜜", "改该", "付负", "费废", "单但", "机几", "货或", "换还", "在再", "的得", "退腿",
)  # fmt: skip
_OPENINGS = ("您好，{}的处理办法：", "{}已为您核实，", "处理结果：", "电话回访后确认，您的{}：", "")
_TAGS = (
    "费用", "权限", "故障", "安装", "退款", "发票", "账号", "安全", "配送", "售后", "会员", "活动", "合同",
    "迁移", "监控", "日志", "备份", "升级", "隐私", "投诉", "时效", "门店", "海外", "新手", "企业", "接口",
)  # fmt: skip
_CHANNELS = ("phone", "chat", "email", "app")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Size:
    """How many articles and tickets, and the seed that settles every choice."""

    articles: int
    tickets: int
    seed: int = 7


@dataclass(frozen=True, slots=True)
class _Written:
    """An article and when it was written, in epoch seconds."""

    content: ArticleFile
    at: int


@dataclass(frozen=True, slots=True)
class _Pairing:
    """Numbers 0, 1, 2 … to (topic, product, edition), no two alike: topics in scattered order, then all again."""

    topics: int
    products: int
    stride: int

    @staticmethod
    def of(topics: int, products: int, seed: int) -> _Pairing:
        stride = int(topics * 0.618) + 1 + seed % 97
        return _Pairing(topics, products, next(n for n in count(stride) if math.gcd(n, topics) == 1))

    def at(self, number: int, neighbour: int = 0) -> tuple[int, int, int]:
        """`neighbour` 1 is the same topic with the next product."""
        turn, within = divmod(number, self.topics)
        topic = within * self.stride % self.topics
        turn = 2 * turn + neighbour
        return topic, (topic * 7 + turn) % self.products, turn // self.products


def records(data: Path, size: Size) -> Iterator[Record]:
    """The corpus as the indexer takes it, one by one: articles, then tickets, in the order of their ids."""
    maker = _Maker(data, size)
    yield from (_article_record(maker.article(number)) for number in range(size.articles))
    yield from (_ticket_record(maker.ticket(number)) for number in range(size.tickets))


def questions(data: Path, size: Size, n: int) -> list[str]:
    """What people would type about this corpus: talk, half sentences, keywords, product names, slips of the pen."""
    maker = _Maker(data, size)
    return [maker.question(number) for number in range(n)]


def fill(home: Path, data: Path, size: Size) -> None:
    """Write the corpus into the database of a KB_HOME that has no such articles, ROWS to a transaction.

    Articles are rendered and stored as publishing does it, with outbox and audit rows. Tickets are stored as an
    import does it, but for the masking: they name nobody.
    """
    from kb_app.kb import open_kb
    from kb_app.settings import load_settings

    maker, now = _Maker(data, size), _Now()
    kb = open_kb(load_settings({"KB_HOME": str(home)}), now)
    try:
        kb.database.migrate()
        for numbers in _batches(size.articles):
            _store_articles(kb, now, [maker.article(number) for number in numbers])
        for numbers in _batches(size.tickets):
            _store_tickets(kb, [maker.ticket(number) for number in numbers])
    finally:
        kb.close()


class _Now:
    """A clock that stands where it is put."""

    at = 0

    def __call__(self) -> float:
        return self.at


class _Maker:
    """Makes article, ticket and question number n; each is seeded by its number alone."""

    def __init__(self, data: Path, size: Size) -> None:
        self._size = size
        talk, manual = list(intents(data)), list(pages(data))
        self._sources = _distinct(talk + manual, lambda source: source.title)
        related: dict[str, list[Source]] = {}
        for source in talk + manual:
            related.setdefault(source.category, []).append(source)
        self._related = related
        everything = [(text, source) for source in talk for text in source.asked]
        everything += [(text, source) for source in manual for text in source.asked[:1]]
        self._complaints = _distinct(everything, lambda pair: pair[0])
        self._articles = _Pairing.of(len(self._sources), len(PRODUCTS), size.seed)
        self._tickets = _Pairing.of(len(self._complaints), len(PRODUCTS), size.seed)

    def article(self, number: int) -> _Written:
        """Article `number`; numbers 4, 9, 14 … are near neighbours of the one before."""
        chance, plan, source, product, edition = self._topic(number)
        title = f"{product}：{source.title}" if number % 2 else f"{source.title}（{product}）"
        at = chance.randrange(_FIRST, _LAST)
        begins, ends = _validity(plan, at)
        content = ArticleFile(
            id=f"a_{number:08d}",
            title=_edition(title, edition),
            body=self._body(source, product, plan, chance),
            category=source.category,
            summary=vary(source.pieces[0].text, product, chance)[:80].replace("\n", " "),
            tags=tuple(sorted(plan.sample(_TAGS, plan.randint(1, 3)))),
            product=product,
            audience=Audience.INTERNAL if plan.random() < 0.15 else Audience.PUBLIC,
            owner=f"team-{source.category}",
            questions=_asked(source, product, plan),
            valid_from=begins,
            valid_until=ends,
        )
        return _Written(content, at)

    def ticket(self, number: int) -> Ticket:
        """Ticket `number`: a customer's own words and how it was settled."""
        chance = self._chance("ticket", number)
        topic, at, edition = self._tickets.at(number)
        text, source = self._complaints[topic]
        product, opened = PRODUCTS[at], chance.randrange(_FIRST, _LAST)
        return Ticket(
            external_id=f"{number:08d}",
            subject=_edition(f"{text}（{product}）", edition),
            question=_complaint(text, source, product, chance),
            resolution=self._resolution(source, product, chance),
            turns=(),
            category=source.category,
            tags=(chance.choice(_TAGS),),
            channel=chance.choice(_CHANNELS),
            satisfaction=chance.choice((None, 3, 4, 5, 5)),
            opened_at=_stamp(opened),
            resolved_at=_stamp(opened + chance.randrange(600, 5 * _DAY)),
        )

    def question(self, number: int) -> str:
        """Something typed about one of the articles or tickets."""
        chance = self._chance("question", number)
        source, product = self._asked_about(chance)
        text = chance.choice(source.asked)
        keyword = chance.choice((*source.keywords, source.title))
        shape = chance.random()
        if shape < 0.40:
            return text
        if shape < 0.65:
            return text[: chance.randint(2, max(2, len(text) * 2 // 3))].strip() or text
        if shape < 0.80:
            return keyword
        return f"{product} {keyword}" if shape < 0.90 else slip(text, chance)

    def _topic(self, number: int) -> tuple[random.Random, random.Random, Source, str, int]:
        """Chances of the article's own and of its plan, which near neighbours share; its topic, product, edition."""
        block, within = divmod(number, 5)
        base = 4 * block + min(within, 3)
        topic, product, edition = self._articles.at(base, int(within == 4))
        own, plan = self._chance("article", number), self._chance("plan", base)
        return own, plan, self._sources[topic], PRODUCTS[product], edition

    def _asked_about(self, chance: random.Random) -> tuple[Source, str]:
        size = self._size
        if size.articles and (chance.random() < 0.5 or not size.tickets):
            _, _, source, product, _ = self._topic(chance.randrange(size.articles))
            return source, product
        topic, at, _ = self._tickets.at(chance.randrange(max(size.tickets, 1)))
        return self._complaints[topic][1], PRODUCTS[at]

    def _body(self, source: Source, product: str, plan: random.Random, chance: random.Random) -> str:
        scope = f"适用于{product}。\n\n" if plan.random() < 0.5 else ""
        parts = [scope + _section(source, plan)[1]]
        for number in range(plan.randint(1, 6)):
            own = number < len(source.pieces) // 3 and plan.random() < 0.8
            heading, text = _section(source if own else plan.choice(self._related[source.category]), plan)
            parts.append(f"## {heading}\n\n{text}")
        if plan.random() < 0.10:
            parts.append("!!! internal\n" + indent(_section(source, plan)[1], "    "))
        return vary("\n\n".join(parts), product, chance)

    def _resolution(self, source: Source, product: str, chance: random.Random) -> str:
        return chance.choice(_OPENINGS).format(product) + vary(_section(source, chance)[1], product, chance)

    def _chance(self, what: str, number: int) -> random.Random:
        return random.Random(f"{self._size.seed} {what} {number}")


def vary(text: str, product: str, chance: random.Random) -> str:
    """The text about another product, with other numbers."""

    def number(found: re.Match[str]) -> str:
        old = found[0]
        return str(max(1, int(int(old) * chance.uniform(0.5, 2)))) if old.isascii() else chance.choice(_DIGITS)

    return _NUMBER.sub(number, _BRAND.sub(lambda _: product, text))


def slip(text: str, chance: random.Random) -> str:
    """The text with one slip: a character that sounds alike, two exchanged, or one left out."""
    for pair in chance.sample(_SLIPS, len(_SLIPS)):
        if pair[0] in text:
            return text.replace(pair[0], pair[1], 1)
    at = chance.randrange(max(1, len(text) - 1))
    left_out = chance.random() < 0.5 and len(text) > 1
    return text[:at] + text[at + 1 : at + 2] + ("" if left_out else text[at]) + text[at + 2 :]


def _section(source: Source, chance: random.Random) -> tuple[str, str]:
    """A heading and some text of a source, of about one passage."""
    start, length, texts = chance.randrange(max(1, len(source.pieces) - 2)), chance.randint(60, 320), list[str]()
    for piece in source.pieces[start:]:
        texts.append(_fewer(piece.text, chance))
        if sum(map(len, texts)) >= length:
            break
    return source.pieces[start].heading, "\n\n".join(texts)


def _fewer(text: str, chance: random.Random) -> str:
    """Prose without one of its sentences, now and then."""
    sentences = _SENTENCE.findall(text)
    if len(sentences) < 3 or "\n" in text or "|" in text or chance.random() < 0.5:
        return text
    left_out = chance.randrange(len(sentences))
    return "".join(sentence for number, sentence in enumerate(sentences) if number != left_out)


def _asked(source: Source, product: str, chance: random.Random) -> tuple[str, ...]:
    """Two to five phrasings, some of which name the product."""
    picked = chance.sample(source.asked, min(chance.randint(2, 5), len(source.asked)))
    return tuple(f"{product}{text}" if chance.random() < 0.3 else text for text in picked)


def _complaint(text: str, source: Source, product: str, chance: random.Random) -> str:
    """A ticket's first message: one or two things people say, sometimes with a slip or an order number."""
    said = [slip(text, chance) if chance.random() < 0.15 else text]
    if chance.random() < 0.5:
        said.append(chance.choice(source.asked))
    if chance.random() < 0.4:
        said.append(f"用的是{product}")
    if chance.random() < 0.2:
        said.append(f"工单 {chance.randrange(10_000, 99_999)}")
    return "，".join(said)


def _validity(chance: random.Random, written: int) -> tuple[int, int]:
    """Most articles hold for ever; some have ended, some end in years to come, a few have yet to begin."""
    shape = chance.random()
    if shape < 0.02:
        return 0, written + 90 * _DAY
    if shape < 0.07:
        return written, written + chance.randrange(4_000, 8_000) * _DAY
    return (written + 8_000 * _DAY, FOREVER) if shape < 0.08 else (0, FOREVER)


def _article_record(written: _Written) -> Record:
    content = written.content
    document = Document(
        id=content.id,
        version=1,
        kind=content.kind,
        title=content.title,
        slug=_slug(content),
        category=content.category,
        audience=content.audience,
        summary=content.summary,
        tags=content.tags,
        product=content.product,
        valid_from=content.valid_from,
        valid_until=content.valid_until,
        updated_at=_stamp(written.at),
    )
    return Record(document, content.questions, content.body)


def _ticket_record(ticket: Ticket) -> Record:
    document = Document(
        id=_ticket_id(ticket),
        version=1,
        kind=Kind.TICKET,
        title=ticket.subject,
        slug=_ticket_id(ticket),
        category=ticket.category,
        audience=Audience.INTERNAL,
        tags=ticket.tags,
        updated_at=ticket.resolved_at,
    )
    return Record(document, (ticket.question,), ticket.resolution)


def _store_articles(kb: Kb, now: _Now, written: Sequence[_Written]) -> None:
    from kb_app import publishing

    origin = publishing.Origin("corpus", "made for a measurement")
    rendered = [publishing.render(kb, one.content) for one in written]
    with kb.database.write() as session:
        for one, html in zip(written, rendered, strict=True):
            now.at = one.at
            publishing.save_version(session, kb, _slug(one.content), one.content, html, origin)


def _store_tickets(kb: Kb, made: Sequence[Ticket]) -> None:
    from kb_app.store import journal, tickets

    with kb.database.write() as session:
        for ticket in made:
            stored = _stored(ticket)
            tickets.save(session, stored)
            journal.announce(session, journal.Topic.TICKET, stored.id, stored.imported_at)


def _stored(ticket: Ticket) -> StoredTicket:
    from kb_app.store.tickets import StoredTicket

    return StoredTicket(
        **asdict(ticket) | {"turns": ()},
        id=_ticket_id(ticket),
        source="corpus",
        version=1,
        content_hash=hashlib.sha256(f"{ticket.question}{ticket.resolution}".encode()).hexdigest(),
        imported_at=ticket.resolved_at,
    )


def _slug(content: ArticleFile) -> str:
    return f"{content.category}-{content.id.removeprefix('a_')}"


def _ticket_id(ticket: Ticket) -> str:
    return f"t_{ticket.external_id}"


def _edition(title: str, edition: int) -> str:
    return f"{title} 第{edition + 1}版" if edition else title


def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _distinct(entries: Iterable[_T], key: Callable[[_T], str]) -> list[_T]:
    return list({key(entry): entry for entry in entries}.values())


def _batches(total: int) -> Iterator[range]:
    return (range(start, min(start + ROWS, total)) for start in range(0, total, ROWS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds helpcenter-zh/ and intents/")
    parser.add_argument("--articles", type=int, required=True)
    parser.add_argument("--tickets", type=int, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--home", type=Path, help="also write the corpus into the database of this KB_HOME")
    given = parser.parse_args()
    size = Size(given.articles, given.tickets, given.seed)
    _tell(given.data, size)
    if given.home:
        started = time.perf_counter()
        fill(given.home, given.data, size)
        print(f"{given.home}: filled in {time.perf_counter() - started:.1f} s")


def _tell(data: Path, size: Size) -> None:
    started, documents, pieces, characters = time.perf_counter(), 0, 0, 0
    for record in records(data, size):
        own = passages(record)
        documents, pieces = documents + 1, pieces + len(own)
        characters += sum(len(passage.text) for passage in own)
    mean = characters / pieces if pieces else 0.0
    spent = time.perf_counter() - started
    print(f"{documents} documents, {pieces} passages of {mean:.0f} characters on average, {spent:.1f} s")


if __name__ == "__main__":
    main()
