"""Settings: one table of name, type, default and help; read once, fail early."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kb_app.errors import WrongSetting


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its environment variable, how to read it, its default and what it does."""

    name: str
    parse: Callable[[str], Any]
    default: str
    help: str
    secret: bool = False


def _switch(text: str) -> bool:
    table = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    return table[text.strip().lower()]


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError("not a port")
    return port


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("must be 1 or more")
    return number


def _zone(text: str) -> str:
    return ZoneInfo(text).key


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return parse


SETTINGS: tuple[Setting, ...] = (
    Setting("KB_HOME", Path, "var", "Folder for the database, the index and secrets."),
    Setting("KB_ARTICLES", Path, "articles", "Folder of Markdown articles that `kb sync` reads."),
    Setting(
        "KB_ARTICLES_WRITE", _switch, "1", "Write published articles back to files; 0 where the disk is read-only."
    ),
    Setting("KB_HOST", str, "127.0.0.1", "Address to serve on."),
    Setting("KB_PORT", _port, "8000", "Port to serve on; 0 takes any free one."),
    Setting("KB_PROCESSES", _positive, "1", "Web processes that share the port."),
    Setting("KB_THREADS", _positive, "8", "Threads of each web process."),
    Setting(
        "KB_ENCODER",
        str,
        "zhida-static",
        "Sentence encoder: the shipped one, or a model name or path; `none` for none.",
    ),
    Setting(
        "KB_LEXICAL",
        _one_of("auto", "whoosh", "tantivy"),
        "auto",
        "Lexical engine, `whoosh` or `tantivy`; `auto` chooses by size when the index is built.",
    ),
    Setting(
        "KB_LEXICON", str, "", "Folder with words.txt, synonyms.txt and stopwords.txt in place of the shipped ones."
    ),
    Setting("KB_ADMIN_PASSWORD", str, "", "Password of the administrator that the first start creates.", secret=True),
    Setting("KB_SECRET_KEY", str, "", "Signs cookies; by default made once and kept in KB_HOME.", secret=True),
    Setting("KB_SESSION_HOURS", _positive, "12", "Hours until a person has to sign in again."),
    Setting("KB_SECURE_COOKIES", _switch, "0", "Send cookies over TLS only; set to 1 behind HTTPS."),
    Setting("KB_TIMEZONE", _zone, "Asia/Shanghai", "Time zone of dates in articles and on pages."),
    Setting(
        "KB_LOG_LEVEL", _one_of("debug", "info", "warning", "error"), "info", "Least serious level that is logged."
    ),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The effective settings of a process; attribute names are those of the table without `KB_`, in lower case."""

    home: Path
    articles: Path
    articles_write: bool
    host: str
    port: int
    processes: int
    threads: int
    encoder: str
    lexical: str
    lexicon: str
    admin_password: str
    secret_key: str
    session_hours: int
    secure_cookies: bool
    timezone: str
    log_level: str

    @property
    def calibration(self) -> Path:
        """What a confidence means here, once `kb calibrate` has found out."""
        return self.home / "calibration.json"

    @property
    def index_root(self) -> Path:
        """Where generations live."""
        return self.home / "index"


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment over the defaults; `WrongSetting` names the variable and what it takes."""
    given = os.environ if environment is None else environment
    return Settings(**{_field(setting): _value(setting, given) for setting in SETTINGS})


def describe(settings: Settings) -> list[dict[str, str]]:
    """Name, value (secrets masked), default and help of every setting."""
    return [
        {
            "name": setting.name,
            "value": _shown(setting, getattr(settings, _field(setting))),
            "default": setting.default,
            "help": setting.help,
        }
        for setting in SETTINGS
    ]


def _value(setting: Setting, given: Mapping[str, str]) -> Any:
    text = given.get(setting.name, setting.default)
    try:
        return setting.parse(text)
    except (ValueError, KeyError) as error:
        raise WrongSetting(
            f"{setting.name}={text!r} cannot be used: {error}",
            f"{setting.help} The default is {setting.default!r}.",
        ) from error


def _shown(setting: Setting, value: object) -> str:
    if setting.secret:
        return "(set)" if value else "(not set)"
    return str(int(value) if isinstance(value, bool) else value)


def _field(setting: Setting) -> str:
    return setting.name.removeprefix("KB_").lower()
