"""What every family shares: an index of records in a temporary folder, questions asked of it, tables of figures."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from indexer.build import Plan, build_generation
from indexer.records import Record
from kb_app.evaluating import HALVES
from search.analysis import Analyzer
from search.confidence import Calibration
from search.encoder import Encoder, load_encoder
from search.engine import Engine
from search.lexicon import shipped_lexicon
from search.quality import Figure, Judged, figure, ranks_of, recall_at, reciprocal_rank
from search.types import Answer, Audience, Document, Kind, Query, everything

METRICS = {"R@1": recall_at(1), "R@5": recall_at(5), "R@10": recall_at(10), "MRR": reciprocal_rank}


@dataclass(frozen=True, slots=True)
class Setup:
    """What all families measure with; `data` is the folder of public sets, None for the shipped questions alone."""

    data: Path | None
    analyzer: Analyzer
    encoder: Encoder
    calibration: Calibration = field(default_factory=Calibration)

    def folder(self, *parts: str) -> Path:
        """A folder or file of the data; SystemExit when it is missing."""
        assert self.data is not None
        path = self.data.joinpath(*parts)
        if not path.exists():
            raise SystemExit(f"{path} is missing: name with --data the folder that holds {parts[0]}/")
        return path


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the ids that answer it, and its tags."""

    text: str
    relevant: frozenset[str]
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """A question set as each half answered it, question by question; `confidence` is that of both together."""

    name: str
    asked: tuple[Asked, ...]
    judged: Mapping[str, tuple[Judged, ...]]
    confidence: tuple[float, ...]

    def tags(self) -> list[str]:
        """ "all" and every tag, in order of appearance."""
        return ["all", *dict.fromkeys(tag for one in self.asked for tag in one.tags)]

    def values(self, half: str, metric: str, tag: str = "all") -> list[float]:
        """A metric of one half, a number per question that has the tag."""
        pairs = zip(self.asked, self.judged[half], strict=True)
        return [METRICS[metric](judged) for one, judged in pairs if tag == "all" or tag in one.tags]


@dataclass(frozen=True, slots=True)
class Report:
    """A family's tables as Markdown, and its question sets for the comparison of halves."""

    markdown: str
    measured: tuple[Measured, ...] = ()


def setup_of(data: Path | None, encoder: str) -> Setup:
    """Analyser and encoder loaded."""
    return Setup(data, Analyzer(shipped_lexicon()), load_encoder(encoder))


def document(key: str, title: str, kind: Kind = Kind.ARTICLE) -> Document:
    """A public document that is its own slug."""
    return Document(key, 1, kind, title, key, "all", Audience.PUBLIC)


@contextmanager
def indexed(records: Iterable[Record], setup: Setup) -> Iterator[Path]:
    """The records as a real generation in a temporary folder."""
    with tempfile.TemporaryDirectory() as root:
        plan = Plan(Path(root), setup.analyzer, setup.encoder, calibration=setup.calibration)
        build_generation(records, plan)
        yield Path(root)


def engine_of(root: Path, setup: Setup, half: str = "hybrid") -> Engine:
    """The engine over a temporary index."""
    return Engine(root, setup.analyzer, setup.encoder, HALVES[half])


def ask(engine: Engine, text: str, depth: int) -> Answer:
    """The answer with weak hits shown."""
    query = Query(text, Audience.PUBLIC, int(time.time()), top_k=depth, below_threshold=True)
    return engine.answer(query, everything)


def measure(name: str, asked: Sequence[Asked], root: Path, setup: Setup, depth: int = 10) -> Measured:
    """Ask all questions of all halves, and look at the first `depth` documents."""
    judged: dict[str, tuple[Judged, ...]] = {}
    confidence: tuple[float, ...] = ()
    for half in HALVES:
        engine = engine_of(root, setup, half)
        answered = [(one, ask(engine, one.text, depth)) for one in asked]
        judged[half] = tuple(ranks_of([h.document.id for h in answer.hits], one.relevant) for one, answer in answered)
        confidence = tuple(answer.confidence for _, answer in answered)
    return Measured(name, tuple(asked), judged, confidence)


def shown(value: Figure, places: int = 3) -> str:
    """A figure as 0.512 [0.480, 0.541]."""
    return f"{value.mean:.{places}f} [{value.low:.{places}f}, {value.high:.{places}f}]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def halves_table(found: Measured, metrics: Sequence[str], goals: Mapping[tuple[str, str], str]) -> str:
    """Each tag and metric by lexical, dense and hybrid; `goals` by tag and metric."""
    rows = [
        [tag, str(len(found.values("hybrid", metric, tag))), metric, *_cells(found, metric, tag, goals)]
        for tag in found.tags()
        for metric in metrics
    ]
    return table(["questions", "n", "metric", *HALVES, "goal"], rows)


def _cells(found: Measured, metric: str, tag: str, goals: Mapping[tuple[str, str], str]) -> list[str]:
    figures = [shown(figure(found.values(half, metric, tag))) for half in HALVES]
    return [*figures, goals.get((tag, metric), "")]
