"""The command line with a SIGKILL in it: python -m tests.faults.killed MODULE:NAME NUMBER ARGUMENTS..."""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from kb_app.cli import main


def kill_at(where: str, number: int) -> None:
    """Let the `number`th call (from 1) of the function `where` end this process instead."""
    module, _, path = where.partition(":")
    *owners, name = path.split(".")
    owner = functools.reduce(getattr, owners, importlib.import_module(module))
    setattr(owner, name, _killing(getattr(owner, name), number))


def _killing(function: Callable[..., Any], number: int) -> Callable[..., Any]:
    calls = itertools.count(1)

    @functools.wraps(function)
    def counted(*args: Any, **more: Any) -> Any:
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **more)

    return counted


if __name__ == "__main__":
    kill_at(sys.argv[1], int(sys.argv[2]))
    main(sys.argv[3:], prog_name="kb")
