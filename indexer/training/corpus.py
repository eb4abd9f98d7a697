"""Training texts by source: groups of texts that mean the same, and plain documents."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

OWN_DATA = Path(__file__).parent.parent / "training_data"
TRAINING_PRODUCTS = ("oss", "cdn", "vod")
"""Help-centre products to learn from; `sls` is left out so that it can be measured."""

_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*(?:\{#([\w-]+)[^}]*\})?\s*$")
_MARKUP = re.compile(r"```.*?```|<[^>]{1,300}>|\{#[^}]*\}|!\[[^\]]*\]\([^)]*\)|^---$|^\|?[:\s|-]+\|$", re.S | re.M)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;\n]*")
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.S)
BODY_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Group:
    """Texts with one meaning: a training pair is one of `asked` and another of `keys`."""

    asked: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """The groups of one data set; `weight` is its share of the training steps."""

    name: str
    groups: tuple[Group, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, its anchor and the plain text below it."""

    heading: str
    anchor: str
    body: str


@dataclass(slots=True)
class Corpus:
    """All sources, the documents that teach which words go together, and hashes of what was read."""

    sources: list[Source] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, groups: Iterable[Group], weight: float) -> None:
        """Add a source that has at least two groups; fewer give no negatives to learn from."""
        kept = tuple(group for group in groups if group.asked and group.keys)
        if len(kept) > 1:
            self.sources.append(Source(name, kept, weight))


def read_corpus(data: Path | None, fold: Callable[[str], str], own: Path = OWN_DATA) -> Corpus:
    """The project's own intents and synonyms, and, with a data folder, the public sets named in it."""
    corpus = Corpus()
    _read_intents(own, corpus)
    if data is not None:
        for read in (_read_help_centre, _read_dify, _read_english, _read_faq, _read_medical, _read_dialogue):
            read(data, corpus)
    return _folded(corpus, fold)


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with its closing mark."""
    return [part.strip() for part in _SENTENCE.findall(text) if part.strip()]


def read_intents(file: Path) -> list[dict[str, object]]:
    """The intents of a JSON Lines file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]


def _read_intents(own: Path, corpus: Corpus) -> None:
    file = own / "intents.jsonl"
    corpus.hashes["intents (own)"] = _hash([file])
    intents = read_intents(file)
    corpus.add("intents", [_intent_group(intent) for intent in intents], 1.0)
    for intent in intents:
        corpus.documents.append("\n".join([intent["title"], intent["answer"], *intent["utterances"]]))
    synonyms = own / "synonyms.txt"
    if synonyms.is_file():
        corpus.hashes["synonyms (own)"] = _hash([synonyms])
        corpus.add("synonyms", _synonym_groups(synonyms), 0.3)


def _intent_group(intent: dict) -> Group:
    title, answer, utterances = intent["title"], intent["answer"], intent["utterances"]
    # A title stands for its intent more than any one thing that people type.
    keys = (*[title] * 4, *[answer] * 4, *sentences(answer), *utterances)
    return Group((*utterances, title), keys)


def _synonym_groups(file: Path) -> Iterator[Group]:
    for line in file.read_text(encoding="utf-8").splitlines():
        words = tuple(word.strip() for word in line.split("|") if word.strip())
        if not line.startswith("#") and len(words) > 1:
            yield Group(words, words)


def _read_help_centre(data: Path, corpus: Corpus) -> None:
    files = {lang: _markdown(data / f"helpcenter-{lang}", TRAINING_PRODUCTS, "*.md") for lang in ("zh", "en")}
    sections = {lang: [s for file in found for s in parse_sections(file)] for lang, found in files.items()}
    for lang, found in sections.items():
        corpus.hashes[f"helpcenter-{lang}"] = _hash(files[lang])
        corpus.add(f"helpcenter-{lang}", [Group((s.heading,), (s.body,)) for s in _distinct(found)], 0.3)
        corpus.documents.extend(f"{s.heading}\n{s.body}" for s in _distinct(found))
    chinese = {s.anchor: s for s in sections["zh"] if s.anchor}
    aligned = [(chinese[s.anchor], s) for s in sections["en"] if s.anchor in chinese]
    corpus.add("helpcenter-zh-en", [_aligned_group(zh, en) for zh, en in aligned], 0.4)


def _aligned_group(zh: Section, en: Section) -> Group:
    return Group(
        tuple(filter(None, (zh.heading, zh.heading, zh.body))),
        tuple(filter(None, (en.heading, en.heading, en.body))),
    )


def _read_dify(data: Path, corpus: Corpus) -> None:
    files = {lang: _markdown(data / "dify-docs" / lang, (".",), "*.mdx") for lang in ("zh", "en")}
    corpus.hashes["dify-docs"] = _hash(files["zh"] + files["en"])
    pairs = []
    for zh in files["zh"]:
        en = data / "dify-docs" / "en" / zh.relative_to(data / "dify-docs" / "zh")
        if en.is_file():
            pairs.extend(_zip_sections(parse_sections(zh), parse_sections(en)))
    corpus.add("dify-zh-en", [_aligned_group(zh, en) for zh, en in pairs], 0.1)
    for language in zip(*pairs, strict=True):
        corpus.documents.extend(f"{s.heading}\n{s.body}" for s in language)
        corpus.add("dify", [Group((s.heading,), (s.body,)) for s in _distinct(language)], 0.05)


