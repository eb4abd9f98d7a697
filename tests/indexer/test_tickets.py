"""Ticket files: the sample is read whole and clean, and no bad row stops the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.redaction import audit
from indexer.tickets import Row, Ticket, read_tickets

SAMPLE = Path(__file__).parents[2] / "kb_app" / "samples" / "tickets.jsonl"
SAID = [{"from": "customer", "text": "退款没到"}, {"from": "agent", "text": "三天内到账。"}]
GOOD = {
    "id": "T-1",
    "subject": "退款没到账",
    "status": "resolved",
    "created_at": "2026-03-05T10:12:31+08:00",
    "messages": SAID,
}


def read(tmp_path: Path, *lines: bytes) -> list[Row]:
    path = tmp_path / "tickets.jsonl"
    path.write_bytes(b"\n".join(lines))
    return list(read_tickets(path))


def line(**fields: object) -> bytes:
    return json.dumps(GOOD | fields, ensure_ascii=False).encode("utf-8", "surrogatepass")


def ticket_of(tmp_path: Path, **fields: object) -> Ticket:
    (row,) = read(tmp_path, line(**fields))
    assert row.ticket, row.problem
    return row.ticket


def texts_of(ticket: Ticket) -> list[str]:
    return [ticket.subject, ticket.question, ticket.resolution, *ticket.tags, *(turn.text for turn in ticket.turns)]


@pytest.fixture(scope="module")
def sample() -> list[Row]:
    return list(read_tickets(SAMPLE))


def test_the_sample_is_read_whole(sample: list[Row]) -> None:
    problems = [row.problem for row in sample if row.ticket is None]
    assert len(sample) == len(SAMPLE.read_text("utf-8").splitlines())
    assert [row.number for row in sample] == list(range(1, len(sample) + 1))
    assert len(problems) == 24
    assert all(problem.startswith("not resolved") for problem in problems)


def test_nothing_personal_is_left_in_the_sample(sample: list[Row]) -> None:
    found = [(text, audit(text)) for row in sample if row.ticket for text in texts_of(row.ticket)]
    assert len(found) > 3_000
    assert [entry for entry in found if entry[1]] == []


def test_no_customer_field_of_the_sample_is_left(sample: list[Row]) -> None:
    raw = [json.loads(text) for text in SAMPLE.read_text("utf-8").splitlines()]
    checked, left = 0, []
    for row, entry in zip(sample, raw, strict=True):
        if row.ticket:
            values = [str(value) for value in (entry.get("customer") or {}).values() if value]
            checked += len(values)
            left += [value for value in values for text in texts_of(row.ticket) if value in text]
    assert checked > 0
    assert left == []


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"{", "not JSON"),
        (b"\xff\xff\xff", "not JSON: neither UTF-8 nor GB18030"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "line"),
        (b'"text"', "line"),
        (line(id=""), "id"),
        (line(subject=None), "subject"),
        (line(subject="长" * 301), "subject"),
        (line(status="open"), "not resolved"),
        (line(status=None), "status"),
        (line(created_at="2026-03-05T10:12:31"), "created_at"),
        (line(created_at="昨天"), "created_at"),
        (line(resolved_at="never"), "resolved_at"),
        (line(satisfaction=6), "satisfaction"),
        (line(satisfaction="很好"), "satisfaction"),
        (line(tags="退款"), "tags"),
        (line(tags=[1, {}]), "tags"),
        (line(messages=[]), "messages"),
        (line(messages="你好"), "messages"),
        (line(messages=[{"from": "robot", "text": "x"}]), "messages.0.from"),
        (line(messages=[{"from": "customer"}]), "messages.0.text"),
        (line(messages=[{"from": "customer", "text": "长" * 20_001}]), "messages.0.text"),
        (line(messages=SAID[:1]), "no message of the agent"),
        (line(messages=SAID[1:]), "no message of the customer"),
        (line(messages=[*SAID[:1], {"from": "agent", "text": "感谢您的来电。"}]), "no message of the agent"),
        (line(messages=[*SAID[:1], {"from": "note", "text": "查过了"}]), "no message of the agent"),
        (line(customer=["王小明"]), "customer"),
        (b'{"id": "' + b"x" * (1 << 20) + b'"}', "longer than 1 MB"),
    ],
)
def test_a_bad_row_says_why_and_the_next_is_read(tmp_path: Path, data: bytes, problem: str) -> None:
    bad, good = read(tmp_path, data, line())
    assert problem in bad.problem
    assert bad.hint
    assert (bad.number, good.number) == (1, 2)
    assert bad.ticket is None
    assert good.ticket


@given(st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")), max_size=5))
def test_any_bytes_give_rows(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    rows = read(tmp_path_factory.mktemp("rows"), *lines, line())
    assert rows[-1].ticket
    assert all(row.problem for row in rows[:-1])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    first, second = read(tmp_path, line().decode().encode(encoding), b"", line().decode().encode(encoding))
    assert first.ticket == second.ticket
    assert first.ticket is not None
    assert first.ticket.question == "退款没到"
    assert second.number == 3


def test_question_and_resolution_are_the_first_and_the_last_word(tmp_path: Path) -> None:
    said = [
        ("agent", "您好，请讲。"),
        ("customer", "退款没到"),
        ("customer", "等了三天"),
        ("agent", "请问哪张卡？"),
        ("note", "查了流水"),
        ("customer", "信用卡"),
        ("agent", "信用卡要七天。"),
        ("agent", "到了会发短信。"),
        ("customer", "好"),
        ("agent", "不客气！"),
    ]
    ticket = ticket_of(tmp_path, messages=[{"from": who, "text": text} for who, text in said])
    assert ticket.question == "退款没到\n等了三天"
    assert ticket.resolution == "信用卡要七天。\n到了会发短信。"
    assert "查了流水" not in [turn.text for turn in ticket.turns]


def test_personal_data_is_masked_alike_in_the_whole_ticket(tmp_path: Path) -> None:
    ticket = ticket_of(
        tmp_path,
        subject="阿豪的退款 13800138000",
        tags=["退款", "138 0013 8000"],
        customer={"name": "阿豪", "phone": 13800138000, "email": "ah@qq.com"},
        messages=[
            {"from": "customer", "text": "我是阿豪，AH@qq.com"},
            {"from": "agent", "text": "阿豪您好\x00，已退。"},
        ],
    )
    assert ticket.subject == "[姓名#1]的退款 [手机号#1]"
    assert ticket.tags == ("退款", "[手机号#1]")
    assert ticket.question == "我是[姓名#1]，[邮箱#1]"
    assert ticket.resolution == "[姓名#1]您好，已退。"


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    ticket = ticket_of(tmp_path, customer=None, id=17, status=" 已解决 ")
    assert (ticket.external_id, ticket.category, ticket.tags, ticket.satisfaction) == ("17", "general", (), None)
    assert ticket.resolved_at == ticket.opened_at == "2026-03-05T10:12:31+08:00"
