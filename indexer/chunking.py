"""Documents to passages: title, questions, and one passage per section, long ones split."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.markdown import sections
from indexer.records import Record
from search.sentences import sentence_spans
from search.types import Audience, Kind, Passage, Role

MAX_CHARACTERS = 420
"""A passage longer than this is split at sentence ends."""
OVERLAP = 1
"""Sentences that a split repeats, so that an answer across the cut is found whole."""


def passages(record: Record) -> list[Passage]:
    """The passages of a document in reading order: title, questions, sections."""
    document = record.document
    title = Passage(Role.TITLE, document.title, document.audience)
    asked = [Passage(Role.QUESTION, text, document.audience) for text in dict.fromkeys(record.questions) if text]
    return [title, *asked, *_body(record)]


def split_text(text: str) -> list[str]:
    """Text in pieces of at most MAX_CHARACTERS that begin and end with sentences and overlap by one.

    A single sentence that is longer stays whole up to twice that length and is cut there.
    """
    pieces: list[str] = []
    window: list[tuple[int, int]] = []
    for start, end in _bounded(sentence_spans(text)):
        if window and end - window[0][0] > MAX_CHARACTERS:
            pieces.append(text[window[0][0] : window[-1][1]])
            window = window[-OVERLAP:] if end - window[-OVERLAP][0] <= MAX_CHARACTERS else []
        window.append((start, end))
    return pieces + ([text[window[0][0] : window[-1][1]]] if window else [])


def _body(record: Record) -> Iterator[Passage]:
    document = record.document
    if document.kind in (Kind.SCRIPT, Kind.TICKET):
        for piece in split_text(record.body):
            yield Passage(Role.SECTION, piece, document.audience)
        return
    for section in sections(record.body, document.title):
        audience = Audience(max(document.audience, section.audience))
        for piece in split_text(section.text):
            yield Passage(Role.SECTION, piece, audience, section.headings, section.anchor)


def _bounded(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for start, end in spans:
        while end - start > 2 * MAX_CHARACTERS:
            yield start, start + 2 * MAX_CHARACTERS
            start += 2 * MAX_CHARACTERS
        yield start, end
