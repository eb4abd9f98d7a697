"""A process that edits and indexes for a while: `python -m tests.faults.busy JOURNAL SEED ACTS`.

Every third act is followed by bringing files and index up to date, as the worker does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

from kb_app import indexing
from kb_app.kb import open_kb
from kb_app.settings import load_settings
from tests.faults.editor import Editor


def main(journal: str, seed: str, acts: int) -> None:
    """Do it once; whatever goes wrong ends it."""
    kb = open_kb(load_settings())
    with Path(journal).open("a", encoding="utf-8") as file:
        editor = Editor(kb, file, Random(seed), 0, 1)
        editor.take()
        for number in range(1, acts + 1):
            editor.act()
            if number % 3 == 0:
                indexing.catch_up(kb)
    kb.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
