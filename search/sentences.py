"""Sentences of plain text: where an answer may begin and end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from search.analysis import Token

# A full stop ends a sentence after a letter only: after a digit it numbers a step or is a decimal point.
_END = re.compile(r"[。！？!?…]+[”’」』）)\"']*|(?<=[A-Za-z)\"'])[.]+(?=\s|$)|\n+")


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Half-open spans of the sentences of `text`, trimmed; a line (list step, table row) ends one too."""
    cuts = [0, *(match.end() for match in _END.finditer(text)), len(text)]
    spans = [_trim(text, start, end) for start, end in pairwise(cuts)]
    return [(start, end) for start, end in spans if start < end]


def token_spans(tokens: Sequence[Token], wanted: frozenset[str]) -> list[tuple[int, int]]:
    """Where the wanted terms stand."""
    return [(token.start, token.end) for token in tokens if token.text in wanted]


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
