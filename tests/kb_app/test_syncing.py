from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from kb_app import importing, indexing, publishing, syncing
from kb_app.errors import BadInput
from kb_app.kb import Kb
from kb_app.publishing import Origin
from kb_app.store import articles, tickets
from kb_app.store.articles import State
from kb_app.syncing import Source
from search.types import Audience
from tests.kb_app.conftest import TICKET, rewrite


def get(kb: Kb, key: str) -> articles.StoredArticle:
    with kb.database.read() as session:
        found = articles.get(session, key)
    assert found
    return found


def test_nothing_changed_is_nothing_done(kb: Kb) -> None:
    report = syncing.sync(kb)
    assert (report.added, report.changed, report.archived, report.conflicts, report.problems) == ([], [], [], [], [])
    assert report.unchanged > 20


def test_an_id_is_written_into_the_file_and_nothing_else(kb: Kb) -> None:
    text = (kb.settings.articles / "plain.md").read_text("utf-8")
    head, _, rest = text.partition("---\n\n")
    assert head.startswith("---\nid: a_")
    assert rest == "# 没有文件头的文章\n\n这篇没有文件头，默认只给内部看。"


def test_a_changed_file_is_a_new_version(kb: Kb) -> None:
    path = kb.settings.articles / "made" / "public.md"
    path.write_text(path.read_text("utf-8").replace("七天内", "八天内"), "utf-8")
    report = syncing.sync(kb)
    assert report.changed == ["made/public.md"]
    assert get(kb, "a_public01").facts.version == 2
    assert "八天内" in get(kb, "a_public01").html_public


def test_a_file_that_vanished_archives_and_one_that_returns_revives(kb: Kb) -> None:
    path = kb.settings.articles / "made" / "public.md"
    data = path.read_bytes()
    path.unlink()
    assert syncing.sync(kb).archived == ["made/public.md"]
    assert get(kb, "a_public01").facts.state is State.ARCHIVED
    assert syncing.sync(kb).archived == []
    path.write_bytes(data)
    assert syncing.sync(kb).changed == ["made/public.md"]
    assert get(kb, "a_public01").facts.state is State.PUBLISHED


def test_a_moved_file_keeps_its_article_and_its_old_link(kb: Kb) -> None:
    path = kb.settings.articles / "made" / "public.md"
    path.rename(path.with_name("renamed.md"))
    report = syncing.sync(kb)
    assert (report.changed, report.archived) == (["made/renamed.md"], [])
    assert get(kb, "a_public01").slug == "renamed"


def test_both_sides_changed_is_a_conflict_with_both_kept(kb: Kb) -> None:
    stored = get(kb, "a_public01")
    publishing.publish(kb, stored.slug, replace(stored.content, body="编辑改的。"), Origin("editor", "edit"))
    path = kb.settings.articles / "made" / "public.md"
    path.write_text(path.read_text("utf-8").replace("七天内", "文件改的"), "utf-8")
    assert syncing.sync(kb).conflicts == ["made/public.md"]
    assert get(kb, "a_public01").content.body == "编辑改的。"
    assert "文件改的" in path.read_text("utf-8")
    with kb.database.read() as session:
        assert articles.conflicts(session) == [("made/public.md", "a_public01")]
    assert syncing.write_back(kb) == []


def test_an_article_changed_in_the_database_is_written_to_its_file(kb: Kb) -> None:
    stored = get(kb, "a_public01")
    publishing.publish(kb, stored.slug, replace(stored.content, body="编辑改的。"), Origin("editor", "edit"))
    assert syncing.write_back(kb) == ["made/public.md"]
    assert "编辑改的。" in (kb.settings.articles / "made" / "public.md").read_text("utf-8")
    assert syncing.sync(kb).changed == []


def test_drafts_and_read_only_folders_are_never_written(kb: Kb) -> None:
    stored = get(kb, "a_draft001")
    publishing.publish(kb, stored.slug, replace(stored.content, body="改了的草稿"), Origin("editor", "edit"))
    assert syncing.write_back(kb) == []
    locked = Kb(replace(kb.settings, articles_write=False), kb.database, kb.clock)
    public = get(kb, "a_public01")
    publishing.publish(kb, public.slug, replace(public.content, body="编辑改的。"), Origin("editor", "edit"))
    assert syncing.write_back(locked) == []


