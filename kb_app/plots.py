"""Risk over coverage and reliability, drawn as one SVG without scripts, legible in light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from search.quality import reliability, risk_at

SIDE = 260
LEFT, TOP, GAP = 62, 64, 96
WIDTH, HEIGHT = LEFT + 2 * SIDE + GAP + 28, TOP + SIDE + 62
BINS = 10
STEPS = 50
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_SHAPES = """
text { font: 12px system-ui, "Noto Sans CJK SC", sans-serif; }
.title { font-size: 15px; font-weight: 600; }
.ideal { stroke-dasharray: 4 4; }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
.area { fill-opacity: 0.14; }
.dot { stroke-width: 1.5; }
"""


def _colours(paper: str, ink: str, soft: str, grid: str, line: str) -> str:
    # Not as custom properties: viewers other than browsers do not know them.
    return (
        f".paper {{ fill: {paper}; }} text {{ fill: {soft}; }} .title {{ fill: {ink}; }} .grid {{ stroke: {grid}; }}\n"
        f".ideal {{ stroke: {soft}; }} .line {{ stroke: {line}; }} .area {{ fill: {line}; }}\n"
        f".dot {{ fill: {line}; stroke: {paper}; }}\n"
    )


_LIGHT = _colours("#ffffff", "#1f2328", "#59636e", "#e4e7eb", "#0b66c3")
_DARK = _colours("#0f1419", "#e6edf3", "#9aa4af", "#2a323b", "#58a6ff")
_STYLE = f"{_SHAPES}{_LIGHT}@media (prefers-color-scheme: dark) {{\n{_DARK}}}\n"


@dataclass(frozen=True, slots=True)
class _Panel:
    """A square plot whose axes run from 0 to 1; `left` is its left edge."""

    left: float
    title: str
    note: str
    across: str
    up: str

    def x(self, value: float) -> float:
        return round(self.left + SIDE * value, 1)

    def y(self, value: float) -> float:
        return round(TOP + SIDE * (1 - value), 1)

    def points(self, pairs: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(x)},{self.y(y)}" for x, y in pairs)


def confidence_plot(confidence: Sequence[float], right: Sequence[float], title: str) -> str:
    """An SVG of how often first answers are wrong (by coverage) and right (by confidence); at least one question."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f' role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        *_risk(confidence, right),
        *_reliability(confidence, right),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _risk(confidence: Sequence[float], right: Sequence[float]) -> Iterator[str]:
    note = f"{len(right)} questions, the surest first"
    panel = _Panel(LEFT, "Risk and coverage", note, "share of questions answered", "share of wrong first answers")
    steps = [step / STEPS for step in range(1, STEPS + 1)]
    curve = [(coverage, risk_at(confidence, right, coverage)) for coverage in steps]
    yield from _frame(panel)
    closed = [(curve[0][0], 0.0), *curve, (1.0, 0.0)]
    yield f'<polygon class="area" points="{panel.points(closed)}"/>'
    yield f'<polyline class="line" points="{panel.points(curve)}"/>'


def _reliability(confidence: Sequence[float], right: Sequence[float]) -> Iterator[str]:
    found = reliability(confidence, right, BINS)
    note = f"{len(found)} bins of equally many questions"
    panel = _Panel(LEFT + SIDE + GAP, "Reliability", note, "confidence", "share of right first answers")
    curve = [(one.confidence, one.right) for one in found]
    yield from _frame(panel)
    ends = f'x1="{panel.x(0)}" y1="{panel.y(0)}" x2="{panel.x(1)}" y2="{panel.y(1)}"'
    yield f'<line class="ideal" {ends}/>'
    yield f'<polyline class="line" points="{panel.points(curve)}"/>'
    for one in found:
        label = f"confidence {one.confidence:.2f}, right {one.right:.2f}, {one.count} questions"
        place = f'cx="{panel.x(one.confidence)}" cy="{panel.y(one.right)}"'
        yield f'<circle class="dot" {place} r="4.5"><title>{label}</title></circle>'


def _frame(panel: _Panel) -> Iterator[str]:
    yield f'<text class="title" x="{panel.left}" y="{TOP - 34}">{panel.title}</text>'
    yield f'<text x="{panel.left}" y="{TOP - 14}">{panel.note}</text>'
    for tick in TICKS:
        x, y = panel.x(tick), panel.y(tick)
        yield f'<line class="grid" x1="{panel.x(0)}" y1="{y}" x2="{panel.x(1)}" y2="{y}"/>'
        yield f'<line class="grid" x1="{x}" y1="{panel.y(0)}" x2="{x}" y2="{panel.y(1)}"/>'
        yield f'<text x="{panel.left - 8}" y="{y + 4}" text-anchor="end">{tick:g}</text>'
        yield f'<text x="{x}" y="{panel.y(0) + 18}" text-anchor="middle">{tick:g}</text>'
    middle = panel.y(0.5)
    yield f'<text x="{panel.x(0.5)}" y="{panel.y(0) + 40}" text-anchor="middle">{panel.across}</text>'
    turned = f'transform="rotate(-90 {panel.left - 44} {middle})"'
    yield f'<text x="{panel.left - 44}" y="{middle}" text-anchor="middle" {turned}>{panel.up}</text>'
