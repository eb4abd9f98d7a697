"""Masks personal data in text before it is stored."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from indexer.personal import DETECTORS, HAN_DIGITS, OPAQUE, STRICT, Personal, Span

__all__ = ["NO_VALUES", "Personal", "Redactor", "Span", "audit", "find_personal"]

NO_VALUES: Mapping[Personal, Sequence[str]] = MappingProxyType({})


# A token of ours is opaque: neither its word nor its number may take part in another match.
_TOKEN = re.compile(rf"\[({'|'.join(Personal)})#([0-9]{{1,6}})\]")
_PASSES = 5


@dataclass(frozen=True, slots=True)
class _Folded:
    """The copy that detectors read; for each of its characters, and for its end, the offset in the original."""

    text: str
    origin: Sequence[int]

    def unfold(self, span: Span) -> Span:
        # Up to the next character that detectors see: invisible ones and keycaps behind a digit go with it.
        end = max(self.origin[span.end - 1] + 1, self.origin[span.end])
        return Span(self.origin[span.start], end, span.kind, span.confidence)


def find_personal(text: str) -> list[Span]:
    """Personal data in `text`, in order and apart: spans that overlap are one, of the most confident kind."""
    folded = _fold(text)
    return _merge(folded.unfold(span) for detect in DETECTORS for span in detect(folded.text))


def audit(text: str) -> list[Span]:
    """A second, stricter look at stored text: all that could still be a mobile, ID card, bank card or e-mail.

    Labels count for nothing here, any separators may stand between digits, and an ID card may hide in a longer
    run; so a labelled order number that happens to look like a card is reported too, for a person to judge.
    """
    folded = _fold(text)
    found = (folded.unfold(span) for detect in STRICT for span in detect(folded.text))
    kept = {Personal.MOBILE, Personal.ID_CARD, Personal.BANK_CARD, Personal.EMAIL}
    return _merge([*found, *(span for span in find_personal(text) if span.kind in kept)])


class Redactor:
    """Masks the texts of one ticket: the same value gets the same token everywhere in it.

    `known` are values of fields named as personal; they are masked wherever they stand, however spaced.
    """

    def __init__(self, known: Mapping[Personal, Sequence[str]] = NO_VALUES) -> None:
        pairs = ((kind, _known_pattern(kind, value)) for kind, values in known.items() for value in values)
        self._known = [(kind, pattern) for kind, pattern in pairs if pattern]
        self._numbers: dict[tuple[Personal, str], int] = {}
        self._last: dict[Personal, int] = {}

    def mask(self, text: str) -> str:
        """`text` with a token such as [手机号#1] in place of each piece of personal data."""
        # What is masked leaves the words around it nearer to each other: look again until nothing is found.
        for _ in range(_PASSES):
            masked = self._mask_once(text)
            if masked == text:
                break
            text = masked
        return text

    def _mask_once(self, text: str) -> str:
        self._pass_over(text)
        parts, at = [], 0
        for span in _merge([*find_personal(text), *self._known_spans(text)]):
            parts += [text[at : span.start], self._token(span.kind, text[span.start : span.end])]
            at = span.end
        return "".join([*parts, text[at:]])

    def _known_spans(self, text: str) -> Iterator[Span]:
        folded = _fold(text)
        for kind, pattern in self._known:
            for match in pattern.finditer(folded.text):
                yield folded.unfold(Span(*match.span(), kind, 1.0))

    def _pass_over(self, text: str) -> None:
        """Never give a number that stands in the text already."""
        given = {(kind, number) for (kind, _), number in self._numbers.items()}
        for word, digits in _TOKEN.findall(text):
            kind, number = Personal(word), int(digits)
            if (kind, number) not in given:
                self._last[kind] = max(self._last.get(kind, 0), number)

    def _token(self, kind: Personal, value: str) -> str:
        key = (kind, _canonical(kind, value))
        if key not in self._numbers:
            self._last[kind] = self._numbers[key] = self._last.get(kind, 0) + 1
        return f"[{kind}#{self._numbers[key]}]"


def _canonical(kind: Personal, value: str) -> str:
    """What two spellings of the same value have in common."""
    plain = re.sub(r"[\s\-._·+()*,]", "", _fold(value).text).casefold()
    if kind is Personal.MOBILE:
        mobile = re.search("1[3-9][0-9]{9}", plain.translate(HAN_DIGITS))
        return mobile[0] if mobile else plain
    return plain


def _known_pattern(kind: Personal, value: str) -> re.Pattern[str] | None:
    """Finds a known value with any spacing; None for one that is too short to mean anything."""
    characters = _canonical(kind, value)[:200] if kind is not Personal.EMAIL else _fold(value).text.strip()[:200]
    if len(characters) < 2:
        return None
    body = r"[-\s._·]{0,3}".join(map(re.escape, characters))
    before = r"(?<![A-Za-z0-9])" if re.match("[A-Za-z0-9]", characters) else ""
    after = r"(?![A-Za-z0-9])" if re.search("[A-Za-z0-9]$", characters) else ""
    return re.compile(f"{before}{body}{after}", re.IGNORECASE)


def _merge(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if merged and span.start < merged[-1].end:
            merged[-1] = _union(merged[-1], span)
        else:
            merged.append(span)
    return merged


def _union(a: Span, b: Span) -> Span:
    surer = max(a, b, key=lambda span: (span.confidence, span.end - span.start))
    return Span(min(a.start, b.start), max(a.end, b.end), surer.kind, surer.confidence)


def _fold(text: str) -> _Folded:
    parts: list[str] = []
    origin: list[int] = []
    for i, char in enumerate(_TOKEN.sub(lambda token: OPAQUE * len(token[0]), text)):
        part = _fold_character(char)
        parts.append(part)
        origin.extend([i] * len(part))
    return _Folded("".join(parts), [*origin, len(text)])


@lru_cache(maxsize=1 << 16)
def _fold_character(char: str) -> str:
    category = unicodedata.category(char)
    if category in {"Cf", "Me", "Mn"} or (category == "Cc" and char not in "\t\n\r"):
        return ""
    if category in {"Pd", "Zs"}:
        return "-" if category == "Pd" else " "
    # Circled and other decorated digits; a few characters expand to whole phrases, which hide no number.
    digit = unicodedata.digit(char, None)
    plain = str(digit) if digit is not None else unicodedata.normalize("NFKC", char)
    return plain if len(plain) <= 4 else char