@pytest.mark.parametrize(
    ("name", "data", "line", "reason"),
    [
        ("broken.md", "---\ntitle: 甲: 乙\n---\n".encode(), 2, "front matter"),
        ("open.md", b"---\ntitle: x\n", 1, "never closed"),
        ("huge.md", b"x" * 50_000_000, 0, "limit is 200 KB"),
        ("binary.md", b"\x00\x01\x02", 1, "control characters"),
        ("other/refund-arrival.md", "# 同名".encode(), 0, "same slug"),
        ("other/copy.md", b"---\nid: a_public01\n---\nx", 2, "same id"),
        ("brackets.md", b"[" * 150_000, 0, ""),
    ],
)
def test_what_cannot_go_in_is_named_and_the_rest_goes_in(
    kb: Kb, name: str, data: bytes, line: int, reason: str
) -> None:
    for path, content in (
        (kb.settings.articles / name, data),
        (kb.settings.articles / "zz" / "fine.md", "# 好的".encode()),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    report = syncing.sync(kb)
    problems = [(p.path, p.line) for p in report.problems]
    assert "zz/fine.md" in report.added
    assert (name, line) in problems or name in report.added
    assert all(problem.hint for problem in report.problems)
    assert not reason or any(reason in problem.reason for problem in report.problems)


def test_a_folder_in_place_of_a_file_and_a_dangling_link(kb: Kb) -> None:
    (kb.settings.articles / "folder.md").mkdir()
    (kb.settings.articles / "folder.md" / "inside.md").write_text("# 里面", "utf-8")
    os.symlink(kb.settings.articles / "nowhere", kb.settings.articles / "link.md")
    report = syncing.sync(kb)
    assert "folder.md/inside.md" in report.added
    assert [problem.path for problem in report.problems] == ["link.md"]


def test_an_article_folder_that_cannot_be_written(kb: Kb, monkeypatch: pytest.MonkeyPatch) -> None:
    (kb.settings.articles / "new.md").write_text("# 没有编号的一篇\n\n正文", "utf-8")
    rewrite(kb.settings.home.parent, "a_public01", "白鲸会员八天内可退。")
    write = Path.write_bytes

    def refuse(path: Path, data: bytes) -> int:
        if path.is_relative_to(kb.settings.articles):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", refuse)
    report = syncing.sync(kb)
    assert report.added == ["new.md"]
    assert [problem.path for problem in report.problems] == ["new.md"]
    assert "Read-only" in report.problems[0].reason
    assert "KB_ARTICLES_WRITE=0" in report.problems[0].hint
    # What was published is searched all the same, and the second time nothing is new.
    indexing.catch_up(kb)
    assert indexing.differences(kb) == []
    again = syncing.sync(kb)
    assert (again.added, again.changed, again.archived, again.problems) == ([], [], [], [])
    monkeypatch.undo()
    assert syncing.write_back(kb) == ["made/public.md"]


def test_a_file_nobody_may_read(kb: Kb, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kb.settings.articles / "made" / "public.md"
    read = Path.read_bytes

    def refuse(self: Path) -> bytes:
        if self == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    report = syncing.sync(kb)
    assert [(problem.path, problem.hint) for problem in report.problems] == [("made/public.md", "Check its rights.")]
    # It is there, and so is its article.
    assert report.archived == []
    assert get(kb, "a_public01").facts.state is State.PUBLISHED


def test_gb18030_files_go_in(kb: Kb) -> None:
    (kb.settings.articles / "gb.md").write_bytes("# 国标编码\n\n正文".encode("gb18030"))
    assert "gb.md" in syncing.sync(kb).added
    # The id went in as GB18030 too: the file is still what it was, and nothing is new.
    assert (kb.settings.articles / "gb.md").read_bytes().decode("gb18030").endswith("# 国标编码\n\n正文")
    assert syncing.sync(kb).changed == []


def test_importing_twice_is_importing_once(kb: Kb, tmp_path: Path) -> None:
    folder = tmp_path / "帮助中心"
    for name in ("产品/概述.md", "价格/概述.md", "产品/常见 问题.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name}\n\n正文", "utf-8")
    source = Source(folder, "hc", Audience.PUBLIC)
    assert len(syncing.import_folder(kb, source).added) == 3
    before = [path.read_bytes() for path in sorted(folder.rglob("*.md"))]
    again = syncing.import_folder(kb, source)
    assert (again.added, again.changed, again.unchanged) == ([], [], 3)
    assert [path.read_bytes() for path in sorted(folder.rglob("*.md"))] == before
    shutil.rmtree(folder)
    assert syncing.sync(kb).archived == []
    with kb.database.read() as session:
        assert articles.by_slug(session, "hc-产品-概述").facts.audience is Audience.PUBLIC  # type: ignore[union-attr]


def test_a_file_is_no_folder(kb: Kb) -> None:
    with pytest.raises(BadInput) as caught:
        syncing.import_folder(kb, Source(kb.settings.articles / "plain.md", "x"))
    assert caught.value.hint


def test_importing_tickets_twice_is_importing_once(kb: Kb, tmp_path: Path) -> None:
    path = tmp_path / "tickets.jsonl"
    path.write_text(TICKET + "not json\n" + TICKET.replace("可以退", "不能退").replace('"T1"', '"T2"'), "utf-8")
    first = importing.import_tickets(kb, path, "made")
    assert (first.added, first.changed, first.unchanged, len(first.skipped)) == (1, 0, 1, 1)
    path.write_text(TICKET.replace("可以退", "能退"), "utf-8")
    second = importing.import_tickets(kb, path, "made")
    assert (second.added, second.changed) == (0, 1)
    with kb.database.read() as session:
        assert tickets.count(session) == 2
    indexing.catch_up(kb)
    assert indexing.differences(kb) == []


def test_no_personal_data_is_left_anywhere(kb: Kb) -> None:
    for path in sorted(kb.settings.home.rglob("*")):
        assert path.is_dir() or b"13800138000" not in path.read_bytes(), path
