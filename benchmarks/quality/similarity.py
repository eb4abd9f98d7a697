"""Chinese sentence pairs: does the cosine of the encoder alone rank them as people do?"""

from __future__ import annotations

from benchmarks.quality.harness import Report, Setup, table
from indexer.training.measure import measure_similarity

GOALS = {"ATEC": "26", "LCQMC": "56", "STS-B": "66", "PAWSX": ""}


def run(setup: Setup) -> Report:
    folder = setup.folder("similarity-zh")
    rows = [
        [
            name,
            f"{measure_similarity(setup.encoder, setup.analyzer.fold, folder / name / f'{name}.test.data'):.1f}",
            goal,
        ]
        for name, goal in GOALS.items()
    ]
    return Report("## Sentence pairs, meaning alone\n\n" + table(["test set", "Spearman x 100", "goal"], rows))
