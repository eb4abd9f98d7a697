"""A writer: publishes versions of its own ten articles until SIGTERM, and notes each one that is stored."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from indexer.articles import ArticleFile
from kb_app.kb import open_kb
from kb_app.publishing import Origin, publish
from kb_app.settings import load_settings
from kb_app.stopping import Stop
from search.types import Audience

ARTICLES = 10
PAUSE_SECONDS = 0.05


def main(name: str, log: Path) -> None:
    """Write until told to stop; `log` gets a line `id version` for every version that is stored."""
    stop, kb = Stop().on_signals(), open_kb(load_settings())
    with log.open("a", encoding="ascii") as acknowledged:
        for turn in itertools.count():
            if stop.wait(PAUSE_SECONDS):
                break
            version, number = turn // ARTICLES + 1, turn % ARTICLES
            key = f"a_{name}{number:06d}"
            body = f"{key} 的第 {version} 稿。\n\n" + f"这一稿的每一行都写着 {version}。\n\n" * 20
            content = ArticleFile(key, f"写手 {name} 的文章 {number}", body, "written", audience=Audience.PUBLIC)
            publish(kb, f"{name}-{number}", content, Origin(name, "written"))
            print(key, version, file=acknowledged, flush=True)
    kb.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
