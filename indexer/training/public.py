"""Public data sets whose licence allows their text in weights that ship, from a folder given by path."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.training.corpus import Corpus, Group, Source, hash_files, read_lines, sentences
from search.errors import SearchError

TRAINING_PRODUCTS = ("oss", "cdn", "vod")
"""Help-centre products to learn from; `sls` is left out so that it can be measured."""
UNRELATED_LISTS = ("animal", "chengyu", "diming", "food", "lishimingren", "poem")
WORDS_PER_LIST = 400
BODY_CHARACTERS = 400

_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*(?:\{#([\w-]+)[^}]*\})?\s*$")
_FENCE = re.compile(r"```.*?```", re.S)
_MARKUP = re.compile(r"<[^>]{1,300}>|\{#[^}]*\}|!\[[^\]]*\]\([^)]*\)|^---$|^\|?[:\s|-]+\|$", re.M)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.S)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, its anchor and the plain text below it."""

    heading: str
    anchor: str
    body: str


def read_public(data: Path, corpus: Corpus) -> None:
    """Add every set of the folder to the corpus; SearchError when one is missing or cannot be read."""
    readers = (_help_centre, _dify, _banking, _clinc, _consumer, _medical, _dialogue, _words)
    for read in readers:
        try:
            read(data, corpus)
        except (OSError, ValueError, KeyError) as error:
            hint = "Give a folder laid out as the model card says, or none to train from the project's own texts."
            raise SearchError(f"training data cannot be read: {error}", hint) from error


def parse_sections(file: Path) -> list[Section]:
    """The sections of a Markdown or MDX file as plain text, the front matter's title as the first heading."""
    text = file.read_text(encoding="utf-8").replace("\r\n", "\n")
    front = _FRONT_MATTER.match(text)
    if front:
        text = _front_heading(front[1], file.stem) + text[front.end() :]
    return list(_split_sections(_FENCE.sub("", text)))


def _front_heading(front: str, otherwise: str) -> str:
    fields = {key: value.strip("\"' ") for key, value in re.findall(r"^(title|description):\s*(.+)$", front, re.M)}
    return f"# {fields.get('title', otherwise)}\n{fields.get('description', '')}\n"


def _split_sections(text: str) -> Iterator[Section]:
    heading, anchor, body = "", "", list[str]()
    for line in [*text.splitlines(), "# end"]:
        match = _HEADING.match(line)
        if not match:
            body.append(line)
            continue
        if heading:
            yield Section(_plain(heading), anchor, _plain("\n".join(body))[:BODY_CHARACTERS])
        heading, anchor, body = match[1], match[2] or "", []


def _plain(markdown: str) -> str:
    text = _LINK.sub(r"\1", _MARKUP.sub(" ", markdown))
    return re.sub(r"\s+", " ", re.sub(r"[|*`>\\#]+", " ", text)).strip()


def _help_centre(data: Path, corpus: Corpus) -> None:
    found: dict[str, list[Section]] = {}
    for language in ("zh", "en"):
        root = data / f"helpcenter-{language}"
        files = [file for product in TRAINING_PRODUCTS for file in _files(root / product, "*.md")]
        corpus.hashes[f"helpcenter-{language} oss, cdn, vod"] = hash_files(files)
        found[language] = [section for file in files for section in parse_sections(file)]
        _add_sections(f"helpcenter-{language}", found[language], corpus, 0.25)
    chinese = {section.anchor: section for section in found["zh"] if section.anchor}
    aligned = [(chinese[s.anchor], s) for s in found["en"] if s.anchor in chinese]
    _add_aligned("helpcenter zh-en", aligned, corpus, 0.5)


def _dify(data: Path, corpus: Corpus) -> None:
    root = data / "dify-docs"
    files = {language: _files(root / language, "*.mdx") for language in ("zh", "en")}
    corpus.hashes["dify-docs"] = hash_files(files["zh"] + files["en"])
    english = {file.relative_to(root / "en"): file for file in files["en"]}
    pages = [(zh, english.get(zh.relative_to(root / "zh"))) for zh in files["zh"]]
    parsed = [(parse_sections(zh), parse_sections(en)) for zh, en in pages if en]
    _add_sections("dify-docs zh", [s for zh, _ in parsed for s in zh], corpus, 0.05)
    _add_sections("dify-docs en", [s for _, en in parsed for s in en], corpus, 0.05)
    _add_aligned("dify-docs zh-en", [pair for zh, en in parsed for pair in _same_sections(zh, en)], corpus, 0.2)


def _same_sections(zh: list[Section], en: list[Section]) -> Iterator[tuple[Section, Section]]:
    """Sections in step; only the first where a translation has more or fewer of them."""
    return zip(zh, en, strict=True) if len(zh) == len(en) else zip(zh[:1], en[:1], strict=False)


def _add_sections(name: str, found: Iterable[Section], corpus: Corpus, share: float) -> None:
    # Help centres repeat the same paragraph on many pages.
    kept = list({(s.heading, s.body): s for s in found if s.heading and s.body}.values())
    corpus.add(Source(name, tuple(Group((s.heading,), (s.body,)) for s in kept), share, weight=0.06))
    corpus.documents.extend(f"{s.heading}\n{s.body}" for s in kept)


