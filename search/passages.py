"""Records on disk, one JSON object a line, looked up by number once ranking is done."""

from __future__ import annotations

import json
import shutil
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from search.types import FOREVER, Audience, Document, Kind, Passage, Role, Script

_ALWAYS = {"id", "version", "kind", "title", "slug", "category", "audience"}


class Lines:
    """Lines of a file by number, without keeping them in memory."""

    def __init__(self, path: Path) -> None:
        data = np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.zeros(0, np.uint8)
        self._bytes = data.view(np.ndarray)
        self._ends = np.load(_ends_of(path), allow_pickle=False)

    def __len__(self) -> int:
        return len(self._ends)

    def line(self, number: int) -> bytes:
        """A line without its end."""
        start = int(self._ends[number - 1]) if number else 0
        return self._bytes[start : int(self._ends[number]) - 1].tobytes()


class Records(Lines):
    """The same for lines of one JSON object each."""

    def __getitem__(self, number: int) -> Any:
        return json.loads(self.line(number))


class Terms(Lines):
    """The terms of passages: those of the text, and those of what stands beside it."""

    def __getitem__(self, number: int) -> tuple[list[str], list[str]]:
        text, _, beside = self.line(number).decode().partition("\t")
        return text.split(), beside.split()


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Write lines, and beside them where each ends."""
    ends, end = array("q"), 0
    with path.open("wb") as file:
        for line in lines:
            end += file.write(line + b"\n")
            ends.append(end)
    np.save(_ends_of(path), np.frombuffer(ends, np.int64), allow_pickle=False)


def write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line."""
    write_lines(path, (json.dumps(own, ensure_ascii=False, separators=(",", ":")).encode() for own in records))


def write_terms(path: Path, passages: Iterable[tuple[Sequence[str], Sequence[str]]]) -> None:
    """Write the terms of the text and of what stands beside it, a line for each passage."""
    write_lines(path, (f"{' '.join(text)}\t{' '.join(beside)}".encode() for text, beside in passages))


def join_lines(path: Path, parts: Sequence[Path]) -> None:
    """Write the lines of several files one after another as one file."""
    ends, end = [np.zeros(0, np.int64)], 0
    with path.open("wb") as file:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, file)
            ends.append(np.load(_ends_of(part), allow_pickle=False) + end)
            end = file.tell()
    np.save(_ends_of(path), np.concatenate(ends), allow_pickle=False)


def _ends_of(path: Path) -> Path:
    return path.with_suffix(".ends.npy")


def document_record(document: Document) -> dict[str, Any]:
    """A document as JSON; optional fields at their defaults are left out."""
    record = {k: v for k, v in asdict(document).items() if k in _ALWAYS or v not in ("", (), None)}
    if document.valid_until == FOREVER:
        del record["valid_until"]
    return record


def document_of(record: Mapping[str, Any]) -> Document:
    """The document that `document_record` wrote."""
    script = record.get("script")
    return Document(
        **{
            **record,
            "kind": Kind(record["kind"]),
            "audience": Audience(record["audience"]),
            "tags": tuple(record.get("tags", ())),
            "script": Script(script["text"], tuple(script["variables"]), script["variants"]) if script else None,
        }
    )


def passage_record(passage: Passage) -> dict[str, Any]:
    """A passage as JSON with short keys: there are many of them."""
    return {"r": passage.role, "t": passage.text, "a": passage.audience, "h": passage.headings, "id": passage.anchor}


def passage_of(record: Mapping[str, Any]) -> Passage:
    """The passage that `passage_record` wrote."""
    headings: Sequence[str] = record["h"]
    return Passage(Role(record["r"]), record["t"], Audience(record["a"]), tuple(headings), record["id"])
