"""How people at a help desk type, and what their page sends: pure functions of a random generator.

Times are seconds. Nobody waits for an answer before the next key, so the whole day of an agent is known in advance: a
slow server cannot slow its own load down.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

KEYS_A_SECOND = 3.0
"""Within a burst. What an input method commits counts as one key: more than people manage, so the harder load."""
SPREAD = 0.45
"""Standard deviation of the logarithm of the gap between keys."""
BURST = (4, 10)
HESITATION = (0.4, 1.2)
DELETING = 2.0
"""Keys are deleted so many times faster than they are typed."""
SLIP, WRONG_WORD, FALSE_START = 0.06, 0.04, 0.08
"""How often a piece is corrected, another word stands there first, and another question was begun first."""
WAIT = 3.0
READ = (3.0, 8.0)
ENTER = 0.3
PAUSE = 0.12
"""The page asks when no key came for so long ..."""
SETTLED = 1.5
"""... and takes the question as finished after so long."""
_PIECES = re.compile(r"[\u3400-\u9fff]+|.", re.DOTALL)
_COMMITTED = (0.2, 0.55, 0.15, 0.1)
"""How often an input method commits 1, 2, 3 and 4 characters at once."""


class Act(StrEnum):
    """What a page does: ask, ask for good, forget what is under way, or take the first hit."""

    TYPING = "typing"
    FINAL = "final"
    CLEAR = "clear"
    ENTER = "enter"


@dataclass(frozen=True, slots=True)
class Edit:
    """What stands in the box from a moment on."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """An act of the page at a moment."""

    at: float
    act: Act
    text: str


def day(questions: Sequence[str], random: Random) -> Iterator[Step]:
    """One customer after the other, without end; times rise from 0."""
    now = random.uniform(0, WAIT)
    while True:
        edits = typed(random.choice(questions), random.choice(questions), random, now + random.expovariate(1 / WAIT))
        yield from sent(edits)
        now = edits[-1].at + random.uniform(*READ)
        if random.random() < ENTER:
            yield Step(now, Act.ENTER, edits[-1].text)
            now += 0.5
        yield Step(now, Act.CLEAR, "")


def typed(question: str, other: str, random: Random, start: float) -> list[Edit]:
    """The edits that end in `question`; `other` lends what is typed by mistake."""
    now, until_pause, edits = start, random.randint(*BURST), [Edit(start, "")]
    for text in states(question, other, random):
        deleted = len(text) < len(edits[-1].text)
        now += gap(random) / (DELETING if deleted else 1.0)
        until_pause -= 1
        if until_pause == 0:
            now, until_pause = now + random.uniform(*HESITATION), random.randint(*BURST)
        edits.append(Edit(now, text))
    return edits[1:]


def states(question: str, other: str, random: Random) -> Iterator[str]:
    """What stands in the box after each key; the last is `question`."""
    if random.random() < FALSE_START:
        yield from _begun("", pieces(other, random)[: random.randint(1, 3)])
        yield ""
    text = ""
    for piece in pieces(question, random):
        if random.random() < WRONG_WORD:
            yield from _replaced(text, random.choice(pieces(other, random)))
        text += piece
        yield text
        if random.random() < SLIP:
            yield from _replaced(text[: -len(piece)], piece, begun=True)
            yield text


def pieces(text: str, random: Random) -> list[str]:
    """How a text arrives: words of Chinese as an input method commits them, everything else one by one."""
    found: list[str] = []
    for run in _PIECES.findall(text):
        found += _committed(run, random) if len(run) > 1 else [run]
    return found


def gap(random: Random) -> float:
    """Seconds to the next key of a burst: log-normal with a mean of 1 / `KEYS_A_SECOND`."""
    return random.lognormvariate(-math.log(KEYS_A_SECOND) - SPREAD**2 / 2, SPREAD)


def sent(edits: Sequence[Edit], pause: float = PAUSE, settled: float = SETTLED) -> Iterator[Step]:
    """What the page asks of those edits: `soon` of static/js/desk.js."""
    for place, edit in enumerate(edits):
        quiet = edits[place + 1].at - edit.at if place + 1 < len(edits) else math.inf
        asks = bool(edit.text.strip())
        if quiet > pause:
            yield Step(edit.at + pause, Act.TYPING if asks else Act.CLEAR, edit.text)
        if quiet > settled and asks:
            yield Step(edit.at + settled, Act.FINAL, edit.text)


def _committed(run: str, random: Random) -> Iterator[str]:
    at = 0
    while at < len(run):
        size = random.choices((1, 2, 3, 4), _COMMITTED)[0]
        yield run[at : at + size]
        at += size


def _begun(text: str, added: Sequence[str]) -> Iterator[str]:
    for piece in added:
        text += piece
        yield text


def _replaced(text: str, piece: str, begun: bool = False) -> Iterator[str]:
    """`piece` after `text`, deleted again character by character."""
    for length in range(len(piece) - begun, -1, -1):
        yield text + piece[:length]
