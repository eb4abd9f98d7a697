"""Article files: bytes to text, front matter to fields, and back."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import MAXYEAR, UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from indexer.markdown import first_heading
from search.errors import SearchError
from search.types import FOREVER, Audience, Kind

MAX_BYTES = 200 * 1024
MAX_FRONT_MATTER = 64 * 1024
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FIELDS = "See articles/README.md for the fields."
_OPENED = re.compile(r"---[ \t]*\n")
_LINE_END = re.compile(rb"\r\n?|\n")
_EMPTY_ID = re.compile(rb"(?<![^\r\n])id:[ \t]*(?:''|\"\")?[ \t]*(?:\r\n?|\n)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class State(StrEnum):
    """How far an article has got."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    PUBLISHED = "published"
    ARCHIVED = "archived"


class Unreadable(SearchError):
    """A file that cannot become an article: where (line, from 1; 0 for the whole file) and why."""

    def __init__(self, reason: str, hint: str, line: int = 0) -> None:
        super().__init__(reason, hint)
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class Variable:
    """What is filled into a script, with an example."""

    name: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class ArticleFile:
    """An article as its file says it: front matter in fields, the rest as `body`.

    `id` is "" until the first sync; validity is half-open, in epoch seconds.
    """

    id: str
    title: str
    body: str
    category: str
    kind: Kind = Kind.ARTICLE
    summary: str = ""
    tags: tuple[str, ...] = ()
    product: str = ""
    audience: Audience = Audience.INTERNAL
    state: State = State.PUBLISHED
    owner: str = ""
    questions: tuple[str, ...] = ()
    valid_from: int = 0
    valid_until: int = FOREVER
    review_every: int = 180
    variables: tuple[Variable, ...] = ()
    channels: Mapping[str, str] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a file says by where it lies: `path` is relative to the folder being read."""

    path: PurePosixPath
    timezone: str = "Asia/Shanghai"
    audience: Audience = Audience.INTERNAL

    @property
    def category(self) -> str:
        """The first folder, or the one after `scripts/`."""
        parts = [part for part in self.path.parts[:-1] if part != "scripts"]
        return parts[0] if parts else "general"


class _Variable(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
    name: str = Field(min_length=1, max_length=40)
    example: str = ""


class _Front(BaseModel):
    """The front matter fields; what a file may say and nothing else."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)
    id: str = Field("", pattern=r"^$|^[as]_[a-z0-9]{6,16}$")
    title: str = Field("", max_length=200)
    summary: str | None = Field(None, max_length=500)
    category: str = Field("", max_length=60)
    tags: list[str] | None = Field(None, max_length=30)
    product: str | None = Field(None, max_length=60)
    audience: Literal["public", "internal", ""] = ""
    state: State = State.PUBLISHED
    owner: str | None = Field(None, max_length=80)
    questions: list[str] | None = Field(None, max_length=200)
    valid_from: date | None = None
    valid_until: date | None = None
    review_every: int = Field(180, ge=1, le=3650)
    kind: Literal[Kind.ARTICLE, Kind.SCRIPT, Kind.ANNOUNCEMENT] = Kind.ARTICLE
    variables: list[_Variable] | None = None
    channels: dict[str, str] | None = None
    source: str | None = None

    @field_validator("tags", "questions", mode="before")
    @classmethod
    def _one_is_a_list_too(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


def decode(data: bytes) -> str:
    """Text of a file in UTF-8 (with or without BOM) or GB18030; `Unreadable` for anything else."""
    if len(data) > MAX_BYTES:
        size = f"the file has {len(data) // 1024} KB, the limit is {MAX_BYTES // 1024} KB"
        raise Unreadable(size, "Split the article.")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        control = _CONTROL.search(text)
        if control:
            line = text.count("\n", 0, control.start()) + 1
            raise Unreadable("control characters: this is no text file", "Save it as plain text in UTF-8.", line)
        return text.replace("\r\n", "\n").replace("\r", "\n")
    raise Unreadable("neither UTF-8 nor GB18030", "Save the file as UTF-8.")


def parse_article(data: bytes, defaults: Defaults) -> ArticleFile:
    """The article in a file. Without front matter the title is the first heading or the file name."""
    text = decode(data)
    matter = _FRONT.match(text)
    front = _front_matter(matter[1]) if matter else _Front()
    body = text[matter.end() :].strip("\n") if matter else text.strip("\n")
    if not matter and _OPENED.match(text):
        raise Unreadable("the front matter is never closed", "End it with a line of three hyphens.", 1)
    return _article(front, body, defaults)


def article_text(article: ArticleFile, timezone: str) -> str:
    """The file text of an article: what `parse_article` reads back to the same fields."""
    front = {key: value for key, value in _front_of(article, timezone).items() if value not in (None, "", [], {})}
    head = yaml.dump(front, Dumper=yaml.SafeDumper, allow_unicode=True, sort_keys=False, width=1000)
    return f"---\n{head}---\n\n{article.body}\n"


def with_id(data: bytes, article_id: str) -> bytes:
    """The same file with its id as the first line of the front matter, every other byte as it was."""
    text = decode(data)
    start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    ending = _LINE_END.search(data)
    newline = ending[0] if ending else b"\n"
    line = f"id: {article_id}".encode() + newline
    if not _FRONT.match(text):
        fence = b"---" + newline
        return data[:start] + fence + line + fence + newline + data[start:]
    assert ending
    rest = data[ending.end() :]
    closing = re.search(rb"^---", rest.replace(b"\r", b"\n"), re.MULTILINE)
    assert closing
    # An empty `id:` left from a template would be read instead.
    front = _EMPTY_ID.sub(b"", rest[: closing.start()])
    return data[: ending.end()] + line + front + rest[closing.start() :]


def _article(front: _Front, body: str, defaults: Defaults) -> ArticleFile:
    return ArticleFile(
        id=front.id,
        title=front.title.strip() or first_heading(body)[:200] or defaults.path.stem,
        body=body,
        category=front.category.strip() or defaults.category,
        kind=Kind(front.kind),
        summary=(front.summary or "").strip(),
        tags=tuple(front.tags or ()),
        product=front.product or "",
        audience=Audience[front.audience.upper()] if front.audience else defaults.audience,
        state=front.state,
        owner=front.owner or "",
        questions=tuple(question.strip() for question in front.questions or () if question.strip()),
        valid_from=_begin(front.valid_from, defaults.timezone),
        valid_until=_end(front.valid_until, defaults.timezone),
        review_every=front.review_every,
        variables=tuple(Variable(variable.name, variable.example) for variable in front.variables or ()),
        channels=dict(front.channels or {}),
        source=front.source or "",
    )


def _front_matter(text: str) -> _Front:
    if len(text) > MAX_FRONT_MATTER:
        raise Unreadable("the front matter is larger than 64 KB", "Move text below the second ---.", 1)
    try:
        raw = yaml.load(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise Unreadable(
            f"front matter: {error.problem or error.context}", "Quote values that hold a colon or #.", line
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(f"front matter: {error}", _FIELDS, 1) from error
    if raw is not None and not isinstance(raw, dict):
        raise Unreadable("front matter: not a list of `field: value` lines", _FIELDS, 1)
    try:
        return _Front.model_validate({str(key): value for key, value in (raw or {}).items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise Unreadable(f"front matter: {name}: {first['msg']}", _FIELDS, _line_of(text, name)) from error


def _line_of(front: str, name: str) -> int:
    key = name.partition(".")[0]
    lines = front.split("\n")
    return next((number for number, line in enumerate(lines, 2) if line.startswith(f"{key}:")), 1)


def _begin(first: date | None, timezone: str) -> int:
    return max(0, _midnight(first, timezone)) if first else 0


def _end(last: date | None, timezone: str) -> int:
    # 9999-12-31 is how people write "for ever", and there is no day after it.
    return max(0, _midnight(last + timedelta(days=1), timezone)) if last and last.year < MAXYEAR else FOREVER


def _midnight(day: date, timezone: str) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)).timestamp())


def _day(seconds: int, timezone: str) -> date:
    return datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(timezone)).date()


def _front_of(article: ArticleFile, timezone: str) -> dict[str, Any]:
    until = None if article.valid_until == FOREVER else _day(article.valid_until, timezone) - timedelta(days=1)
    return {
        "id": article.id,
        "title": article.title,
        "summary": article.summary,
        "category": article.category,
        "tags": list(article.tags),
        "product": article.product,
        "audience": article.audience.name.lower(),
        "state": article.state.value,
        "owner": article.owner,
        "kind": article.kind.value,
        "questions": list(article.questions),
        "variables": [{"name": v.name, "example": v.example} for v in article.variables],
        "channels": dict(article.channels),
        "source": article.source,
        "valid_from": _day(article.valid_from, timezone) if article.valid_from else None,
        "valid_until": until,
        "review_every": article.review_every,
    }
