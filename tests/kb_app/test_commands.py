"""The command line: data on standard output, remarks on standard error, exit codes 0, 1 and 2."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from kb_app.cli import main
from search.generation import read_manifest, write_manifest
from tests.kb_app.conftest import TICKET, csrf, rewrite, sign_in
from tests.kb_app.served import environment, kb_process

QUESTION = "退款多久能到账"


def kb(place: Path, *arguments: str, **more: str) -> Result:
    """`kb ARGUMENTS` in this process, which is quick."""
    others = {name: None for name in os.environ if name.startswith("KB_")}
    return CliRunner().invoke(main, list(arguments), env=others | environment(place, **more))


def data(done: Result) -> Any:
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refused(done: Result, *parts: str) -> None:
    """It failed with a message that holds `parts`, and said nothing on standard output."""
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.stdout == ""
    assert all(part in done.stderr for part in parts), done.stderr


def commands(group: click.Group, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield prefix, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        elif not command.hidden:
            yield (*prefix, name), command


ALL = list(commands(main))
WITH_JSON = {" ".join(name) for name, command in ALL if any("--json" in option.opts for option in command.params)}


@pytest.mark.parametrize(("name", "command"), ALL, ids=[" ".join(name) or "kb" for name, _ in ALL])
def test_every_command_helps(tmp_path: Path, name: tuple[str, ...], command: click.Command) -> None:
    done = kb(tmp_path, *name, "--help")
    assert done.exit_code == 0
    assert done.stdout.startswith("Usage: ")
    assert not (tmp_path / "home").exists()


def test_json_is_all_that_is_on_standard_output(place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "x.md").write_text("# 一篇\n\n正文", "utf-8")
    (tmp_path / "t.jsonl").write_text(TICKET, "utf-8")
    (tmp_path / "q.jsonl").write_text('{"query": "退款多久能到账", "relevant": ["refund-arrival"]}\n', "utf-8")
    lines = {
        "init": ["--no-samples"],
        "sync": [],
        "import articles": [str(folder)],
        "import tickets": [str(tmp_path / "t.jsonl")],
        "export": [str(tmp_path / "out.zip")],
        "search": [QUESTION],
        "index build": [],
        "index status": [],
        "index verify": [],
        "index rollback": [],
        "user create": ["someone", "--password", "long enough password"],
        "user list": [],
        "key create": ["--name", "bot"],
        "key list": [],
        "model info": [],
        "eval": [str(tmp_path / "q.jsonl")],
        "doctor": [],
        "backup": [str(tmp_path / "backup")],
    }
    # Training takes minutes, calibration needs more questions than there are here, and restoring wants an empty home:
    # they have tests of their own.
    assert WITH_JSON - {"model train", "calibrate", "restore"} == set(lines)
    for name, arguments in lines.items():
        assert isinstance(data(kb(place, *name.split(), *arguments, "--json")), dict | list), name


def test_the_module_and_the_command_are_the_same(place: Path) -> None:
    done = kb_process(place, "search", QUESTION, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["hits"][0]["url"].startswith("/articles/refund-arrival")
    assert "ResourceWarning" not in done.stderr


def test_key_create_prints_id_and_key(place: Path) -> None:
    made = data(kb(place, "key", "create", "--name", "bot", "--scope", "search", "--json"))
    assert set(made) == {"id", "key"}
    assert made["key"].startswith(f"kb_{made['id']}_")
    listed = data(kb(place, "key", "list", "--json"))
    assert [(entry["id"], entry["scopes"]) for entry in listed] == [(made["id"], ["search"])]
    assert made["key"].rsplit("_", 1)[1] not in json.dumps(listed)
    assert kb(place, "key", "revoke", made["id"]).exit_code == 0
    assert "(revoked)" in kb(place, "key", "list").stdout


def test_search_prints_what_the_api_answers(place: Path, client: FlaskClient) -> None:
    sign_in(client, "admin")
    body = {"query": QUESTION, "top_k": 5}
    asked = client.post("/api/v1/search", json=body, headers={"X-CSRFToken": csrf(client)}).get_json()
    printed = data(kb(place, "search", QUESTION, "--json"))
    assert list(printed) == list(asked)
    assert set(printed["timing_ms"]) == set(asked["timing_ms"])
    # The command line has the present time, the page that of the test; both answer the same.
    assert printed["hits"] == asked["hits"]


def test_search_explains_and_looks_with_a_bots_eyes(place: Path) -> None:
    plain = kb(place, "search", QUESTION, "--explain").stdout
    assert "asked as" in plain
    assert "ms:" in plain
    bot = data(kb(place, "search", "白鲸", "--as", "bot", "--json"))
    assert "芝麻" not in json.dumps(bot, ensure_ascii=False)
    assert data(kb(place, "search", "退款", "--typing", "--json"))["completions"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["search"],
        ["nonsense"],
        ["search", "退款", "-n", "99"],
        ["search", "退款", "--nonsense"],
        ["key", "create"],
        ["key", "create", "--name", "x", "--scope", "everything"],
        ["user", "create", "x", "--role", "king"],
        ["eval", "no-such-file"],
    ],
)
def test_wrong_use_is_two(place: Path, arguments: list[str]) -> None:
    done = kb(place, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Usage: " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["search", "  "], "the query is empty"),
        (["search", "退" * 1001], "limit is 1000"),
        (["import", "articles", "no-such-folder"], "not a folder"),
        (["import", "tickets", "no-such-file"], "not a file"),
        (["user", "create", "Bad Login", "--password", "long enough password"], "cannot be a login"),
        (["user", "create", "ok", "--password", "short"], "10 to 200"),
        (["user", "create", "agent", "--password", "long enough password"], "already"),
        (["user", "disable", "nobody"], "kb user list"),
        (["user", "password", "nobody", "--password", "long enough password"], "kb user list"),
        (["key", "revoke", "nokey"], "kb key list"),
        (["export", "/proc/no/such/out.zip"], "/proc/no/such/out.zip"),
        (["export", "/"], "Name a file"),
        (["export", "/proc/no/such/out.jsonl", "--format", "jsonl"], "/proc/no/such/out.jsonl"),
    ],
)
def test_failing_is_one_with_a_reason(place: Path, arguments: list[str], part: str) -> None:
    refused(kb(place, *arguments), part)


def test_question_sets_that_are_none(place: Path, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"query": "x", "relevant": []}\nnot json\n', "utf-8")
    refused(kb(place, "eval", str(path)), f"{path}:2")


def test_an_import_with_a_bad_file_takes_the_rest_and_says_so(place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "帮助"
    folder.mkdir()
    (folder / "好.md").write_text("# 抹香鲸怎么办\n\n抹香鲸游走了。", "utf-8")
    (folder / "坏.md").write_bytes(b"---\ntitle: [\n---\n")
    report = tmp_path / "skipped.csv"
    done = kb(place, "import", "articles", str(folder), "--audience", "public", "--report", str(report), "--json")
    assert done.exit_code == 1
    printed = json.loads(done.stdout)
    assert printed["added"] == ["好.md"]
    assert printed["problems"][0]["path"] == "坏.md"
    assert "skipped 坏.md" in done.stderr
    assert "坏.md" in report.read_text("utf-8-sig")
    found = data(kb(place, "search", "抹香鲸怎么办", "--as", "bot", "--json"))
    assert found["hits"][0]["title"] == "抹香鲸怎么办"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KB_PORT", "99999"), ("KB_PORT", "http"), ("KB_PROCESSES", "0"), ("KB_THREADS", "-1"), ("KB_LEXICAL", "grep"),
        ("KB_SECURE_COOKIES", "maybe"), ("KB_TIMEZONE", "Mars/Base"), ("KB_LOG_LEVEL", "loud"),
        ("KB_LEXICON", "/no/such/folder"), ("KB_SESSION_HOURS", "half"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_used_stop_the_start(place: Path, name: str, value: str) -> None:
    refused(kb(place, "search", QUESTION, **{name: value}), name, value)


def test_doctor_shows_settings_and_masks_secrets(place: Path) -> None:
    done = kb(place, "doctor", KB_ADMIN_PASSWORD="very secret thing", KB_SECRET_KEY="another secret")
    assert done.exit_code == 0, done.stdout
    assert "secret" not in (done.stdout + done.stderr).replace("KB_SECRET_KEY", "")
    assert "KB_ADMIN_PASSWORD=(set)" in done.stdout
    assert "FAIL" not in done.stdout


def test_doctor_names_what_is_broken(place: Path) -> None:
    (place / "home" / "index" / "current").unlink()
    done = kb(place, "doctor")
    assert done.exit_code == 1
    assert "FAIL index" in done.stdout
    assert "kb index build" in done.stdout


def test_index_status_build_verify(place: Path) -> None:
    assert data(kb(place, "index", "status", "--json"))["stale"] == ""
    assert data(kb(place, "index", "build", "--json"))["number"] == 2
    assert data(kb(place, "index", "verify", "--json"))["differences"] == []


def test_the_index_goes_back_and_catches_up_again(place: Path) -> None:
    refused(kb(place, "index", "rollback"), "no such generation", "there: none")
    assert data(kb(place, "index", "build", "--json"))["number"] == 2
    assert data(kb(place, "index", "rollback", "--json"))["number"] == 1
    assert data(kb(place, "search", QUESTION, "--json"))["index"]["generation"] == 1
    refused(kb(place, "index", "rollback", "--to", "9"), "no such generation", "there: 2")
    (place / "articles" / "made" / "new.md").write_text("# 蓝鲸会员\n\n蓝鲸会员没有年费。", "utf-8")
    assert kb(place, "sync").exit_code == 0
    assert data(kb(place, "index", "status", "--json"))["stale"] == ""
    assert data(kb(place, "index", "verify", "--json"))["differences"] == []


def test_the_engine_is_the_one_that_is_set_and_each_follows(place: Path) -> None:
    for engine in ("tantivy", "whoosh", "tantivy"):
        environment = {"KB_LEXICAL": engine}
        path = place / "articles" / "made" / "new.md"
        path.write_text(f"# 蓝鲸会员\n\n蓝鲸会员用{engine}。", "utf-8")
        assert kb(place, "sync", **environment).exit_code == 0
        assert data(kb(place, "index", "status", "--json", **environment))["lexical"] == engine
        path.write_text(f"# 蓝鲸会员\n\n蓝鲸会员改用{engine}了。", "utf-8")
        assert kb(place, "sync", **environment).exit_code == 0
        found = data(kb(place, "search", "蓝鲸会员", "--json", **environment))
        assert f"改用{engine}了" in found["hits"][0]["answer"]
        path.unlink()
        assert kb(place, "sync", **environment).exit_code == 0
        assert "蓝鲸" not in json.dumps(
            data(kb(place, "search", "蓝鲸会员", "--json", **environment))["hits"], ensure_ascii=False
        )
        assert data(kb(place, "index", "verify", "--json", **environment))["differences"] == []


def _truncate(index: Path) -> None:
    path = index / "1" / "blocks" / "1-1" / "vectors.npy"
    path.write_bytes(path.read_bytes()[:-7])


def _flip(index: Path) -> None:
    path = index / "1" / "blocks" / "1-1" / "passages.jsonl"
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.write_bytes(bytes(changed))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a file cut short": _truncate,
    "one bit": _flip,
    "a file gone": lambda index: (index / "1" / "blocks" / "1-1" / "columns.npy").unlink(),
    "no manifest": lambda index: (index / "1" / "manifest.json").unlink(),
    "half a manifest": lambda index: (index / "1" / "manifest.json").write_text('{"number": 1'),
    "a pointer to nowhere": lambda index: (index / "current").write_text("77"),
    "no pointer": lambda index: (index / "current").unlink(),
    "no number": lambda index: (index / "current").write_text("../../etc"),
}

POINTERS = {"a pointer to nowhere", "no pointer", "no number"}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_index_is_refused_then_put_aside_and_built_again(place: Path, damage: str) -> None:
    index = place / "home" / "index"
    DAMAGE[damage](index)
    refused(kb(place, "search", QUESTION), "kb index build")
    assert kb(place, "index", "verify").exit_code == 1
    assert kb(place, "init", "--no-samples").exit_code == 0
    assert data(kb(place, "index", "verify", "--json"))["differences"] == []
    assert data(kb(place, "search", QUESTION, "--json"))["hits"]
    aside = [path.name for path in index.iterdir() if ".corrupt-" in path.name]
    assert bool(aside) == (damage not in POINTERS)


def test_an_index_of_another_analyser_is_built_anew(place: Path) -> None:
    folder = place / "home" / "index" / "1"
    write_manifest(folder, replace(read_manifest(folder), analyser="zhida-0:other"))
    refused(kb(place, "search", QUESTION), "zhida-0:other", "kb index build")
    assert "zhida-0:other" in data(kb(place, "index", "status", "--json"))["stale"]
    assert kb(place, "init", "--no-samples").exit_code == 0
    assert data(kb(place, "search", QUESTION, "--json"))["index"]["generation"] == 2


def test_without_the_encoder_of_the_index_search_is_lexical_and_says_so(place: Path) -> None:
    for encoder in ("none", "/no/such/model"):
        found = data(kb(place, "search", QUESTION, "--json", KB_ENCODER=encoder))
        assert found["degraded"] == ["encoder"]
        assert found["hits"][0]["url"].startswith("/articles/refund-arrival")


def test_an_index_of_another_encoder_is_built_anew(place: Path) -> None:
    assert "encoder" in data(kb(place, "index", "status", "--json", KB_ENCODER="none"))["stale"]
    assert kb(place, "init", "--no-samples", KB_ENCODER="none").exit_code == 0
    assert data(kb(place, "index", "status", "--json", KB_ENCODER="none"))["stale"] == ""
    assert "encoder" in data(kb(place, "index", "status", "--json"))["stale"]
    assert kb(place, "init", "--no-samples").exit_code == 0
    assert data(kb(place, "search", QUESTION, "--json"))["degraded"] == []


def test_init_is_safe_to_repeat(place: Path) -> None:
    first = kb(place, "init", "--json")
    assert "administrator" not in first.stderr
    assert data(first)["tickets"] > 100
    again = kb(place, "init", "--json")
    assert "sample" not in again.stderr
    assert data(again) == data(first)


def test_the_first_administrator_is_told_of_once(tmp_path: Path) -> None:
    (tmp_path / "articles").mkdir()
    first = kb(tmp_path, "init", "--no-samples")
    secret = (tmp_path / "home" / "admin-password.txt").read_text("ascii")
    assert first.stderr.count("administrator admin") == 1
    assert secret not in first.output
    assert "administrator" not in kb(tmp_path, "init", "--no-samples").output
    given = kb(tmp_path / "other", "init", "--no-samples", KB_ADMIN_PASSWORD="a long enough one")
    assert "the password is KB_ADMIN_PASSWORD" in given.stderr
    assert "a long enough one" not in given.output
    assert not list((tmp_path / "other").rglob("admin-password*"))
    refused(kb(tmp_path / "third", "init", "--no-samples", KB_ADMIN_PASSWORD="short"), "10 to 200")


def test_a_conflict_does_not_stop_the_start(place: Path) -> None:
    rewrite(place, "a_public01", "编辑改的。")
    path = place / "articles" / "made" / "public.md"
    path.write_text(path.read_text("utf-8").replace("七天内", "八天内"), "utf-8")
    done = kb(place, "init", "--no-samples")
    assert done.exit_code == 0
    assert "conflict made/public.md" in done.stderr
    assert "八天内" in path.read_text("utf-8")


def test_export_and_users(place: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.zip"
    assert data(kb(place, "export", str(target), "--json"))["articles"] > 20
    assert target.stat().st_size > 10_000
    assert data(kb(place, "user", "create", "new", "--password", "long enough password", "--json"))["role"] == "agent"
    for command, disabled in (("disable", True), ("enable", False)):
        assert kb(place, "user", command, "new").exit_code == 0
        listed = {user["login"]: user["disabled"] for user in data(kb(place, "user", "list", "--json"))}
        assert listed["new"] is disabled


@pytest.mark.parametrize(
    "command", [["search", "退款"], ["init"], ["serve"], ["doctor"], ["key", "create", "--name", "x"]]
)
def test_a_home_that_cannot_be_written(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "home").write_text("x")
    refused(kb(tmp_path, *command), "KB_HOME", str(tmp_path / "home"))
    # The account that runs tests may write anywhere but here.
    refused(kb(tmp_path, *command, KB_HOME="/proc/zhida"), "KB_HOME", "/proc/zhida")


def test_a_confidence_is_fitted_and_stored_with_the_index(place: Path, tmp_path: Path) -> None:
    refused(kb(place, "calibrate"), "too few", "相似问法")
    matters = (
        "怎么申请",
        "多久能到",
        "为什么失败了",
        "在哪里查看",
        "可以修改吗",
        "能不能取消",
        "丢了怎么办",
        "规则是什么",
    )
    folder = tmp_path / "many"
    folder.mkdir()
    for number, thing in enumerate(("运费险", "发票", "积分", "密码", "手机号", "优惠券", "会员", "红包", "银行卡")):
        for part, matter in enumerate(matters):
            asked = "".join(f"  - {start}{thing}{matter}\n" for start in ("我的", "请问", "想知道"))
            text = f"---\ntitle: {thing}{matter}\nquestions:\n{asked}---\n\n{thing}{matter}：请进入{thing}页面办理。\n"
            (folder / f"a{number}-{part}.md").write_text(text, "utf-8")
    assert kb(place, "import", "articles", str(folder)).exit_code == 0
    assert "the one that ships; `kb calibrate`" in kb(place, "doctor").stdout
    fitted = data(kb(place, "calibrate", "--json"))
    assert fitted["documents"] > 70
    assert "fitted to this content" in kb(place, "doctor").stdout
    number = (place / "home" / "index" / "current").read_text("ascii")
    assert json.loads((place / "home" / "index" / number / "calibration.json").read_text("utf-8")) == fitted
