"""What the native API takes and gives; the OpenAPI document is made of these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from kb_app.answering import LONGEST_CONTEXT, LONGEST_QUERY
from search.types import Kind, Mode

Name = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Event = Literal[
    "shown", "opened", "copied", "inserted", "sent", "edited", "helpful", "not_helpful", "dismissed", "flagged"
]


class _Closed(BaseModel):
    """A misspelt field is an error, not a filter that silently does nothing."""

    model_config = ConfigDict(extra="forbid")


class Filters(_Closed):
    """Narrow a search; an empty list means all."""

    category: list[Name] = Field(default_factory=list, max_length=50)
    tags: list[Name] = Field(default_factory=list, max_length=50)
    product: list[Name] = Field(default_factory=list, max_length=50)
    channel: str = Field("", max_length=30)


class SearchRequest(_Closed):
    """A question, finished or as typed so far."""

    query: str = Field(description=f"1 to {LONGEST_QUERY} characters after trimming.")
    mode: Mode = Mode.FINAL
    context: list[Annotated[str, StringConstraints(max_length=20_000)]] = Field(
        default_factory=list, max_length=LONGEST_CONTEXT, description="Last customer messages, newest last."
    )
    kinds: list[Kind] = Field(default_factory=list, max_length=4)
    filters: Filters = Field(default_factory=Filters)
    top_k: int = Field(8, ge=1, le=50)
    include: list[Literal["html", "below_threshold"]] = Field(default_factory=list, max_length=2)
    session_id: str | None = Field(None, max_length=100)


class Why(BaseModel):
    """Why a hit matched."""

    terms: list[str]
    synonyms: list[tuple[str, str]]
    pinyin: list[str]
    corrected: str | None
    lexical_rank: int | None
    semantic_rank: int | None
    matched_question: str | None = None


class ScriptText(BaseModel):
    """The sentence to send."""

    text: str
    variables: list[str]
    variants: dict[str, str]


class Evidence(BaseModel):
    """How often a hit was used."""

    tickets: int
    used: int


class Hit(BaseModel):
    """One document that answers; `highlights` are [start, end) in characters of `answer`."""

    id: str
    kind: Kind
    title: str
    section: str
    url: str
    answer: str
    highlights: list[tuple[int, int]]
    html: str | None = None
    below_threshold: bool
    confidence: float
    score: float
    why: Why
    category: str
    tags: list[str]
    audience: Literal["public", "internal"]
    state: str
    version: int
    verified_by: str | None = None
    verified_at: str | None = None
    valid_until: str | None
    updated_at: str
    script: ScriptText | None
    evidence: Evidence | None = None


class Dialogue(BaseModel):
    """What kind of turn this is in a conversation."""

    act: Literal["question", "greeting", "thanks", "clarify", "handover"]
    text: str
    options: list[str]


class IndexState(BaseModel):
    """The index that answered."""

    generation: int
    documents: int


class SearchResponse(BaseModel):
    """The answer. Treat an unknown `decision` as "candidates" and ignore unknown fields."""

    query_id: str
    decision: Literal["answer", "candidates", "abstain"]
    dialogue: Dialogue
    confidence: float
    degraded: list[str]
    completions: list[str]
    hits: list[Hit]
    timing_ms: dict[str, float]
    index: IndexState


class FeedbackRequest(_Closed):
    """What became of a hit."""

    query_id: str = Field(pattern=r"^q_[0-9a-f]{16}$")
    hit_id: str = Field(pattern=r"^[ast]_[a-z0-9]{6,16}$")
    event: Event
    text: str = Field("", max_length=5000)
    note: str = Field("", max_length=2000)


class Accepted(BaseModel):
    """The event is stored."""

    accepted: bool


class Article(BaseModel):
    """An article as this caller may read it."""

    id: str
    kind: Kind
    slug: str
    title: str
    summary: str
    category: str
    tags: list[str]
    product: str
    audience: Literal["public", "internal"]
    state: str
    version: int
    valid_until: str | None
    updated_at: str
    url: str
    html: str
    markdown: str
    script: ScriptText | None


class ScriptItem(BaseModel):
    """A script in a list."""

    id: str
    title: str
    category: str
    text: str
    variables: list[str]
    variants: dict[str, str]
    url: str


class Scripts(BaseModel):
    """Scripts that match, best first."""

    scripts: list[ScriptItem]


class CategoryItem(BaseModel):
    """A category and how many articles and scripts in it this caller may read."""

    slug: str
    name: str
    name_en: str
    documents: int


class Categories(BaseModel):
    """All categories in their order."""

    categories: list[CategoryItem]


class Problem(BaseModel):
    """What is wrong and how to mend it."""

    code: str
    message: str
    hint: str
    request_id: str


class ErrorResponse(BaseModel):
    """Every error has this shape."""

    error: Problem