def _zip_sections(zh: list[Section], en: list[Section]) -> list[tuple[Section, Section]]:
    return list(zip(zh, en, strict=True)) if len(zh) == len(en) else list(zip(zh[:1], en[:1], strict=False))


def _read_english(data: Path, corpus: Corpus) -> None:
    questions = data / "questions-en"
    bank, clinc = questions / "banking77" / "train.csv", questions / "clinc-oos" / "data_full.json"
    with bank.open(encoding="utf-8", newline="") as rows:
        banking = [(row["text"], row["category"]) for row in csv.DictReader(rows)]
    corpus.add("banking77", _labelled(banking), 0.15)
    corpus.hashes["banking77"] = _hash([bank])
    train = [(text, label) for text, label in json.loads(clinc.read_text(encoding="utf-8"))["train"]]
    corpus.add("clinc-oos", _labelled(train), 0.15)
    corpus.hashes["clinc-oos"] = _hash([clinc])
    corpus.documents.extend(text for text, _ in banking + train)


def _labelled(rows: Iterable[tuple[str, str]]) -> Iterator[Group]:
    by_label: dict[str, list[str]] = {}
    for text, label in rows:
        by_label.setdefault(label, []).append(text.strip())
    for label, texts in by_label.items():
        name = label.replace("_", " ")
        yield Group((*texts, name), (*texts, *[name] * (len(texts) // 8)))


def _read_faq(data: Path, corpus: Corpus) -> None:
    file = data / "faq-zh" / "consumer" / "qa_.csv"
    corpus.hashes["faq-zh/consumer"] = _hash([file])
    with file.open(encoding="utf-8-sig", newline="") as rows:
        pairs = [(row[0], row[1]) for row in csv.reader(rows) if len(row) > 1]
    corpus.add("faq-consumer", [Group((q,), (a,)) for q, a in pairs], 0.02)
    corpus.documents.extend(f"{q}\n{a}" for q, a in pairs)


def _read_medical(data: Path, corpus: Corpus) -> None:
    files = sorted((data / "faq-zh" / "medical-gb18030").glob("*.csv"))
    corpus.hashes["faq-zh/medical"] = _hash(files)
    groups = []
    for file in files:
        with file.open(encoding="gb18030", errors="strict", newline="") as rows:
            for row in csv.DictReader(rows):
                groups.append(Group((row["title"], row["ask"]), (row["ask"], row["answer"], row["title"])))
    corpus.add("medical", groups, 0.2)
    corpus.documents.extend("\n".join(dict.fromkeys((*g.asked, *g.keys))) for g in groups)


def _read_dialogue(data: Path, corpus: Corpus) -> None:
    files = [data / "dialogue-zh" / f"{name}.jsonl" for name in ("crosswoz", "kdconv")]
    corpus.hashes["dialogue-zh"] = _hash(files)
    for file in files:
        for dialogue in read_intents(file):
            corpus.documents.append("\n".join(dialogue["turns"]))


def parse_sections(file: Path) -> list[Section]:
    """The sections of a Markdown or MDX file as plain text, the front matter's title as the first heading."""
    text = file.read_text(encoding="utf-8", errors="strict").replace("\r\n", "\n")
    front = _FRONT_MATTER.match(text)
    if front:
        title = re.search(r"^title:\s*(.+)$", front[1], re.M)
        described = re.search(r"^description:\s*(.+)$", front[1], re.M)
        head = f"# {title[1].strip(chr(34)) if title else file.stem}\n{described[1] if described else ''}\n"
        text = head + text[front.end() :]
    return list(_split_sections(re.sub(r"```.*?```", "", text, flags=re.S)))


def _split_sections(text: str) -> Iterator[Section]:
    heading, anchor, body = "", "", list[str]()
    for line in [*text.splitlines(), "# "]:
        match = _HEADING.match(line) if line != "# " else None
        if match or line == "# ":
            if heading:
                yield Section(_plain(heading), anchor, _plain("\n".join(body))[:BODY_CHARACTERS])
            heading, anchor, body = (match[1], match[2] or "", []) if match else ("", "", [])
        else:
            body.append(line)


def _plain(markdown: str) -> str:
    text = _LINK.sub(r"\1", _MARKUP.sub(" ", markdown))
    return re.sub(r"\s+", " ", re.sub(r"[|*`>\\#]+", " ", text)).strip()


def _distinct(sections: Iterable[Section]) -> list[Section]:
    """One section per heading and body: help centres repeat the same paragraph on many pages."""
    return list({(s.heading, s.body): s for s in sections if s.heading and s.body}.values())


def _markdown(root: Path, folders: Iterable[str], pattern: str) -> list[Path]:
    return sorted(file for folder in folders for file in (root / folder).rglob(pattern))


def _hash(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _folded(corpus: Corpus, fold: Callable[[str], str]) -> Corpus:
    def group(old: Group) -> Group:
        return Group(tuple(map(fold, old.asked)), tuple(map(fold, old.keys)))

    sources = [Source(s.name, tuple(map(group, s.groups)), s.weight) for s in corpus.sources]
    return Corpus(sources, list(dict.fromkeys(map(fold, corpus.documents))), corpus.hashes)
