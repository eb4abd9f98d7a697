"""What /proc says of the server's processes."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
PARTS = {"serve": "parent", "web": "web", "worker": "worker"}
"""Commands of `kb` and what their processes are called here; every other child is "render" or "other"."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One process at a moment: memory in MB (PSS shares what is mapped by several), CPU in seconds since its start."""

    pid: int
    part: str
    rss: float
    pss: float
    fds: int
    threads: int
    cpu: float


@dataclass(frozen=True, slots=True)
class Sample:
    """The whole server at a moment: sums over its processes, and its write-ahead logs in MB."""

    at: float
    rss: float
    pss: float
    fds: int
    threads: int
    wal: float
    processes: int


def tree(root: int) -> dict[int, str]:
    """Process numbers under `root`, itself included, and their parts."""
    found: dict[int, str] = {}
    for pid in _descendants(root):
        try:
            found[pid] = _part(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
        except OSError:
            continue
    return found


def usage(root: int) -> list[Usage]:
    """Every process of the server now; one that ends meanwhile is left out."""
    return [found for pid, part in tree(root).items() if (found := _usage(pid, part))]


def sample(root: int, home: Path, at: float) -> Sample:
    """The server and the write-ahead logs under `home` now."""
    now = usage(root)
    wal = sum(path.stat().st_size for path in home.glob("*.sqlite-wal")) / 1e6
    total = {name: sum(getattr(one, name) for one in now) for name in ("rss", "pss", "fds", "threads")}
    return Sample(at=at, wal=wal, processes=len(now), **total)


def growth(values: Sequence[float]) -> float:
    """How much larger the last fifth is than the first fifth, as a share: medians, so that a peak is not a trend."""
    part = max(1, len(values) // 5)
    before, after = statistics.median(values[:part]), statistics.median(values[-part:])
    return after / before - 1 if before else 0.0


def cpu(root: int) -> dict[str, float]:
    """CPU seconds by part since the processes started."""
    spent: dict[str, float] = {}
    for one in usage(root):
        spent[one.part] = spent.get(one.part, 0.0) + one.cpu
    return spent


def described(now: Iterable[Usage]) -> list[Mapping[str, float | int | str]]:
    """As JSON takes it."""
    return [asdict(one) for one in now]


def _descendants(root: int) -> Iterator[int]:
    yield root
    try:
        tasks = list(Path(f"/proc/{root}/task").iterdir())
        children = [pid for task in tasks for pid in (task / "children").read_text().split()]
    except OSError:
        return
    for pid in children:
        yield from _descendants(int(pid))


def _part(command: Sequence[bytes]) -> str:
    words = [word.decode("utf-8", "replace") for word in command]
    if any("render_child" in word for word in words):
        return "render"
    return next((PARTS[word] for word in words if word in PARTS), "other")


def _usage(pid: int, part: str) -> Usage | None:
    try:
        status = _fields(Path(f"/proc/{pid}/status"))
        rollup = _fields(Path(f"/proc/{pid}/smaps_rollup"))
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        fds = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None
    ticks = int(stat[11]) + int(stat[12])
    rss, pss = rollup.get("Rss", 0) / 1024, rollup.get("Pss", 0) / 1024
    return Usage(pid, part, rss, pss, fds, status.get("Threads", 0), ticks / _TICKS)


def _fields(path: Path) -> dict[str, int]:
    pairs = (line.split()[:2] for line in path.read_text().splitlines() if len(line.split()) > 1)
    return {name.rstrip(":"): int(value) for name, value in pairs if value.isdigit()}
