"""The walls between packages, and the one home of every third-party engine."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = ("search", "indexer", "kb_app", "wsgi", "benchmarks")
"""From the bottom to the top: a module imports from its own layer and from those before it."""

BLUEPRINTS = ("agent", "api", "auth")
WEB = ("kb_app/app.py", "kb_app/web.py", *(f"kb_app/{name}/*" for name in BLUEPRINTS))
TRAINING = "indexer/training/*"

HOMES: Mapping[str, tuple[str, ...]] = {
    "alembic": ("kb_app/store/*",),
    "argon2": ("kb_app/accounts.py",),
    "click": ("kb_app/cli/*",),
    "faiss": ("search/vectors/faiss.py",),
    "flask": WEB,
    "flask_*": WEB,
    "jieba": (),
    "markdown": ("kb_app/render_child.py",),
    "markdown_it": ("indexer/markdown.py",),
    "nh3": ("kb_app/render_child.py", "kb_app/present.py"),
    "opencc": ("search/analysis.py",),
    "pypinyin": ("search/suggest.py", TRAINING),
    "rapidfuzz": ("search/spelling/english.py",),
    "rich": ("kb_app/cli/*",),
    "rjieba": ("search/analysis.py",),
    "safetensors": ("search/encoder.py", TRAINING),
    "sentence_transformers": ("search/encoder.py", TRAINING),
    "snowballstemmer": ("search/analysis.py",),
    "sqlalchemy": ("kb_app/store/*",),
    "tantivy": ("search/lexical/tantivy.py",),
    "tokenizers": ("search/encoder.py", TRAINING),
    "torch": ("search/encoder.py", TRAINING),
    "waitress": ("kb_app/serving.py",),
    "werkzeug": WEB,
    "whoosh": ("search/lexical/whoosh.py",),
    "yaml": ("indexer/articles.py",),
}
"""Files that may import a third-party package; `*` crosses folders."""

FACES = ("kb_app/cli/*", "kb_app/app.py", "kb_app/web.py", "kb_app/serving.py", "kb_app/__main__.py")
"""Files of `kb_app` that are neither use cases nor blueprints."""

LIGHT: Mapping[str, tuple[str, ...]] = {
    "search.engine": (
        "torch",
        "sentence_transformers",
        "tokenizers",
        "faiss",
        "whoosh",
        "tantivy",
        "rjieba",
        "opencc",
        "flask",
    ),
    "search.index": ("torch", "faiss", "whoosh", "tantivy", "rjieba", "opencc"),
    "indexer.build": ("torch", "sentence_transformers", "tokenizers", "faiss", "whoosh", "rjieba", "opencc", "flask"),
    "indexer.markdown": ("markdown_it",),
    "indexer.tickets": ("torch", "faiss", "rjieba", "sqlalchemy"),
    "kb_app.cli": ("torch", "sentence_transformers", "tokenizers", "faiss", "flask", "rjieba", "opencc", "waitress"),
    "kb_app.render_child": ("sqlalchemy", "flask", "numpy"),
}
"""Modules, and what importing them must not load."""


def imports_of(source: str, path: str) -> Iterator[str]:
    """Dotted names of everything a file imports, inside functions and by `import_module` too."""
    package = PurePosixPath(path).parent.parts
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__") and node.args:
            name = node.args[0]
            yield name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else "?"


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def violations(path: str, imported: Iterable[str]) -> list[str]:
    """What a file imports although it must not."""
    return [f"{path} imports {name}: {rule}" for name in imported for rule in _broken(path, name)]


def _broken(path: str, name: str) -> Iterator[str]:
    top = name.partition(".")[0]
    own = PurePosixPath(path).parts[0].removesuffix(".py")
    if top == "?":
        yield "only names that can be read may be imported"
    if top in LAYERS and LAYERS.index(top) > LAYERS.index(own):
        yield "arrows point down"
    for package, homes in HOMES.items():
        if fnmatch(top, package) and not _is_one_of(path, homes):
            yield f"its home is {' and '.join(homes) or 'nowhere'}"
    blueprint = _blueprint(name.split("."))
    inside = _blueprint(path.removesuffix(".py").split("/"))
    if blueprint and inside and blueprint != inside:
        yield "blueprints never import each other"
    if blueprint and not inside and own == "kb_app" and path != "kb_app/app.py":
        yield "only the application knows the blueprints"
    web = name.split(".")[:2] in (["kb_app", "web"], ["kb_app", "app"])
    if web and own == "kb_app" and not inside and not _is_one_of(path, FACES):
        yield "use cases know nothing of the web"


def _is_one_of(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def _blueprint(parts: list[str]) -> str:
    return parts[1] if len(parts) > 2 and parts[0] == "kb_app" and parts[1] in BLUEPRINTS else ""


def _files() -> list[str]:
    folders = [path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")]
    return sorted(path.relative_to(ROOT).as_posix() for path in [*folders, ROOT / "wsgi.py"])


def test_every_import_keeps_to_the_walls() -> None:
    files = _files()
    found = [line for path in files for line in violations(path, imports_of((ROOT / path).read_text("utf-8"), path))]
    assert len(files) > 60
    assert found == []


def test_every_home_is_lived_in() -> None:
    """A pattern that no file needs would be a hole in the wall."""
    users: dict[str, set[str]] = {}
    for path in _files():
        for name in imports_of((ROOT / path).read_text("utf-8"), path):
            users.setdefault(name.partition(".")[0], set()).add(path)
    unused = [
        f"{package}: {home}"
        for package, homes in HOMES.items()
        for home in homes
        if home not in (TRAINING, *WEB) and (package, home) != ("torch", "search/encoder.py")
        if not any(fnmatch(top, package) and fnmatch(path, home) for top, paths in users.items() for path in paths)
    ]
    assert unused == []


def test_folders_with_views_are_the_blueprints() -> None:
    assert tuple(sorted(path.parent.name for path in (ROOT / "kb_app").glob("*/views.py"))) == BLUEPRINTS


@pytest.mark.parametrize(
    ("path", "source", "rule"),
    [
        ("search/engine.py", "from indexer.build import Plan", "arrows point down"),
        ("search/engine.py", "def f():\n    import kb_app.kb", "arrows point down"),
        (
            "search/engine.py",
            "from importlib import import_module\nimport_module('indexer.build')",
            "arrows point down",
        ),
        ("search/engine.py", "import importlib\nimportlib.import_module(name)", "can be read"),
        ("indexer/build.py", "if TYPE_CHECKING:\n    from kb_app.kb import Kb", "arrows point down"),
        ("indexer/build.py", "from wsgi import application", "arrows point down"),
        ("kb_app/kb.py", "import wsgi", "arrows point down"),
        ("kb_app/answering.py", "from flask import request", "its home is"),
        ("kb_app/answering.py", "from flask_babel import gettext", "its home is"),
        ("kb_app/cli/serving.py", "import flask", "its home is"),
        ("kb_app/access.py", "from sqlalchemy import select", "its home is"),
        ("kb_app/agent/views.py", "import sqlalchemy.orm", "its home is"),
        ("search/index.py", "def f():\n    from whoosh import index", "its home is"),
        ("search/index.py", "import faiss", "its home is"),
        ("search/suggest.py", "import jieba", "its home is nowhere"),
        ("search/analysis.py", "import jieba.posseg", "its home is nowhere"),
        ("indexer/embedding.py", "import torch", "its home is"),
        ("indexer/markdown.py", "import markdown", "its home is"),
        ("kb_app/app.py", "import waitress", "its home is"),
        ("kb_app/agent/views.py", "from kb_app.auth import views", "never import each other"),
        ("kb_app/agent/views.py", "from kb_app.auth.views import login", "never import each other"),
        ("kb_app/agent/views.py", "from ..api import views", "never import each other"),
        ("kb_app/answering.py", "from kb_app.api.schemas import Filters", "only the application"),
        ("kb_app/answering.py", "from kb_app.web import principal", "nothing of the web"),
        ("kb_app/answering.py", "from kb_app import web", "nothing of the web"),
    ],
)
def test_the_checker_finds_a_violation(path: str, source: str, rule: str) -> None:
    (found,) = violations(path, imports_of(source, path))
    assert rule in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("search/lexical/whoosh.py", "from whoosh import index"),
        ("indexer/training/fit.py", "def f():\n    import torch"),
        ("kb_app/agent/views.py", "from flask_babel import get_locale\nfrom kb_app.web import principal"),
        ("kb_app/agent/views.py", "from kb_app.present import iso"),
        ("kb_app/app.py", "from kb_app.agent import views"),
        ("wsgi.py", "from kb_app.app import create_app\nfrom search.types import Query"),
    ],
)
def test_the_checker_lets_the_rest_pass(path: str, source: str) -> None:
    assert violations(path, imports_of(source, path)) == []


@pytest.mark.parametrize("module", sorted(LIGHT))
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*(name for name in {LIGHT[module]!r} if name in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_only_known_folders_at_the_top() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    if not listed:
        pytest.skip("not a git checkout")
    folders = {"kb_app", "articles", "indexer", "search", "static", "tests", "docs", "benchmarks", ".ci"}
    files = {"wsgi.py", "requirements.txt", "requirements-dev.txt", "Makefile", "pyproject.toml", ".gitignore"}
    texts = {"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE"}
    assert {line.split("/")[0] for line in listed.splitlines()} <= folders | files | texts
