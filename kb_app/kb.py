"""The Kb: one object that holds what every use case needs, built once per process and passed on."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import BoundedSemaphore

from kb_app.clock import Clock
from kb_app.errors import WrongSetting
from kb_app.render import Renderer
from kb_app.settings import Settings
from kb_app.store.database import Database, open_database
from search.analysis import Analyzer
from search.encoder import Encoder, load_encoder
from search.engine import Engine
from search.errors import EncoderUnavailable
from search.lexicon import Lexicon, parse_lexicon, shipped_lexicon

AT_ONCE = 2
"""Questions that one process computes at a time: vectors are compared without the interpreter."""
_log = logging.getLogger(__name__)


@dataclass
class Kb:
    """Settings, database, search and rendering. What is heavy is made when first used."""

    settings: Settings
    database: Database
    clock: Clock = time.time

    @cached_property
    def analyzer(self) -> Analyzer:
        """Text analysis under the configured lexicon."""
        return Analyzer(_lexicon(self.settings.lexicon))

    @cached_property
    def encoder(self) -> Encoder | None:
        """The configured encoder, or None: then search is lexical and says so."""
        if self.settings.encoder == "none":
            return None
        try:
            return load_encoder(self.settings.encoder)
        except EncoderUnavailable as error:
            _log.error("%s %s", error, error.hint)
            return None

    @cached_property
    def engine(self) -> Engine:
        """Search over the current generation."""
        return Engine(self.settings.index_root, self.analyzer, self.encoder)

    @cached_property
    def turn(self) -> BoundedSemaphore:
        """Taken while a question is answered, which is computing alone: one after the other is faster than all at once.

        Threads that compute at the same time only take the interpreter from each other; the other threads of a
        process are for those that wait, for a slow line or the disk.
        """
        return BoundedSemaphore(AT_ONCE)

    @cached_property
    def renderer(self) -> Renderer:
        """Markdown to safe HTML."""
        return Renderer()

    def close(self) -> None:
        """End the render child and the database connections."""
        if "renderer" in self.__dict__:
            self.renderer.close()
        self.database.close()


def open_kb(settings: Settings, clock: Clock = time.time) -> Kb:
    """The Kb of `settings.home`, which is made when it is missing."""
    return Kb(settings, open_database(settings.home), clock)


def _lexicon(folder: str) -> Lexicon:
    if not folder:
        return shipped_lexicon()
    try:
        return parse_lexicon(*(_read(Path(folder), name) for name in ("words.txt", "synonyms.txt", "stopwords.txt")))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSetting(
            f"KB_LEXICON={folder!r} cannot be read: {error}",
            "It is a folder with words.txt, synonyms.txt and stopwords.txt in UTF-8.",
        ) from error


def _read(folder: Path, name: str) -> str:
    return (folder / name).read_text("utf-8")
