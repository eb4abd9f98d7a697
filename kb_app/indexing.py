"""Keep the index a shadow of the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from indexer.build import BUILDING, Change, Plan, Progress, build_generation, extend_generation, generations
from indexer.plan import silent
from indexer.records import Record
from kb_app import syncing
from kb_app.clock import stamp
from kb_app.errors import KbError
from kb_app.kb import Kb
from kb_app.lock import writer_lock
from kb_app.stopping import Stop
from kb_app.store import articles, journal, tickets, traffic
from kb_app.store.articles import StoredArticle
from kb_app.store.database import TRAFFIC, Session
from kb_app.store.tickets import StoredTicket
from search.confidence import Calibration, read_calibration
from search.errors import IndexCorrupt, SearchError
from search.generation import Manifest, current_number, quarantine, read_manifest, set_current, verify
from search.index import Expected, open_current
from search.lexical import EXTENDED
from search.types import Audience, Document, Kind, Script

POLL_SECONDS = 0.1
RETRY_SECONDS = 5.0
WAIT_SECONDS = 60.0
MOST_CHANGES = 2_000
"""Changes that go into one generation: after a large import the first of them can be found while the rest follows."""
LEAST_DEAD = 1_000
MOST_DEAD = 0.25
"""Replaced documents, and their share of the others, from which the index is built anew: fewer cost little."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Status:
    """Where the index stands.

    `stale` says why the next generation is due, "" when it is not; `extends` whether that takes the changes only.
    `waiting_since` is when the first change was made that it has not seen, "" when it has seen all.
    """

    manifest: Manifest | None
    outbox_id: int
    stale: str
    extends: bool = False
    waiting_since: str = ""

    @property
    def behind(self) -> int:
        """How many changes it has not seen."""
        return self.outbox_id - (self.manifest.outbox_id if self.manifest else 0)


def status(kb: Kb) -> Status:
    """Compare the current generation with the database and this process's settings."""
    try:
        manifest = read_manifest(kb.settings.index_root / str(current_number(kb.settings.index_root)))
    except SearchError as error:
        manifest, missing = None, str(error)
    with kb.database.read() as session:
        newest = journal.last_outbox_id(session)
        waiting = journal.waiting_since(session, manifest.outbox_id if manifest else 0)
    if manifest is None:
        return Status(None, newest, missing, waiting_since=waiting)
    rebuild = _outgrown(kb, manifest, newest)
    changes = f"{newest - manifest.outbox_id} changes behind" if waiting else ""
    return Status(manifest, newest, rebuild or changes, not rebuild and manifest.lexical in EXTENDED, waiting)


def build(kb: Kb, progress: Progress = silent) -> Manifest:
    """Build and publish a generation of all that is published now."""
    with kb.database.read() as session:
        # One read transaction: the records and the outbox id belong to the same moment.
        count = articles.count_published(session) + tickets.count(session)
        with kb.database.read(TRAFFIC) as log:
            uses = traffic.all_uses(log)
        plan = replace(_plan(kb, journal.last_outbox_id(session), progress), documents=count, uses=uses)
        return build_generation(records(session), plan)


def extend(kb: Kb, before: Manifest, progress: Progress = silent) -> Manifest:
    """Publish the next generation with the first changes that the current one has not seen yet."""
    with kb.database.read() as session:
        changed = journal.changed(session, before.outbox_id, MOST_CHANGES)
        ids = {topic: sorted({key for _, own, key in changed if own is topic}) for topic in journal.DOCUMENTS}
        found = [article_record(article) for article in articles.published_among(session, ids[journal.Topic.ARTICLE])]
        found += [ticket_record(ticket) for ticket in tickets.among(session, ids[journal.Topic.TICKET])]
    gone = [key for own in ids.values() for key in own]
    with kb.database.read(TRAFFIC) as log:
        uses = traffic.used(log, gone)
    plan = replace(_plan(kb, changed[-1][0], progress), documents=len(found), uses=uses)
    return extend_generation(Change(gone, found), plan)


def build_alone(kb: Kb, progress: Progress = silent) -> Manifest:
    """Build anew from a command: by itself, or, where a worker runs, by asking it to and waiting."""
    lock = writer_lock(kb.settings.home)
    if lock.acquire():
        try:
            return build(kb, progress)
        finally:
            lock.release()
    with kb.database.write() as session:
        journal.announce(session, journal.Topic.INDEX, "build", stamp(kb.clock))
    while catch_up_alone(kb, progress) is None and status(kb).stale:
        time.sleep(POLL_SECONDS)
    return read_manifest(kb.settings.index_root / str(current_number(kb.settings.index_root)))


def _plan(kb: Kb, outbox_id: int, progress: Progress) -> Plan:
    return Plan(
        root=kb.settings.index_root,
        analyzer=kb.analyzer,
        encoder=kb.encoder,
        lexical=kb.settings.lexical,
        outbox_id=outbox_id,
        calibration=calibration(kb),
        progress=progress,
    )


def calibration(kb: Kb) -> Calibration:
    """The calibration fitted here, or the one that ships."""
    path = kb.settings.calibration
    return read_calibration(path) if path.exists() else Calibration()


