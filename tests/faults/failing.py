"""`kb` with a file system that fails now and then: `fiu-run -x python -m tests.faults.failing PLAN kb-arguments`.

PLAN is JSON: `errno`, `probability` and `seed`. Failing begins when everything is loaded, so that it hits the product
and not the interpreter.
"""

from __future__ import annotations

import ctypes
import importlib
import io
import json
import pkgutil
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout

import indexer
import kb_app
import search

POINTS = ("rw/read", "rw/pread", "rw/write", "rw/pwrite", "rw/ftruncate", "sync/fsync", "sync/fdatasync", "dir/rename")
LAZY = ("whoosh.index", "faiss", "rjieba", "opencc", "pypinyin", "tokenizers", "markdown_it", "alembic.command")


def load_all() -> None:
    """Import what commands import when they need it."""
    for package in (search, indexer, kb_app):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if (
                not module.name.endswith("__main__")
                and ".migrations" not in module.name
                and "training" not in module.name
            ):
                importlib.import_module(module.name)
    for name in LAZY:
        importlib.import_module(name)


class Faults:
    """Lets every call at one of the points fail with a probability, from `begin` to `end`."""

    def __init__(self) -> None:
        self._fiu = ctypes.CDLL("libfiu.so.0")
        kinds = (ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_float)
        self._fiu.fiu_enable_random.argtypes = kinds

    def begin(self, number: int, probability: float, seed: int) -> None:
        self._fiu.fiu_set_prng_seed(ctypes.c_uint(seed))
        for point in POINTS:
            assert self._fiu.fiu_enable_random(f"posix/io/{point}".encode(), 1, number, 0, probability) == 0

    def end(self) -> None:
        for point in POINTS:
            self._fiu.fiu_disable(f"posix/io/{point}".encode())


def main(plan: str, *arguments: str) -> int:
    """Run the command; its exit code. What it says is kept until the end: the terminal is not what fails here."""
    load_all()
    from kb_app.cli import main as kb

    said, told, faults = io.StringIO(), io.StringIO(), Faults()
    given = json.loads(plan)
    code: int | str | None = 0
    with redirect_stdout(said), redirect_stderr(told):
        faults.begin(given["errno"], given["probability"], given["seed"])
        try:
            kb(arguments, prog_name="kb")
        except SystemExit as ended:
            code = ended.code
        except BaseException:
            traceback.print_exc()
            code = 1
        faults.end()
    print(said.getvalue(), end="")
    print(told.getvalue(), end="", file=sys.stderr)
    return int(code or 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
