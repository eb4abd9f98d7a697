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


class Records:
    """Lines of a JSON Lines file by number, without keeping them in memory."""

    def __init__(self, path: Path) -> None:
        self._bytes = np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.zeros(0, np.uint8)
        self._ends = np.load(_ends_of(path), allow_pickle=False)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> Any:
        start = int(self._ends[number - 1]) if number else 0
        return json.loads(self._bytes[start : int(self._ends[number])].tobytes())


def write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, and beside it where each line ends."""
    ends, end = array("q"), 0
    with path.open("wb") as file:
        for record in records:
            end += file.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            ends.append(end)
    np.save(_ends_of(path), np.frombuffer(ends, np.int64), allow_pickle=False)


def join_records(path: Path, parts: Sequence[Path]) -> None:
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
