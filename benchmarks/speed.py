"""Build and query times: `make bench`, with DATA=folder also for its helpcenter-zh.

Every corpus is built and asked in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from indexer.articles import Defaults, Unreadable, parse_article
from indexer.build import Plan, build_generation
from indexer.records import Record
from indexer.tickets import read_tickets
from search.analysis import Analyzer
from search.encoder import load_encoder
from search.engine import Engine
from search.lexicon import shipped_lexicon
from search.types import Audience, Document, Kind, Mode, Query, everything

ROOT = Path(__file__).resolve().parents[1]
QUESTIONS = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder that holds helpcenter-zh/")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        measure(given.one, given.data)
        return
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}")
    if given.data is None:
        print("DATA= is not given: helpcenter-zh is left out")
    for corpus in ("sample", *(["helpcenter-zh"] if given.data else [])):
        data = ["--data", str(given.data)] if given.data else []
        subprocess.run([sys.executable, __file__, "--one", corpus, *data], check=True)


def measure(corpus: str, data: Path | None) -> None:
    """Print one corpus's figures."""
    records = sample() if corpus == "sample" else folder_records(_folder(data))
    analyzer, encoder = Analyzer(shipped_lexicon()), load_encoder()
    with tempfile.TemporaryDirectory() as root:
        started = time.perf_counter()
        manifest = build_generation(records, Plan(Path(root), analyzer, encoder))
        built = time.perf_counter() - started
        engine = Engine(Path(root), analyzer, encoder)
        started = time.perf_counter()
        engine.index()
        opened = time.perf_counter() - started
        print(f"\n{corpus}: {manifest.documents} documents, {manifest.passages} passages")
        print(f"  build {built:.1f} s ({manifest.passages / built:.0f} passages a second), open {opened:.2f} s")
        ask(engine, questions(records))
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def ask(engine: Engine, texts: Sequence[str]) -> None:
    """Ask every question as it is typed and print times by stage; the first 50 warm up."""
    stages: defaultdict[str, list[float]] = defaultdict(list)
    for number, text in enumerate(texts):
        query = Query(text, Audience.INTERNAL, int(time.time()), mode=Mode.TYPING, below_threshold=True)
        answer = engine.answer(query, everything)
        if number >= 50:
            for stage, spent in answer.timing_ms.items():
                stages[stage].append(spent)
    for stage, spent in stages.items():
        print(
            f"  {stage:11} p50 {statistics.median(spent):7.2f} ms   p95 {statistics.quantiles(spent, n=20)[-1]:7.2f} ms"
        )


def questions(records: Sequence[Record]) -> list[str]:
    """Questions and titles of the corpus, each cut at a random place as typing does."""
    chance = random.Random(7)
    texts = [text for record in records for text in (*record.questions, record.document.title)]
    picked = chance.sample(texts, min(QUESTIONS, len(texts)))
    return [text[: chance.randint(2, max(2, len(text)))].strip()[:200] or text[:20] for text in picked]


def sample() -> list[Record]:
    """The shipped articles, scripts and tickets."""
    found = folder_records(ROOT / "articles")
    for row in read_tickets(ROOT / "kb_app" / "samples" / "tickets.jsonl"):
        if row.ticket:
            ticket = row.ticket
            name = ticket.external_id
            document = Document(name, 1, Kind.TICKET, ticket.subject, name, ticket.category, Audience.INTERNAL)
            found.append(Record(document, (ticket.question,), ticket.resolution))
    return found


def folder_records(folder: Path) -> list[Record]:
    """Every readable Markdown file of a folder."""
    found = []
    for path in sorted(folder.rglob("*.md")):
        relative = PurePosixPath(path.relative_to(folder).as_posix())
        if relative == PurePosixPath("README.md"):
            continue
        try:
            content = parse_article(path.read_bytes(), Defaults(relative))
        except Unreadable:
            continue
        document = Document(
            str(relative), 1, content.kind, content.title, relative.stem, content.category, Audience.PUBLIC,
            content.summary, content.tags,
        )  # fmt: skip
        found.append(Record(document, content.questions, content.body))
    return found


def _folder(data: Path | None) -> Path:
    folder = (data or Path()) / "helpcenter-zh"
    if not folder.is_dir():
        sys.exit(f"{folder} is missing")
    return folder


if __name__ == "__main__":
    main()