def catch_up(kb: Kb, progress: Progress = silent) -> Manifest | None:
    """Bring files and index up to the database; the new manifest, or None when nothing was to do.

    A generation that does not pass its checksums is moved aside first.
    """
    _check_files(kb)
    return follow(kb, progress)


def follow(kb: Kb, progress: Progress = silent) -> Manifest | None:
    """The same without reading the files that are there: what the worker does again and again."""
    state, made = status(kb), None
    # No further than what there was at the start: while people publish there is always more.
    goal = state.outbox_id
    while state.stale and (made is None or made.outbox_id < goal):
        syncing.write_back(kb)
        made = extend(kb, state.manifest, progress) if state.manifest and state.extends else build(kb, progress)
        state = status(kb)
    return made


def roll_back(kb: Kb, number: int | None = None) -> Manifest:
    """Point readers at an earlier generation that is still there, the newest such one by default.

    What changed since then is worked in again by the worker, so that nothing comes back that was taken out for good.
    """
    root = kb.settings.index_root
    current = current_number(root)
    older = [m for m in generations(root) if (m.number < current if number is None else m.number == number)]
    if not older:
        there = ", ".join(str(m.number) for m in generations(root) if m.number != current) or "none"
        raise SearchError("there is no such generation to go back to", f"Others that are there: {there}.")
    verify(root / str(older[0].number), older[0])
    set_current(root, older[0].number)
    return older[0]


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
    have = {ref.id: ref.version for ref in kb.engine.index().refs()}
    return sorted(key for key in wanted.keys() | have.keys() if wanted.get(key) != have.get(key))


def work(kb: Kb, stop: Stop) -> None:
    """The worker: follow the outbox until told to stop. The caller holds the writer lock."""
    checked = False
    while not stop.is_set():
        try:
            manifest = follow(kb) if checked else catch_up(kb)
            checked = True
            if manifest:
                _log.info("index %s: %s documents", manifest.number, manifest.documents)
            stop.wait(POLL_SECONDS)
        except (KbError, SearchError, OSError) as error:
            # The database has everything: leave the old index in use, and try again.
            _log.error("indexing failed: %s; trying again in %s s", error, RETRY_SECONDS)
            stop.wait(RETRY_SECONDS)
        except Exception:
            _log.exception("indexing failed, trying again in %s s", RETRY_SECONDS)
            stop.wait(RETRY_SECONDS)


def catch_up_alone(kb: Kb, progress: Progress = silent) -> Manifest | None:
    """Catch up from a command: by itself, or, where a worker runs, by waiting for it.

    Raises `HomeInUse` when the worker has not moved on for a minute.
    """
    lock = writer_lock(kb.settings.home)
    goal, seen, deadline = status(kb).outbox_id, None, 0.0
    # Whoever holds the lock may end at any moment, and what is left is then ours.
    while not lock.acquire():
        state = status(kb)
        if not state.stale or (state.manifest and state.extends and state.manifest.outbox_id >= goal):
            return None
        if (now := _progress_of(kb, state)) != seen:
            seen, deadline = now, time.monotonic() + WAIT_SECONDS
        if time.monotonic() > deadline:
            raise lock.in_use("the process that keeps the index has not moved on for a minute")
        time.sleep(POLL_SECONDS)
    try:
        return catch_up(kb, progress)
    finally:
        lock.release()


def _progress_of(kb: Kb, state: Status) -> tuple[int, int]:
    """What changes as long as somebody indexes: how far the index is, and when a file was last written beside it."""
    written = (path.stat().st_mtime_ns for path in kb.settings.index_root.glob(f"*{BUILDING}/**/*") if path.is_file())
    try:
        return state.behind, max(written, default=0)
    except FileNotFoundError:
        # It was finished while being looked at.
        return state.behind, -1


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


def _outgrown(kb: Kb, manifest: Manifest, newest: int) -> str:
    """Why a generation can only be replaced by a full build, "" when it need not."""
    encoder = kb.encoder.id if kb.encoder else ""
    if manifest.analyser != kb.analyzer.id:
        return f"made by analyser {manifest.analyser}, this is {kb.analyzer.id}"
    if manifest.encoder != encoder:
        return f"made by encoder {manifest.encoder or 'none'}, this is {encoder or 'none'}"
    if kb.settings.lexical not in ("auto", manifest.lexical):
        return f"made for {manifest.lexical}, KB_LEXICAL is {kb.settings.lexical}"
    if manifest.dead > max(LEAST_DEAD, manifest.documents * MOST_DEAD):
        return f"{manifest.dead} documents in it have been replaced"
    if manifest.outbox_id > newest:
        # A database that was restored from a backup.
        return "it has seen changes that the database does not know"
    with kb.database.read() as session:
        wanted = journal.wants_rebuild(session, manifest.outbox_id)
    return "a full build was asked for" if wanted else ""


def _check_files(kb: Kb) -> None:
    """A damaged generation is put aside and rebuilt rather than trusted."""
    root = kb.settings.index_root
    try:
        verify(folder := root / str(current_number(root)), read_manifest(folder))
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
