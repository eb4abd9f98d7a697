"""The model card: what a model was trained from, how well it does, and what it cannot do."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from string import Template

from indexer.training.measure import KINDS

LICENCES = {
    "(own)": "the project's own",
    "helpcenter": "MIT",
    "dify-docs": "CC BY 4.0, LangGenius",
    "banking77": "CC BY 4.0, PolyAI",
    "clinc-oos": "CC BY 3.0, Clinc",
    "faq-zh": "MIT",
    "dialogue-zh": "Apache-2.0, CrossWOZ and KdConv (THU-COAI)",
    "lexicon": "MIT, THUOCL (THUNLP)",
}


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What was made: rows, groups and documents learnt from, SHA-256 of what was read, bytes, seconds, figures."""

    out: str
    tokens: int
    dimension: int
    groups: dict[str, int]
    documents: int
    hashes: dict[str, str]
    size: int
    seconds: float
    figures: dict[str, float]


def card(report: TrainReport) -> str:
    """The README.md of a model folder. Equal for two equal runs: it says nothing about when or how long."""
    template = files("indexer.training").joinpath("card.md").read_text("utf-8")
    return Template(template).substitute(
        tokens=f"{report.tokens:,}",
        dimension=report.dimension,
        megabytes=f"{report.size / 1e6:.1f}",
        documents=f"{report.documents:,}",
        data="\n".join(_data_row(name, digest, report) for name, digest in report.hashes.items()),
        recalls=_recalls(report.figures) or "Not measured: no data folder was given.",
        others="\n".join(f"* {name}: {value:.3f}" for name, value in report.figures.items() if "@" not in name),
    )


def _data_row(name: str, digest: str, report: TrainReport) -> str:
    licence = next((licence for part, licence in LICENCES.items() if part in name), "")
    groups = sum(count for source, count in report.groups.items() if source.startswith(name.split(" (")[0]))
    return f"| {name} | {licence} | {groups or ''} | `{digest[:16]}` |"


def _recalls(figures: dict[str, float]) -> str:
    rows = [
        "| " + " | ".join([kind, *(_cell(figures, protocol, kind) for protocol in ("cold", "warm"))]) + " |"
        for kind in ("all", *dict.fromkeys(KINDS))
        if f"cold {kind} R@1" in figures
    ]
    return "\n".join(["| questions | cold | warm |", "|---|---|---|", *rows]) if rows else ""


def _cell(figures: dict[str, float], protocol: str, kind: str) -> str:
    ends = [figures.get(f"{protocol} {kind} R@{depth}") for depth in (1, 5)]
    return " / ".join(f"{end:.3f}" for end in ends if end is not None)
