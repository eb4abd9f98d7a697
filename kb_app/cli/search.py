"""kb search."""

from __future__ import annotations

import click

from kb_app import answering
from kb_app.access import COMMAND_LINE, Principal, Scope
from kb_app.answering import Asked, Question
from kb_app.cli.console import Out, json_option, opened
from kb_app.present import answer_json
from search.types import Hit, Mode

BOT = Principal("cli:bot", "kb", None, frozenset(Scope))


@click.command()
@click.argument("query")
@click.option("--explain", is_flag=True, help="Say why each hit matched and where the time went.")
@click.option("--as", "reader", type=click.Choice(["agent", "bot"]), default="agent", show_default=True,
              help="Whose eyes to search with.")  # fmt: skip
@click.option("--typing", is_flag=True, help="As typed so far: with completions, not logged.")
@click.option("-n", "top_k", type=click.IntRange(1, 50), default=5, show_default=True, help="Hits to show.")
@json_option
def search(query: str, explain: bool, reader: str, typing: bool, top_k: int, as_json: bool) -> None:
    """Answer QUERY; with --json, what POST /api/v1/search answers."""
    who = COMMAND_LINE if reader == "agent" else BOT
    question = Question(query, Mode.TYPING if typing else Mode.FINAL, top_k=top_k)
    with opened() as kb:
        asked = answering.ask(kb, question, who)
    Out(as_json).data(answer_json(asked, who, False), "\n".join(_lines(asked, explain)))


def _lines(asked: Asked, explain: bool) -> list[str]:
    answer = asked.answer
    head = f"{answer.decision.value}  confidence {answer.confidence:.2f}"
    if answer.degraded:
        head += f"  degraded: {', '.join(answer.degraded)}"
    lines = [head]
    for number, hit in enumerate(answer.hits, 1):
        lines += ["", *_hit_lines(number, hit, explain)]
    if explain:
        lines += ["", "ms: " + "  ".join(f"{stage} {ms}" for stage, ms in answer.timing_ms.items())]
    return lines


def _hit_lines(number: int, hit: Hit, explain: bool) -> list[str]:
    document = hit.document
    place = " › ".join(part for part in (document.title, hit.section) if part)
    lines = [f"{number}. [{document.kind.value}] {place}", f"   {_marked(hit)}"]
    if explain:
        why = hit.why
        lines.append(f"   confidence {hit.confidence:.2f}  score {hit.score:.3f}  words #{why.lexical_rank or '-'}"
                     f"  meaning #{why.semantic_rank or '-'}")  # fmt: skip
        lines.append(f"   found: {' '.join(why.terms) or '-'}  synonyms: {_pairs(hit)}")
        if why.matched_question:
            lines.append(f"   asked as: {why.matched_question}")
    return lines


def _pairs(hit: Hit) -> str:
    return " ".join(f"{asked}→{found}" for asked, found in hit.why.synonyms) or "-"


def _marked(hit: Hit) -> str:
    parts, at = [], 0
    for start, end in hit.highlights:
        parts += [hit.answer[at:start], click.style(hit.answer[start:end], bold=True)]
        at = end
    return "".join([*parts, hit.answer[at:]]).replace("\n", " ")
