"""Article files and the database are two faces of the same content: bring changes in, write changes out."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path, PurePosixPath

from indexer.articles import ArticleFile, Defaults, Unreadable, article_text, parse_article, with_id
from kb_app import publishing
from kb_app.errors import BadInput
from kb_app.kb import Kb
from kb_app.publishing import Origin
from kb_app.render import RenderRefused
from kb_app.store import articles
from kb_app.store.articles import Html, State, StoredArticle, Synced
from kb_app.store.database import Session
from search.crash import crash_point
from search.generation import sync as sync_to_disk
from search.types import Audience

BATCH = 50
"""Files that one transaction takes in."""

Advance = Callable[[int, int], None]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that was left out: where (line 0 for the whole file), why, and how to mend it."""

    path: str
    line: int
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a sync or import did."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    archived: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    """A readable file on its way in."""

    path: Path
    relative: PurePosixPath
    file_hash: str
    content: ArticleFile
    slug: str


@dataclass(frozen=True, slots=True)
class _Rendered:
    found: _Found
    html: Html
    is_new: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A folder to read: `name` distinguishes imports, "" for the articles folder itself."""

    folder: Path
    name: str = ""
    audience: Audience = Audience.INTERNAL
    actor: str = "cli"

    def key(self, relative: PurePosixPath) -> str:
        """What the database remembers a file by."""
        return f"{self.name}:{relative}" if self.name else relative.as_posix()


def sync(kb: Kb, advance: Advance = lambda _done, _total: None) -> Report:
    """Bring changes of the articles folder into the database; files that vanished archive their article."""
    source = Source(kb.settings.articles, actor="sync")
    report = _take_in(kb, source, advance)
    _archive_vanished(kb, source, report)
    return report


def import_folder(kb: Kb, source: Source, advance: Advance = lambda _done, _total: None) -> Report:
    """Bring the Markdown files of any folder into the database, the same file the same article every time."""
    return _take_in(kb, source, advance)


def write_back(kb: Kb) -> list[str]:
    """Write articles that changed in the database to their files; the paths written.

    Drafts are never written, and a file that changed since the last sync is left for the next one to compare.
    """
    if not kb.settings.articles_write:
        return []
    written = []
    with kb.database.read() as session:
        changed = [a for a in articles.unsynced(session) if _to_write(a)]
    for article in changed:
        try:
            if _write_one(kb, article):
                written.append(article.source_path or "")
        except OSError as error:
            # The database has the article, and searching it does not wait for its file.
            _log.error("%s is not written: %s; KB_ARTICLES_WRITE=0 if it never can be", article.source_path, error)
    return written


def write_missing(kb: Kb) -> tuple[list[str], list[str]]:
    """Write the files that are gone of articles that are not archived, lest the next sync archive them.

    The paths written, and those that may not be written.
    """
    with kb.database.read() as session:
        gone = [a for a in articles.every(session) if _is_mine(a) and a.facts.state is not State.ARCHIVED]
    gone = [a for a in gone if not (kb.settings.articles / (a.source_path or "")).exists()]
    paths = [article.source_path or "" for article in gone]
    if not kb.settings.articles_write:
        return [], paths
    for article in gone:
        _write_file(kb, article)
    return paths, []


def _take_in(kb: Kb, source: Source, advance: Advance) -> Report:
    files = _markdown_files(source.folder)
    with kb.database.read() as session:
        known = {entry.source_path: entry for entry in articles.synced(session)}
    report, slugs = Report(), _Slugs(kb, source, known)
    unchanged = 0
    batch: list[_Rendered] = []
    for done, path in enumerate(files, 1):
        found = _read(kb, source, path, slugs, report)
        if isinstance(found, _Found):
            batch += _render(kb, found, report)
        unchanged += found is _SAME
        if len(batch) >= BATCH:
            _store(kb, source, batch, report)
            batch = []
        advance(done, len(files))
    _store(kb, source, batch, report)
    return replace(report, unchanged=unchanged)


def _markdown_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder", "Name a folder with Markdown files.")
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders.sort()
        found += [Path(root, name) for name in sorted(names) if name.lower().endswith((".md", ".markdown", ".mdx"))]
    return [path for path in found if path != folder / "README.md"]


