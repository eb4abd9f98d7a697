"""The walls of ARCHITECTURE.md, kept."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("search", "indexer", "kb_app")
HOMES = {
    "flask": ("kb_app/app.py", "kb_app/web.py", "kb_app/agent/", "kb_app/api/views.py", "kb_app/auth/"),
    "flask_babel": ("kb_app/app.py", "kb_app/agent/"),
    "flask_wtf": ("kb_app/web.py",),
    "werkzeug": ("kb_app/web.py",),
    "waitress": ("kb_app/serving.py",),
    "click": ("kb_app/cli/",),
    "rich": ("kb_app/cli/",),
    "sqlalchemy": ("kb_app/store/",),
    "alembic": ("kb_app/store/",),
    "argon2": ("kb_app/accounts.py",),
    "whoosh": ("search/lexical/whoosh.py",),
    "faiss": ("search/vectors/faiss.py",),
    "rjieba": ("search/analysis.py",),
    "jieba": (),
    "opencc": ("search/analysis.py",),
    "snowballstemmer": ("search/analysis.py",),
    "pypinyin": ("search/suggest.py", "indexer/training/"),
    "tokenizers": ("search/encoder.py", "indexer/training/"),
    "sentence_transformers": ("search/encoder.py", "indexer/training/"),
    "torch": ("search/encoder.py", "indexer/training/"),
    "markdown": ("kb_app/render_child.py",),
    "markdown_it": ("indexer/markdown.py",),
    "nh3": ("kb_app/render_child.py", "kb_app/present.py"),
    "yaml": ("indexer/articles.py",),
}
BLUEPRINTS = ("agent", "api", "auth")


def imports(source: str) -> Iterator[str]:
    """Every module that source imports, also inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where an arrow points"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def broken(path: str, source: str) -> list[str]:
    """The rules that a file breaks."""
    found = []
    layer = path.split("/")[0]
    for name in imports(source):
        top = name.split(".")[0]
        if top in LAYERS and layer in LAYERS and LAYERS.index(top) > LAYERS.index(layer):
            found.append(f"{path} imports {name}: the arrow turns round")
        if top in HOMES and not path.startswith(HOMES[top] or ("-",)):
            found.append(f"{path} imports {name}: its home is {HOMES[top]}")
        if _blueprint(path) and _blueprint(name.replace(".", "/")) not in (None, _blueprint(path)):
            found.append(f"{path} imports {name}: blueprints do not know each other")
    return found


def _blueprint(path: str) -> str | None:
    parts = path.split("/")
    return parts[1] if len(parts) > 1 and parts[0] == "kb_app" and parts[1] in BLUEPRINTS else None


def files() -> list[str]:
    found = [path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")]
    return sorted(path.relative_to(ROOT).as_posix() for path in [*found, ROOT / "wsgi.py"])


@pytest.mark.parametrize("path", files())
def test_walls(path: str) -> None:
    assert broken(path, (ROOT / path).read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("search/engine.py", "import indexer.build"),
        ("indexer/build.py", "def f():\n    from kb_app import kb"),
        ("search/engine.py", "from flask import g"),
        ("kb_app/answering.py", "import sqlalchemy.orm"),
        ("kb_app/agent/views.py", "from kb_app.api import views"),
        ("search/analysis.py", "import jieba"),
    ],
)
def test_a_broken_wall_is_seen(path: str, source: str) -> None:
    assert broken(path, source)


@pytest.mark.parametrize("module", ["kb_app.cli", "search.engine", "indexer.build", "kb_app.app"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    heavy = ["torch", "sentence_transformers", "transformers", "faiss", "rjieba", "opencc", "scipy"]
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_known_folders_at_the_top() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    if not tracked:
        pytest.skip("not a git checkout")
    allowed = {"kb_app", "articles", "indexer", "search", "static", "tests", "docs", "benchmarks", ".ci"}
    allowed |= {"wsgi.py", "requirements.txt", "requirements-dev.txt", "Makefile", "pyproject.toml", ".gitignore"}
    allowed |= {"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE"}
    assert {line.split("/")[0] for line in tracked.splitlines()} <= allowed
