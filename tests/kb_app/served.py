"""The command line and the server as processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.kb_app.conftest import ROOT


def environment(place: Path, **more: str) -> dict[str, str]:
    """This environment with the knowledge base under `place` and no other setting."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KB_")}
    paths = {"KB_HOME": str(place / "home"), "KB_ARTICLES": str(place / "articles"), "KB_PORT": "0"}
    return kept | paths | {"PYTHONWARNINGS": "default"} | more


def kb_process(place: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`python -m kb_app ARGUMENTS`, run to its end."""
    command = [sys.executable, "-m", "kb_app", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(place, **more), capture_output=True, text=True, timeout=120
    )


class Served:
    """A running `kb serve`; what it says goes into a file, so that no pipe can fill up."""

    def __init__(self, place: Path, **more: str) -> None:
        self._log = place / "served.log"
        # Children of a server that was killed may still write to the file that was there.
        self._log.unlink(missing_ok=True)
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kb_app", "serve", "--no-samples"],
                cwd=ROOT, env=environment(place, **more), stderr=log,
            )  # fmt: skip
        try:
            self.url = self._announced()
        except BaseException:
            # Nobody else could stop it.
            self.process.kill()
            raise

    @property
    def said(self) -> str:
        """Everything on standard error so far."""
        return self._log.read_text("utf-8")

    def _announced(self) -> str:
        deadline = time.monotonic() + 90
        while "Ctrl-C" not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.1)
        found = re.search(r"http://\S+", self.said)
        assert found
        return found[0]

    def ask(self, key: str, text: str) -> dict[str, Any]:
        """What POST /api/v1/search answers."""
        body = json.dumps({"query": text}).encode()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        with urlopen(Request(f"{self.url}/api/v1/search", body, headers), timeout=10) as response:
            return json.load(response)  # type: ignore[no-any-return]

    def children(self) -> dict[int, str]:
        """Web processes and the worker: their numbers and command lines."""
        command = ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)]
        listed = subprocess.run(command, capture_output=True, text=True).stdout
        lines = [line for line in listed.splitlines() if "kb_app" in line and "render_child" not in line]
        return {int(line.split()[0]): line for line in lines}

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)


def gone(pids: list[int], seconds: float) -> bool:
    """Whether all processes have ended within some seconds."""
    deadline = time.monotonic() + seconds
    while any(_runs(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _runs(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False