def _add_aligned(name: str, pairs: Sequence[tuple[Section, Section]], corpus: Corpus, share: float) -> None:
    groups = tuple(Group(_weighted(zh), _weighted(en)) for zh, en in pairs)
    corpus.add(Source(name, groups, share, keys=2, weight=0.12))
    documents = (f"{zh.heading} {en.heading}" for zh, en in pairs)
    corpus.documents.extend(dict.fromkeys(documents))


def _weighted(section: Section) -> tuple[str, ...]:
    return tuple(filter(None, (section.heading, section.heading, section.body)))


def _banking(data: Path, corpus: Corpus) -> None:
    file = data / "questions-en" / "banking77" / "train.csv"
    corpus.hashes["banking77 train"] = hash_files([file])
    _add_labelled("banking77", _csv_rows(file, "text", "category"), corpus)


def _clinc(data: Path, corpus: Corpus) -> None:
    file = data / "questions-en" / "clinc-oos" / "data_full.json"
    sets = json.loads(file.read_text(encoding="utf-8"))
    corpus.hashes["clinc-oos (train, oos_train)"] = hash_files([file])
    _add_labelled("clinc-oos", [(text, label) for text, label in sets["train"]], corpus)
    corpus.unrelated.extend(text for text, _ in sets["oos_train"])


def _add_labelled(name: str, rows: Sequence[tuple[str, str]], corpus: Corpus) -> None:
    labels: dict[str, list[str]] = {}
    for text, label in rows:
        labels.setdefault(label, []).append(text.strip())
    groups = tuple(Group(tuple(texts), (label.replace("_", " "), *texts)) for label, texts in labels.items())
    corpus.add(Source(name, groups, 0.3, keys=4, weight=0.12, typed=True))
    corpus.documents.extend(f"{label.replace('_', ' ')}: {text}" for text, label in rows)


def _consumer(data: Path, corpus: Corpus) -> None:
    file = data / "faq-zh" / "consumer" / "qa_.csv"
    corpus.hashes["faq-zh/consumer"] = hash_files([file])
    with file.open(encoding="utf-8-sig", newline="") as rows:
        pairs = [(row[0], row[1]) for row in csv.reader(rows) if len(row) > 1]
    groups = tuple(Group((asked,), (answer,)) for asked, answer in pairs)
    corpus.add(Source("faq-zh/consumer", groups, 0.1, weight=0.03))
    corpus.documents.extend(f"{asked}\n{answer}" for asked, answer in pairs)


def _medical(data: Path, corpus: Corpus) -> None:
    files = _files(data / "faq-zh" / "medical-gb18030", "*.csv")
    corpus.hashes["faq-zh/medical-gb18030"] = hash_files(files)
    groups = [group for file in files for group in _medical_groups(file)]
    corpus.add(Source("faq-zh/medical-gb18030", tuple(groups), 0.2, keys=2, weight=0.05))
    corpus.documents.extend("\n".join(dict.fromkeys((*g.asked, *g.keys))) for g in groups)


def _medical_groups(file: Path) -> Iterator[Group]:
    with file.open(encoding="gb18030", newline="") as rows:
        for row in csv.DictReader(rows):
            yield Group((row["title"], row["ask"]), (row["ask"], row["answer"][:BODY_CHARACTERS]))


def _dialogue(data: Path, corpus: Corpus) -> None:
    files = [data / "dialogue-zh" / f"{name}.jsonl" for name in ("crosswoz", "kdconv")]
    corpus.hashes["dialogue-zh"] = hash_files(files)
    for file in files:
        dialogues = [dialogue["turns"] for dialogue in read_lines(file)]
        corpus.documents.extend("\n".join(turns) for turns in dialogues)
        turns = list(dict.fromkeys(turn for turns in dialogues for turn in turns))
        corpus.unrelated.extend(turns)
        corpus.add(Source(f"dialogue-zh/{file.stem}", tuple(_halves(turns)), 0.25, weight=0.06))


def _halves(texts: Iterable[str]) -> Iterator[Group]:
    """A sentence and what follows it in the same turn: general language, which no question pairs teach."""
    for text in texts:
        parts = sentences(text)
        if len(parts) == 1 and len(text) > 11:
            yield Group((text[: len(text) * 2 // 3],), (text[len(text) // 3 :],))
        elif len(parts) > 1:
            yield Group((parts[0],), ("".join(parts[1:]),))


def _words(data: Path, corpus: Corpus) -> None:
    files = [data / "lexicon" / "thuocl" / f"THUOCL_{name}.txt" for name in UNRELATED_LISTS]
    corpus.hashes["lexicon/thuocl (six lists)"] = hash_files(files)
    for file in files:
        lines = file.read_text(encoding="utf-8-sig").splitlines()[:WORDS_PER_LIST]
        corpus.unrelated.extend(line.split("\t")[0].strip() for line in lines if line.strip())


def _csv_rows(file: Path, text: str, label: str) -> list[tuple[str, str]]:
    with file.open(encoding="utf-8", newline="") as rows:
        return [(row[text], row[label]) for row in csv.DictReader(rows)]


def _files(root: Path, pattern: str) -> list[Path]:
    found = sorted(root.rglob(pattern))
    if not found:
        raise FileNotFoundError(f"no {pattern} below {root}")
    return found
