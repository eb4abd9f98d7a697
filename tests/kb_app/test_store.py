from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select, text

from kb_app import publishing
from kb_app.errors import Unavailable
from kb_app.kb import Kb
from kb_app.publishing import Origin
from kb_app.store import articles, journal
from kb_app.store.articles import Html
from kb_app.store.database import KNOWLEDGE, TRAFFIC, Database, open_database
from kb_app.store.tables import AuditRow, Knowledge, Traffic


@pytest.mark.parametrize(("half", "metadata"), [(KNOWLEDGE, Knowledge.metadata), (TRAFFIC, Traffic.metadata)])
def test_models_and_migrations_agree(tmp_path, half, metadata) -> None:  # type: ignore[no-untyped-def]
    database = open_database(tmp_path)
    database.migrate()
    with database._engines[half.name].connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_down_and_up_again(tmp_path) -> None:  # type: ignore[no-untyped-def]
    database = open_database(tmp_path)
    assert database.pending() == ["knowledge", "traffic"]
    database.migrate()
    for half in (KNOWLEDGE, TRAFFIC):
        database.downgrade(half, "base")
    assert database.pending() == ["knowledge", "traffic"]
    database.migrate()
    assert (database.pending(), database.check()) == ([], [])
    database.close()


def test_the_files_sync_as_hard_as_they_should(kb: Kb) -> None:
    for half, wanted in ((KNOWLEDGE, 2), (TRAFFIC, 1)):
        with kb.database.read(half) as session:
            assert session.execute(text("PRAGMA synchronous")).scalar() == wanted
            assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_version_its_audit_and_its_outbox_row_are_one_transaction(kb: Kb) -> None:
    before = every_row(kb)
    with kb.database.read() as session:
        stored = articles.get(session, "a_public01")
    assert stored
    changed = replace(stored.content, title="改了", category="new-category")
    touched = set[str]()
    with pytest.raises(RuntimeError), kb.database.write() as session:
        publishing.save_version(session, kb, "new-slug", changed, Html("", ""), Origin("test", "x"))
        session.flush()
        for name, rows in before.items():
            if session.execute(select(func.count()).select_from(Knowledge.metadata.tables[name])).scalar() != len(rows):
                touched.add(name)
        raise RuntimeError
    assert touched == {"article_versions", "slug_aliases", "categories", "audit", "outbox"}
    assert every_row(kb) == before


def every_row(kb: Kb) -> dict[str, list[object]]:
    with kb.database.read() as session:
        return {table.name: list(session.execute(select(table))) for table in Knowledge.metadata.sorted_tables}


def test_what_was_stored_is_all_there(kb: Kb) -> None:
    with kb.database.read() as session:
        stored = articles.get(session, "a_public01")
        newest = journal.last_outbox_id(session)
    assert stored
    publishing.publish(kb, "new-slug", stored.content, Origin("test", "x"))
    with kb.database.read() as session:
        assert journal.last_outbox_id(session) == newest + 1
        last = list(journal.entries(session))[-1]
    assert (last.actor, last.action, last.subject, last.detail) == (
        "test",
        "article.published",
        "a_public01",
        {"version": 2},
    )


def test_a_renamed_article_keeps_its_old_links(kb: Kb) -> None:
    with kb.database.read() as session:
        stored = articles.get(session, "a_public01")
    assert stored
    publishing.publish(kb, "new-name", stored.content, Origin("test", "rename"))
    with kb.database.read() as session:
        assert articles.by_slug(session, "public").facts.id == "a_public01"  # type: ignore[union-attr]
        assert articles.by_slug(session, "new-name").facts.id == "a_public01"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "tamper",
    [
        "UPDATE audit SET actor='x' WHERE id=2",
        "UPDATE audit SET detail='{}' WHERE id=(SELECT max(id) FROM audit)",
        "UPDATE audit SET at='2000-01-01T00:00:00Z' WHERE id=1",
        "DELETE FROM audit WHERE id=2",
        "DELETE FROM audit WHERE id=1",
        "DELETE FROM audit WHERE id=(SELECT max(id) FROM audit)",
    ],
)
def test_a_changed_audit_log_shows(kb: Kb, tamper: str) -> None:
    with kb.database.read() as session:
        assert journal.broken_links(session) == []
        assert session.query(AuditRow).count() > 3
    with kb.database.write() as session:
        session.execute(text(tamper))
    with kb.database.write() as session:
        # The end of a log that was cut shows as soon as it goes on.
        journal.record(session, "now", "test", "went on", "x")
    with kb.database.read() as session:
        assert journal.broken_links(session)


def test_readers_do_not_wait_for_a_writer(kb: Kb) -> None:
    started, done = threading.Event(), threading.Event()

    def write() -> None:
        with kb.database.write() as session:
            session.execute(text("UPDATE articles SET owner='x'"))
            started.set()
            done.wait(10)

    writer = threading.Thread(target=write)
    writer.start()
    assert started.wait(5)
    with kb.database.read() as session:
        assert articles.get(session, "a_public01").content.owner == ""  # type: ignore[union-attr]
    done.set()
    writer.join()


def test_a_writer_does_not_wait_for_a_reader_who_keeps_a_snapshot(kb: Kb) -> None:
    with kb.database.read() as reader:
        before = journal.last_outbox_id(reader)
        start = time.monotonic()
        with kb.database.write() as session:
            journal.announce(session, journal.Topic.ARTICLE, "a_public01", "now")
        assert time.monotonic() - start < 5
        assert journal.last_outbox_id(reader) == before
    with kb.database.read() as session:
        assert journal.last_outbox_id(session) == before + 1


def test_writers_take_turns(kb: Kb) -> None:
    def add() -> None:
        for _ in range(10):
            with kb.database.write() as session:
                journal.record(session, "now", "test", "counted", "x")

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with kb.database.read() as session:
        assert sum(entry.action == "counted" for entry in journal.entries(session)) == 40
        assert journal.broken_links(session) == []


def test_a_home_that_cannot_be_written(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable) as caught:
        open_database(tmp_path / "file")
    assert "KB_HOME" in caught.value.message
    assert caught.value.hint
    with pytest.raises(Unavailable):
        open_database(tmp_path / "file" / "below")


def test_databases_close(tmp_path) -> None:  # type: ignore[no-untyped-def]
    database: Database = open_database(tmp_path)
    database.migrate()
    database.close()
