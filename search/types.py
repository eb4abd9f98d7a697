"""The nouns of search: small frozen records that cross package borders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

FOREVER = 1 << 40
"""Epoch seconds that stand for "no end"."""


class Kind(StrEnum):
    """What a document is."""

    ARTICLE = "article"
    SCRIPT = "script"
    ANNOUNCEMENT = "announcement"
    TICKET = "ticket"


class Audience(IntEnum):
    """Who may read; a reader sees every audience up to their own."""

    PUBLIC = 0
    INTERNAL = 1


class Role(IntEnum):
    """What part of its document a passage is."""

    TITLE = 0
    QUESTION = 1
    SECTION = 2


class Decision(StrEnum):
    """What to do with an answer, by the confidence of its first hit."""

    ANSWER = "answer"
    CANDIDATES = "candidates"
    ABSTAIN = "abstain"


class Mode(StrEnum):
    """How far the question has got."""

    TYPING = "typing"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Script:
    """The sentence to send: general text, its variables and one variant per channel."""

    text: str
    variables: tuple[str, ...] = ()
    variants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """What a hit shows about the article, script or ticket it belongs to."""

    id: str
    version: int
    kind: Kind
    title: str
    slug: str
    category: str
    audience: Audience
    summary: str = ""
    tags: tuple[str, ...] = ()
    product: str = ""
    valid_from: int = 0
    valid_until: int = FOREVER
    updated_at: str = ""
    source: str = ""
    script: Script | None = None

    @property
    def article(self) -> str:
        """The slug of the article that this is or was made from: a script answers as its article does."""
        return self.source.rpartition("/")[2] if self.source else self.slug


@dataclass(frozen=True, slots=True)
class Passage:
    """One searchable piece of a document.

    `text` is what is shown and embedded; `headings` is the path of headings above it, outermost
    first; `audience` may be stricter than the document's (blocks marked internal).
    """

    role: Role
    text: str
    audience: Audience
    headings: tuple[str, ...] = ()
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """Pre-filters of a search: enums and integer codes only, never text from a request."""

    audience: Audience
    now: int
    kinds: frozenset[Kind] = frozenset()
    categories: frozenset[int] | None = None
    products: frozenset[int] | None = None
    tags: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A question and who asks it. `categories`, `products`, `tags` narrow; empty means all."""

    text: str
    audience: Audience
    now: int
    mode: Mode = Mode.FINAL
    context: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    categories: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    channel: str = ""
    top_k: int = 8
    below_threshold: bool = False
    not_first: frozenset[str] = frozenset()


class DocumentRef(NamedTuple):
    """A document in the version that the index holds; permission is asked for this pair."""

    id: str
    version: int


Visible = Callable[[Iterable[DocumentRef]], frozenset[DocumentRef]]
"""The application's word on which candidates may be seen, asked before ranking ends."""


def everything(refs: Iterable[DocumentRef]) -> frozenset[DocumentRef]:
    """The `Visible` of evaluations and benchmarks, where all documents are public."""
    return frozenset(refs)


@dataclass(frozen=True, slots=True)
class Why:
    """Why a hit matched: exact terms, (asked, found) synonyms, ranks of either engine."""

    terms: tuple[str, ...] = ()
    synonyms: tuple[tuple[str, str], ...] = ()
    pinyin: tuple[str, ...] = ()
    corrected: str | None = None
    lexical_rank: int | None = None
    semantic_rank: int | None = None
    matched_question: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What confidence is judged by; each is larger when the answer is more likely right.

    cosine: best of the document's passages, -1..1, None without an encoder; gist: of all its passages together;
    coverage: share of the question's information (idf) that the document's passages hold, 0..1; margin: lead over the
    next document's score, 0..1.
    """

    cosine: float | None
    gist: float
    coverage: float
    margin: float


@dataclass(frozen=True, slots=True)
class Hit:
    """One document that answers, with its best section and best sentences.

    `highlights` are half-open character offsets into `answer`; `score` only orders;
    `confidence` is a probability in 0..1.
    """

    document: Document
    section: str
    anchor: str
    answer: str
    highlights: tuple[tuple[int, int], ...]
    confidence: float
    score: float
    evidence: Evidence
    why: Why
    audience: Audience
    below_threshold: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one question. `timing_ms` is by stage; `degraded` names engines that are down."""

    decision: Decision
    confidence: float
    hits: tuple[Hit, ...]
    completions: tuple[str, ...]
    degraded: tuple[str, ...]
    timing_ms: Mapping[str, float]
    generation: int
    documents: int
