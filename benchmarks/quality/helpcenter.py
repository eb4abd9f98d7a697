"""A help centre that the encoder has not learnt from (sls).

Headings: each section is a document whose title says nothing; headings that ask something are asked, none is indexed.
Languages: each Chinese article title that is not repeated is asked of the English articles. Two pages are one article
in two languages when they share a picture or an anchor that stands in no other page of either language.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from benchmarks.quality.harness import Asked, Measured, Report, Setup, document, halves_table, indexed, measure
from indexer.articles import ArticleFile, Defaults, Unreadable, parse_article
from indexer.markdown import Section, sections
from indexer.records import Record
from search.quality import figure
from search.types import Kind

UNTITLED = "-"
"""Has no term and a vector of zeros."""
GAIN = {"R@1": 0.05, "R@5": 0.06}
"""How much better than words alone both are to be."""
CROSS_GOALS = {("all", "R@10"): "0.60"}
_ASKS = re.compile(r"[？?]$|如何|怎么|怎样|为什么|是否|吗|什么|哪些")
_SHARED = re.compile(
    r"(?<![a-z])(?:section|concept|task|reference|table|fig)[_-](?:[a-z0-9]+[_-])*[a-z0-9]{3,}|/p\d{3,}\."
)


def run(setup: Setup) -> Report:
    chinese, english = (_articles(setup.folder(f"helpcenter-{language}", "sls")) for language in ("zh", "en"))
    headings, languages = _headings(chinese, setup), _languages(chinese, english, setup)
    goals = {
        ("all", metric): f"{figure(headings.values('lexical', metric)).mean + gain:.3f}"
        for metric, gain in GAIN.items()
    }
    parts = [
        "## A help centre's question headings, answered by section bodies",
        halves_table(headings, ("R@1", "R@5", "MRR"), goals),
        "## Chinese titles, answered by English articles",
        halves_table(languages, ("R@1", "R@10", "MRR"), CROSS_GOALS),
    ]
    return Report("\n\n".join(parts), (headings, languages))


def _articles(root: Path) -> list[ArticleFile]:
    return [article for file in sorted(root.rglob("*.md")) if (article := _read(file, root))]


def _read(file: Path, root: Path) -> ArticleFile | None:
    try:
        return parse_article(file.read_bytes(), Defaults(PurePosixPath(file.relative_to(root))))
    except Unreadable:
        return None


def _headings(articles: Sequence[ArticleFile], setup: Setup) -> Measured:
    found = list(_sections(articles))
    answers: defaultdict[str, set[str]] = defaultdict(set)
    for number, (heading, _) in enumerate(found):
        answers[heading].add(str(number))
    asked = [Asked(heading, frozenset(keys)) for heading, keys in answers.items() if _ASKS.search(heading)]
    # A script is plain text: what looks like a heading in it is none.
    records = [
        Record(document(str(n), UNTITLED, Kind.SCRIPT), (), section.text) for n, (_, section) in enumerate(found)
    ]
    with indexed(records, setup) as root:
        return measure("help centre headings", asked, root, setup)


def _sections(articles: Sequence[ArticleFile]) -> Iterator[tuple[str, Section]]:
    """Every section with its heading; the article's title heads what stands above the first one."""
    for article in articles:
        for section in sections(article.body, article.title):
            yield (section.headings[-1] if section.headings else article.title), section


def _languages(chinese: Sequence[ArticleFile], english: Sequence[ArticleFile], setup: Setup) -> Measured:
    titles = Counter(article.title for article in chinese)
    pairs = _aligned(chinese, english)
    asked = [
        Asked(chinese[number].title, frozenset(map(str, others)))
        for number, others in pairs.items()
        if titles[chinese[number].title] == 1
    ]
    records = [Record(document(str(number), article.title), (), article.body) for number, article in enumerate(english)]
    with indexed(records, setup) as root:
        return measure("zh titles, en articles", asked, root, setup)


def _aligned(chinese: Sequence[ArticleFile], english: Sequence[ArticleFile]) -> Mapping[int, set[int]]:
    """Numbers of the Chinese articles to those of their English ones."""
    left, right = _marks(chinese), _marks(english)
    pairs: defaultdict[int, set[int]] = defaultdict(set)
    for mark in left.keys() & right.keys():
        pairs[left[mark]].add(right[mark])
    return dict(sorted(pairs.items()))


def _marks(articles: Sequence[ArticleFile]) -> dict[str, int]:
    """Pictures and anchors that stand in one article only, to its number."""
    found = [set(_SHARED.findall(article.body)) for article in articles]
    counts = Counter(mark for own in found for mark in own)
    return {mark: number for number, own in enumerate(found) for mark in own if counts[mark] == 1}
