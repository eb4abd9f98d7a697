"""Keep the index a shadow of the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

from indexer.build import Plan, Progress, build_generation
from indexer.records import Record
from kb_app import syncing
from kb_app.kb import Kb
from kb_app.lock import writer_lock
from kb_app.stopping import Stop
from kb_app.store import articles, journal, tickets, traffic
from kb_app.store.articles import StoredArticle
from kb_app.store.database import TRAFFIC, Session
from kb_app.store.tickets import StoredTicket
from search.confidence import Calibration, read_calibration
from search.errors import IndexCorrupt, SearchError
from search.generation import Manifest, current_number, quarantine, read_manifest, verify
from search.index import Expected, open_current
from search.types import Audience, Document, Kind, Script

POLL_SECONDS = 0.2
RETRY_SECONDS = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Status:
    """Where the index stands; `stale` says why it must be built, "" when it is current."""

    manifest: Manifest | None
    outbox_id: int
    stale: str


def status(kb: Kb) -> Status:
    """Compare the current generation with the database and this process's settings."""
    with kb.database.read() as session:
        newest = journal.last_outbox_id(session)
    try:
        manifest = read_manifest(kb.settings.index_root / str(current_number(kb.settings.index_root)))
    except SearchError as error:
        return Status(None, newest, str(error))
    return Status(manifest, newest, _stale(kb, manifest, newest))


def build(kb: Kb, progress: Progress | None = None) -> Manifest:
    """Build and publish a generation of all that is published now."""
    with kb.database.read(TRAFFIC) as session:
        uses = traffic.all_uses(session)
    with kb.database.read() as session:
        # One read transaction: the records and the outbox id belong to the same moment.
        plan = Plan(
            root=kb.settings.index_root,
            analyzer=kb.analyzer,
            encoder=kb.encoder,
            outbox_id=journal.last_outbox_id(session),
            calibration=calibration(kb),
            uses=uses,
            **({"progress": progress} if progress else {}),
        )
        return build_generation(records(session), plan)


def calibration(kb: Kb) -> Calibration:
    """The calibration fitted here, or the one that ships."""
    path = kb.settings.calibration
    return read_calibration(path) if path.exists() else Calibration()


def catch_up(kb: Kb, progress: Progress | None = None) -> Manifest | None:
    """Bring files and index up to the database; the new manifest, or None when nothing was to do.

    A generation that does not pass its checksums is moved aside first.
    """
    _check_files(kb)
    if not status(kb).stale:
        return None
    syncing.write_back(kb)
    return build(kb, progress)


def verify_index(kb: Kb) -> Manifest:
    """Check every file of the current generation, and that it opens; raises what is wrong."""
    root = kb.settings.index_root
    folder = root / str(current_number(root))
    verify(folder, manifest := read_manifest(folder))
    open_current(root, Expected(kb.analyzer.id, kb.encoder.id if kb.encoder else None))
    return manifest


def differences(kb: Kb) -> list[str]:
    """Ids whose version in the database and in the index differ."""
    with kb.database.read() as session:
        wanted = {record.document.id: record.document.version for record in records(session)}
    have = {ref.id: ref.version for ref in kb.engine.index().refs}
    return sorted(key for key in wanted.keys() | have.keys() if wanted.get(key) != have.get(key))


def work(kb: Kb, stop: Stop) -> None:
    """The worker: follow the outbox until told to stop. The caller holds the writer lock."""
    while not stop.is_set():
        try:
            manifest = catch_up(kb)
            if manifest:
                _log.info("index %s: %s documents", manifest.number, manifest.documents)
            stop.wait(POLL_SECONDS)
        except Exception:
            # The database has everything: log, leave the old index in use, and try again.
            _log.exception("indexing failed, trying again in %s s", RETRY_SECONDS)
            stop.wait(RETRY_SECONDS)


def catch_up_alone(kb: Kb, progress: Progress | None = None) -> Manifest | None:
    """Catch up from a command: by itself, or, where a worker runs, by waiting for it.

    Raises `HomeInUse` when the worker has not caught up after a minute.
    """
    lock = writer_lock(kb.settings.home)
    if lock.acquire():
        try:
            return catch_up(kb, progress)
        finally:
            lock.release()
    deadline = time.monotonic() + 60
    while status(kb).stale and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if status(kb).stale:
        raise lock.in_use("the running server has not caught up with the index after a minute")
    return None


def records(session: Session) -> Iterator[Record]:
    """Everything that may be found: published articles and scripts, and tickets."""
    for article in articles.published(session):
        yield article_record(article)
    for ticket in tickets.every(session):
        yield ticket_record(ticket)


def article_record(article: StoredArticle) -> Record:
    """An article as the indexer takes it."""
    content, facts = article.content, article.facts
    is_script = facts.kind is Kind.SCRIPT
    document = Document(
        id=facts.id,
        version=facts.version,
        kind=facts.kind,
        title=content.title,
        slug=article.slug,
        category=content.category,
        audience=facts.audience,
        summary=content.summary,
        tags=content.tags,
        product=content.product,
        valid_from=facts.valid_from,
        valid_until=facts.valid_until,
        updated_at=article.updated_at,
        source=content.source,
        script=_script(article) if is_script else None,
    )
    return Record(document, content.questions, content.body)


def ticket_record(ticket: StoredTicket) -> Record:
    """A ticket as the indexer takes it: always internal."""
    document = Document(
        id=ticket.id,
        version=ticket.version,
        kind=Kind.TICKET,
        title=ticket.subject,
        slug=ticket.id,
        category=ticket.category,
        audience=Audience.INTERNAL,
        tags=ticket.tags,
        updated_at=ticket.resolved_at,
    )
    return Record(document, (ticket.question,), ticket.resolution)


def _script(article: StoredArticle) -> Script:
    content = article.content
    return Script(content.body, tuple(variable.name for variable in content.variables), dict(content.channels))


def _stale(kb: Kb, manifest: Manifest, newest: int) -> str:
    encoder = kb.encoder.id if kb.encoder else ""
    if manifest.analyser != kb.analyzer.id:
        return f"made by analyser {manifest.analyser}, this is {kb.analyzer.id}"
    if manifest.encoder != encoder:
        return f"made by encoder {manifest.encoder or 'none'}, this is {encoder or 'none'}"
    if manifest.outbox_id < newest:
        return f"{newest - manifest.outbox_id} changes behind"
    return ""


def _check_files(kb: Kb) -> None:
    """Once per process: a damaged generation is put aside and rebuilt rather than trusted."""
    try:
        kb.engine.index()
    except IndexCorrupt as error:
        _log.error("%s; it is moved aside and built anew", error)
        _quarantine_current(kb)
    except SearchError as error:
        _log.info("index: %s", error)


def _quarantine_current(kb: Kb) -> None:
    root = kb.settings.index_root
    try:
        folder = root / str(current_number(root))
        if folder.is_dir():
            quarantine(folder)
    except SearchError:
        _log.error("the pointer %s is unreadable and will be replaced", root / "current")
