"""Lengths of functions and files: part of `make lint`. Fails when a function has more than 60 lines."""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 60


def main() -> int:
    files = [path for folder in ("search", "indexer", "kb_app") for path in sorted((ROOT / folder).rglob("*.py"))]
    files = [path for path in files if "migrations" not in path.parts]
    functions = sorted((length, name) for path in files for name, length in _functions(path))
    lengths = [length for length, _ in functions]
    lines = sorted((len(path.read_text("utf-8").splitlines()), path.relative_to(ROOT)) for path in files)
    tenth = lengths[int(len(lengths) * 0.9)]
    print(f"functions: {len(lengths)}, median {statistics.median(lengths):g} lines, 90% within {tenth}")
    print(f"longest function: {functions[-1][0]} lines, {functions[-1][1]}")
    print(f"longest file: {lines[-1][0]} lines, {lines[-1][1]}; files over 300: {sum(n > 300 for n, _ in lines)}")
    return int(lengths[-1] > LONGEST)


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            yield f"{path.relative_to(ROOT)}:{node.name}", node.end_lineno - node.lineno + 1


if __name__ == "__main__":
    sys.exit(main())
