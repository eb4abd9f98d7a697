"""Colloquial questions that words alone miss and words with meaning find: the table of docs/quality.md.

Asks the golden questions tagged colloquial of the index in KB_HOME and prints those whose right article is first only
when both halves search.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kb_app import evaluating
from kb_app.kb import open_kb
from kb_app.settings import load_settings

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden.jsonl"
SHOWN = 25


def main() -> int:
    kb = open_kb(load_settings())
    asked = [golden for golden in evaluating.read_set(GOLDEN) if "colloquial" in golden.tags]
    lexical, hybrid = (evaluating.run(kb, asked, half) for half in ("lexical", "hybrid"))
    kb.close()
    print("| question | first with words and meaning | first with words alone | rank of the right one by words alone |")
    print("|---|---|---|---|")
    shown = 0
    for words, both in zip(lexical, hybrid, strict=True):
        found = words.judged.ranks[0] if words.judged.ranks else 0
        if both.judged.ranks[:1] == (1,) and found != 1 and shown < SHOWN:
            print(f"| {both.golden.query} | {both.first} | {words.first or '–'} | {found or 'not in ten'} |")
            shown += 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
