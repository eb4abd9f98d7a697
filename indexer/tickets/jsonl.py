"""Tickets as JSON Lines: one object a line, messages inside.

{"id": "…", "subject": "…", "status": "resolved", "category": "refund", "tags": ["…"], "channel": "chat",
 "created_at": "2026-03-05T10:12:31+08:00", "resolved_at": "…", "satisfaction": 5,
 "customer": {"name": "…", "phone": "…", "email": "…"},
 "messages": [{"from": "customer" | "agent" | "note", "text": "…"}]}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from indexer.redaction import Personal, Redactor
from indexer.tickets.types import Row, Speaker, Ticket, Turn

LONGEST_LINE = 1 << 20
RESOLVED = frozenset({"resolved", "closed", "solved", "已解决", "已关闭", "已完成", "完结"})
_GOODBYE = re.compile(
    r"^(?:不客气|不用谢|感谢.{0,12}|谢谢.{0,12}|祝您.{0,12}|再见|好的.{0,4}|请.{0,4}评价.{0,12}"
    r"|you're welcome.{0,40}|thank you.{0,40}|bye.{0,20})"
    r"[。！!~～.\s]*$",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
Text = Annotated[str, StringConstraints(max_length=20_000)]


class _Message(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    speaker: Literal["customer", "agent", "note"] = Field(alias="from")
    text: Text


class _Customer(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)
    name: str | None = None
    phone: str | None = None
    email: str | None = None


class _Raw(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)
    id: str = Field(min_length=1, max_length=100)
    subject: str = Field(min_length=1, max_length=300)
    status: str
    category: str = Field("general", max_length=60)
    tags: list[str] = Field(default_factory=list, max_length=30)
    channel: str = Field("", max_length=30)
    satisfaction: int | None = Field(None, ge=1, le=5)
    created_at: AwareDatetime
    resolved_at: AwareDatetime | None = None
    customer: _Customer = Field(default_factory=_Customer)
    messages: list[_Message] = Field(min_length=1, max_length=1000)

    @field_validator("customer", mode="before")
    @classmethod
    def _none_is_nobody(cls, value: object) -> object:
        return {} if value is None else value


def read(path: Path) -> Iterator[Row]:
    """The rows of a file in UTF-8 (with or without BOM) or GB18030; a bad line is a row with its problem."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                while line and not line.endswith(b"\n"):
                    line = file.readline(LONGEST_LINE)
                yield Row(number, problem="the line is longer than 1 MB.", hint="Is this one object a line?")
            elif line.strip():
                yield _row(number, line)


def _row(number: int, line: bytes) -> Row:
    try:
        raw = _Raw.model_validate(json.loads(_text(line)))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "line"
        return Row(number, problem=f"{name}: {first['msg']}.", hint="See docs/tickets.md for the fields.")
    except (ValueError, RecursionError) as error:
        return Row(number, problem=f"not JSON: {error}.", hint="Write one JSON object a line.")
    if raw.status.strip().lower() not in RESOLVED:
        return Row(number, problem=f"not resolved: its status is {raw.status!r}.", hint="Import it when it is closed.")
    return _resolved(number, raw)


def _resolved(number: int, raw: _Raw) -> Row:
    redactor = Redactor(_known(raw.customer))
    turns = tuple(Turn(m.speaker, _clean(redactor, m.text)) for m in raw.messages if m.speaker != "note")
    question, resolution = _question(turns), _resolution(turns)
    if not question or not resolution:
        missing = "customer" if not question else "agent"
        return Row(number, problem=f"no message of the {missing}.", hint="Nothing can be learnt from it.")
    resolved_at = raw.resolved_at or raw.created_at
    ticket = Ticket(
        external_id=raw.id,
        subject=_clean(redactor, raw.subject),
        question=question,
        resolution=resolution,
        turns=turns,
        category=raw.category,
        tags=tuple(_clean(redactor, tag) for tag in raw.tags),
        channel=raw.channel,
        satisfaction=raw.satisfaction,
        opened_at=raw.created_at.isoformat(),
        resolved_at=resolved_at.isoformat(),
    )
    return Row(number, ticket)


def _text(line: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError("neither UTF-8 nor GB18030")


def _clean(redactor: Redactor, text: str) -> str:
    printable = text.encode("utf-8", "replace").decode()
    return redactor.mask(_CONTROL.sub("", printable)).strip()


def _known(customer: _Customer) -> dict[Personal, Sequence[str]]:
    fields = {Personal.NAME: customer.name, Personal.MOBILE: customer.phone, Personal.EMAIL: customer.email}
    return {kind: [value] for kind, value in fields.items() if value}


def _question(turns: Sequence[Turn]) -> str:
    """What the customer wrote before the first answer; their first message when an agent opened."""
    first = next((i for i, turn in enumerate(turns) if turn.speaker == "customer"), len(turns))
    return "\n".join(turn.text for turn in _run(turns[first:], "customer"))


def _resolution(turns: Sequence[Turn]) -> str:
    """The last run of agent messages that says more than goodbye."""
    last: list[Turn] = []
    for turn in reversed(turns):
        if turn.speaker == "agent" and not _GOODBYE.match(turn.text):
            last.insert(0, turn)
        elif last and turn.speaker == "customer":
            break
    return "\n".join(turn.text for turn in last)


def _run(turns: Sequence[Turn], speaker: Speaker) -> Iterator[Turn]:
    for turn in turns:
        if turn.speaker != speaker:
            return
        yield turn