def _read(kb: Kb, source: Source, path: Path, slugs: _Slugs, report: Report) -> _Found | _Same | None:
    """What is in a file, _SAME where that is what the last sync found in it; problems go into the report."""
    relative = PurePosixPath(path.relative_to(source.folder).as_posix())
    defaults = Defaults(relative, kb.settings.timezone, source.audience)
    try:
        data = _bytes(path)
        file_hash = hashlib.sha256(data).hexdigest()
        # Nearly all files are as they were, and reading one into an article takes a millisecond.
        if slugs.claim_unchanged(relative, file_hash):
            return _SAME
        content = parse_article(data, defaults)
        slug = slugs.claim(relative, content.id)
    except OSError as error:
        report.problems.append(Problem(str(relative), 0, f"cannot be read: {error.strerror}", "Check its rights."))
    except Unreadable as error:
        report.problems.append(Problem(str(relative), error.line, error.reason, error.hint))
    else:
        return _Found(path, relative, file_hash, content, slug)
    return None


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise Unreadable("a folder with the name of a Markdown file", "Rename the folder.")
    size = path.stat().st_size
    if size > 4 * 1024 * 1024:
        raise Unreadable(f"the file has {size // 1024 // 1024} MB, the limit is 200 KB", "Split the article.")
    return path.read_bytes()


def _render(kb: Kb, found: _Found, report: Report) -> list[_Rendered]:
    try:
        html = publishing.render(kb, found.content)
    except RenderRefused as error:
        report.problems.append(Problem(str(found.relative), 0, error.message, error.hint))
        return []
    return [_Rendered(found, html, False)]


def _store(kb: Kb, source: Source, batch: Sequence[_Rendered], report: Report) -> None:
    if not batch:
        return
    to_write: list[_Found] = []
    with kb.database.write() as session:
        known = {entry.source_path: entry for entry in articles.synced(session)}
        for rendered in batch:
            to_write += _store_one(session, kb, source, rendered, known, report)
    for found in to_write:
        try:
            _write_id(kb, source, found)
        except OSError as error:
            reason = f"taken in, but its id {found.content.id} cannot be written into it: {error.strerror}"
            hint = "Make it writable and add the line, or set KB_ARTICLES_WRITE=0."
            report.problems.append(Problem(str(found.relative), 0, reason, hint))


def _store_one(
    session: Session, kb: Kb, source: Source, rendered: _Rendered, known: dict[str, Synced], report: Report
) -> list[_Found]:
    found, key = rendered.found, source.key(rendered.found.relative)
    entry = known.get(key)
    existing = articles.get(session, found.content.id or (entry.id if entry else ""))
    content = replace(found.content, id=_id_of(found, entry))
    if existing and _both_changed(existing, found):
        _keep_conflict(session, kb, key, existing, found)
        report.conflicts.append(str(found.relative))
        return []
    origin = Origin(source.actor, f"file {found.relative}", key, found.file_hash)
    publishing.save_version(session, kb, found.slug, content, rendered.html, origin)
    articles.drop_conflict(session, key)
    (report.changed if existing else report.added).append(str(found.relative))
    return [] if found.content.id else [replace(found, content=content)]


def _id_of(found: _Found, entry: Synced | None) -> str:
    return found.content.id or (entry.id if entry else publishing.new_id(found.content.kind))


def _both_changed(existing: StoredArticle, found: _Found) -> bool:
    """The article moved on since the last sync, and its file says something else again."""
    if existing.synced_version is None or existing.facts.version == existing.synced_version:
        return False
    return existing.synced_hash != found.file_hash and existing.content != replace(found.content, id=existing.facts.id)


def _keep_conflict(session: Session, kb: Kb, key: str, existing: StoredArticle, found: _Found) -> None:
    text = article_text(found.content, kb.settings.timezone)
    at = publishing.stamp(kb.clock)
    articles.keep_conflict(session, articles.Kept(key, existing.facts.id, text, found.file_hash, at))


def _write_id(kb: Kb, source: Source, found: _Found) -> None:
    """Write the id an article was given into its file, so that it keeps it wherever the file goes."""
    if source.name or not kb.settings.articles_write:
        return
    data = with_id(found.path.read_bytes(), found.content.id)
    _replace_file(found.path, data)
    with kb.database.write() as session:
        articles.mark_synced(session, found.content.id, source.key(found.relative), hashlib.sha256(data).hexdigest())


