"""What there is to learn from: groups of texts that mean the same, plain documents, unrelated talk."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from indexer.articles import ArticleFile, Defaults, parse_article
from indexer.markdown import sections
from search.errors import SearchError
from search.lexicon import shipped_lexicon

Fold = Callable[[str], str]

OWN_DATA = Path(__file__).parent.parent / "training_data"
OWN_ARTICLES = Path(__file__).parent.parent.parent / "articles"
UNRELATED = "unrelated.txt"
OWN_REPEATS = 4
"""How often the project's own texts count among the documents: they are few and closest to what is asked."""

_SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;\n]*")


@dataclass(frozen=True, slots=True)
class Group:
    """Texts with one meaning: one of `asked` is to find one of `keys`; the first key is the title."""

    asked: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """The groups of one data set.

    `share * batch` groups take part in a step, and count with `weight`. A question is compared with
    `keys` texts of every group and the nearest counts. `service`: unrelated talk is to stay away from
    it; `typed`: its questions are typed by people, mistakes included.
    """

    name: str
    groups: tuple[Group, ...]
    share: float
    keys: int = 1
    weight: float = 1.0
    service: bool = False
    typed: bool = False


@dataclass(slots=True)
class Corpus:
    """All sources, the documents that teach which words go together, and hashes of what was read."""

    sources: list[Source] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    unrelated: list[str] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)

    def add(self, source: Source) -> None:
        """Add a source that has at least two groups; fewer give no wrong answers to learn from."""
        kept = tuple(group for group in source.groups if group.asked and group.keys)
        if len(kept) > 1:
            self.sources.append(replace(source, groups=kept))

    def folded(self, fold: Fold) -> Corpus:
        """The same with every text as the encoder will meet it."""
        sources = [replace(source, groups=_fold_groups(source.groups, fold)) for source in self.sources]
        return Corpus(sources, [fold(d) for d in self.documents], [fold(t) for t in self.unrelated], self.hashes)


@dataclass(frozen=True, slots=True)
class OwnData:
    """Where the project's own training texts are: a folder with intents and unrelated talk, and articles."""

    folder: Path = OWN_DATA
    articles: Path = OWN_ARTICLES


def read_own(own: OwnData) -> Corpus:
    """The project's own intents, articles, synonyms and unrelated talk."""
    corpus = Corpus()
    _read_intents(own.folder / "intents.jsonl", corpus)
    if unrelated := read_unrelated(own.folder):
        corpus.unrelated.extend(unrelated)
        corpus.hashes["unrelated talk (own)"] = hash_files([own.folder / UNRELATED])
    _read_articles(own.articles, corpus)
    words = shipped_lexicon().synonyms
    synonyms = tuple(Group((word,), others) for word, others in sorted(words.items()))
    corpus.add(Source("synonyms (own)", synonyms, 0.5, keys=2, weight=0.1))
    corpus.hashes["synonyms (own)"] = hashlib.sha256(repr(synonyms).encode()).hexdigest()
    corpus.documents *= OWN_REPEATS
    return corpus


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with its closing mark."""
    return [part.strip() for part in _SENTENCE.findall(text) if part.strip()]


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file; SearchError names the file when it cannot be read."""
    try:
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, ValueError) as error:
        raise SearchError(f"training data cannot be read: {file}: {error}", "Restore or correct that file.") from error


def hash_files(files: Iterable[Path]) -> str:
    """SHA-256 over the contents of the files in the order given."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _read_intents(file: Path, corpus: Corpus) -> None:
    intents = read_lines(file)
    corpus.hashes["intents (own)"] = hash_files([file])
    groups = tuple(_intent_group(intent) for intent in intents)
    corpus.add(Source("intents (own)", groups, 2.0, service=True, typed=True))
    corpus.documents.extend("\n".join([i["title"], i["answer"], *i["utterances"]]) for i in intents)


def _intent_group(intent: dict[str, Any]) -> Group:
    title, answer, utterances = intent["title"], intent["answer"], intent["utterances"]
    # A title and a whole answer stand for their intent more than any one thing that people type.
    return Group((*utterances, title), (*[title] * 2, *[answer] * 2, *sentences(answer), *utterances))


def read_unrelated(folder: Path) -> list[str]:
    """Talk that no service desk could answer, [] where the folder has none."""
    file = folder / UNRELATED
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [line for line in lines if line and not line.startswith("#")]


def _read_articles(folder: Path, corpus: Corpus) -> None:
    files = sorted(file for file in folder.rglob("*.md") if file.name != "README.md")
    articles = [parse_article(file.read_bytes(), Defaults(PurePosixPath(file.relative_to(folder)))) for file in files]
    corpus.hashes["articles (own)"] = hash_files(files)
    groups = tuple(map(_article_group, articles))
    corpus.add(Source("articles (own)", groups, 0.8, weight=0.3, service=True, typed=True))
    corpus.documents.extend("\n".join((*group.asked, *group.keys)) for group in groups)


def _article_group(article: ArticleFile) -> Group:
    parts = [section.text for section in sections(article.body, article.title) if section.text]
    first = sentences(parts[0]) if parts else []
    return Group((*article.questions, article.title), (*[article.title] * 2, *parts, *first, *article.questions))


def _fold_groups(groups: Iterable[Group], fold: Fold) -> tuple[Group, ...]:
    folded = (Group(_fold_all(group.asked, fold), _fold_all(group.keys, fold)) for group in groups)
    return tuple(group for group in folded if group.asked and group.keys)


def _fold_all(texts: Iterable[str], fold: Fold) -> tuple[str, ...]:
    return tuple(folded for folded in map(fold, texts) if folded.strip())
