"""How well unseen service-desk intents are found: `make eval DATA=folder`.

Cold: all train and dev intents are indexed as articles (title and answer); every utterance of a dev intent is asked.
Warm: the utterances at even positions of every intent are indexed as its 相似问法; those at odd positions of the dev
intents are asked.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from indexer.build import Plan, build_generation
from indexer.records import Record
from search.analysis import Analyzer
from search.encoder import load_encoder
from search.engine import Engine, Halves
from search.lexicon import shipped_lexicon
from search.quality import Judged, figure, ranks_of, recall_at
from search.types import Audience, Document, Kind, Query, everything

KINDS = ["keyword"] * 3 + ["colloquial"] * 4 + ["emotional"] * 3 + ["typo", "pinyin"] + ["formal"] * 2
KINDS += ["traditional", "mixed"]
HALVES = {"lexical": Halves(dense=False), "dense": Halves(lexical=False), "hybrid": Halves()}
Asked = list[tuple[str, str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds intents/")
    folder = parser.parse_args().data / "intents"
    if not folder.is_dir():
        parser.error(f"{folder} is missing")
    train, dev = _intents(folder / "train.jsonl"), _intents(folder / "dev.jsonl")
    analyzer, encoder = Analyzer(shipped_lexicon()), load_encoder()
    for protocol in ("cold", "warm"):
        with tempfile.TemporaryDirectory() as root:
            build_generation(_records([*train, *dev], protocol), Plan(Path(root), analyzer, encoder))
            asked = list(_questions(dev, protocol))
            for name, halves in HALVES.items():
                _report(f"{protocol} {name}", asked, Engine(Path(root), analyzer, encoder, halves))


def _intents(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _records(intents: Sequence[dict[str, Any]], protocol: str) -> Iterator[Record]:
    for intent in intents:
        document = Document(intent["id"], 1, Kind.ARTICLE, intent["title"], intent["id"], "all", Audience.PUBLIC)
        questions = tuple(intent["utterances"][::2]) if protocol == "warm" else ()
        yield Record(document, questions, intent["answer"])


def _questions(intents: Sequence[dict[str, Any]], protocol: str) -> Iterator[tuple[str, str, str]]:
    for intent in intents:
        for place, text in enumerate(intent["utterances"]):
            if protocol == "cold" or place % 2:
                yield text, intent["id"], KINDS[place]


def _report(name: str, asked: Asked, engine: Engine) -> None:
    started = time.perf_counter()
    judged = [(kind, ranks_of(_ranking(engine, text), frozenset({wanted}))) for text, wanted, kind in asked]
    each = (time.perf_counter() - started) / len(asked) * 1000
    print(f"{name:14} {_line([j for _, j in judged])}   {each:.1f} ms a question")
    if name.endswith("hybrid"):
        for kind in dict.fromkeys(KINDS):
            own = [j for k, j in judged if k == kind]
            if own:
                print(f"  {kind:12} {_line(own)}")


def _ranking(engine: Engine, text: str) -> list[str]:
    query = Query(text, Audience.PUBLIC, int(time.time()), top_k=10, below_threshold=True)
    return [hit.document.id for hit in engine.answer(query, everything).hits]


def _line(judged: Sequence[Judged]) -> str:
    first, five = (figure([recall_at(depth)(j) for j in judged]) for depth in (1, 5))
    shown = (f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]" for value in (first, five))
    return "R@1 {}  R@5 {}".format(*shown)


if __name__ == "__main__":
    main()