def _archive_vanished(kb: Kb, source: Source, report: Report) -> None:
    with kb.database.write() as session:
        for entry in articles.synced(session):
            gone = ":" not in entry.source_path and not (source.folder / entry.source_path).exists()
            if gone and entry.state is not State.ARCHIVED:
                publishing.archive(session, kb, entry.id, Origin(source.actor, f"file {entry.source_path} is gone"))
                # Should it come back, even unchanged, it is news; what the database archived stays archived.
                articles.mark_synced(session, entry.id, entry.source_path, None)
                report.archived.append(entry.source_path)


class _Same(Enum):
    """That a file says what it said before."""

    SAME = "same"


_SAME = _Same.SAME


class _Slugs:
    """Gives each file its slug: the file name in the articles folder, made unique in imports."""

    def __init__(self, kb: Kb, source: Source, known: dict[str, Synced]) -> None:
        self._source = source
        self._known = known
        self._taken: dict[str, PurePosixPath] = {}
        self._ids: dict[str, PurePosixPath] = {}
        with kb.database.read() as session:
            self._owners = articles.slug_owners(session)

    def claim_unchanged(self, relative: PurePosixPath, file_hash: str) -> bool:
        """Claim slug and id for a file that is as the last sync found it; False when it is not."""
        entry = self._known.get(self._source.key(relative))
        if entry is None or entry.synced_hash != file_hash:
            return False
        self.claim(relative, entry.id)
        return True

    def claim(self, relative: PurePosixPath, article_id: str) -> str:
        """The slug for a file; `Unreadable` when another file has the same slug or id."""
        self._claim_id(relative, article_id)
        entry = self._known.get(self._source.key(relative))
        slug = (
            entry.slug
            if entry and self._source.name
            else self._fresh(relative, article_id or (entry.id if entry else ""))
        )
        if slug in self._taken:
            raise Unreadable(f"the same slug {slug!r} as {self._taken[slug]}", "Rename one of the two files.")
        self._taken[slug] = relative
        return slug

    def _claim_id(self, relative: PurePosixPath, article_id: str) -> None:
        if article_id and article_id in self._ids:
            raise Unreadable(
                f"the same id {article_id} as {self._ids[article_id]}", "Remove the id line from the copy.", 2
            )
        if article_id:
            self._ids[article_id] = relative

    def _fresh(self, relative: PurePosixPath, article_id: str) -> str:
        if not self._source.name:
            slug = _slug(relative.stem)
            if self._owners.get(slug, article_id) != article_id:
                raise Unreadable(f"the same slug {slug!r} as article {self._owners[slug]}", "Rename the file.")
            return slug
        base = _slug("-".join((self._source.name, *relative.with_suffix("").parts)))
        return next(slug for slug in _numbered(base) if slug not in self._taken and slug not in self._owners)


def _numbered(base: str) -> Iterator[str]:
    yield base
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1


def _slug(text: str) -> str:
    kept = "".join(char if char.isalnum() or char in "-_" else "-" for char in text.lower())
    return "-".join(part for part in kept.split("-") if part)[:120] or "article"


def _to_write(article: StoredArticle) -> bool:
    changed = article.facts.version != article.synced_version
    return _is_mine(article) and changed and article.facts.state is State.PUBLISHED


def _is_mine(article: StoredArticle) -> bool:
    """Whether it has a file in the articles folder, which imports have not."""
    return article.source_path is not None and ":" not in article.source_path


def _write_one(kb: Kb, article: StoredArticle) -> bool:
    assert article.source_path
    path = kb.settings.articles / article.source_path
    on_disk = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    if on_disk != article.synced_hash:
        return False
    _write_file(kb, article)
    return True


def _write_file(kb: Kb, article: StoredArticle) -> None:
    assert article.source_path
    data = article_text(article.content, kb.settings.timezone).encode()
    _replace_file(kb.settings.articles / article.source_path, data)
    with kb.database.write() as session:
        articles.mark_synced(session, article.facts.id, article.source_path, hashlib.sha256(data).hexdigest())


def _replace_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(data)
    # Without this a power cut may leave the new name on an empty file, which the next sync would take for an edit.
    sync_to_disk(beside)
    crash_point("files.before_rename")
    beside.replace(path)
    sync_to_disk(path.parent)
    crash_point("files.after_rename")
