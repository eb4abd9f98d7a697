"""Documents that must not fall behind the code."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from kb_app.cli import main
from kb_app.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[1]


def commands(group: click.Group, prefix: str = "kb") -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += commands(command, f"{prefix} {name}")
        elif not command.hidden:
            found.append((f"{prefix} {name}", command))
    return found


@pytest.mark.parametrize("setting", [setting.name for setting in SETTINGS])
def test_every_setting_is_documented_with_its_default(setting: str) -> None:
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    default = next(s.default for s in SETTINGS if s.name == setting)
    assert f"| `{setting}` | {f'`{default}`' if default else 'none'} |" in text


def test_every_setting_read_anywhere_is_in_the_table() -> None:
    known = {setting.name for setting in SETTINGS} | {"KB_USER_PASSWORD"}
    for path in (ROOT / "kb_app").rglob("*.py"):
        assert set(re.findall(r"\bKB_[A-Z_]+\b", path.read_text("utf-8"))) <= known, path


@pytest.mark.parametrize(("name", "command"), commands(main))
def test_every_command_is_documented_and_helps(name: str, command: click.Command) -> None:
    assert f"`{name}" in (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option) and not option.hidden)


@pytest.mark.parametrize(
    "path", sorted((ROOT).glob("*.md")) + sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.name
)
def test_links_in_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target


def test_make_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.search(r"\.PHONY: (.*)", text)[1].split())  # type: ignore[index]
    assert targets == set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert {"serve", "test", "lint", "bench", "eval", "clean"} <= targets | {"help"}


def test_both_languages_say_everything() -> None:
    from babel.messages.pofile import read_po

    with (ROOT / "kb_app" / "translations" / "en" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        translated = {message.id: message.string for message in read_po(file) if message.id}
    assert [key for key, text in translated.items() if not text] == []
    used = set()
    for path in (ROOT / "kb_app" / "templates").glob("*.html"):
        used |= set(re.findall(r"_\('([^']+)'", path.read_text("utf-8")))
    assert used <= translated.keys()
    assert not any(
        "\u4e00" <= char <= "\u9fff" for path in (ROOT / "static").rglob("*.js") for char in path.read_text("utf-8")
    )
