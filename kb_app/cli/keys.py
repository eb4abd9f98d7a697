"""kb key."""

from __future__ import annotations

from dataclasses import asdict

import click

from kb_app import accounts
from kb_app.access import COMMAND_LINE, Scope
from kb_app.cli.console import Out, json_option, opened
from kb_app.store import people


@click.group()
def key() -> None:
    """Keys for bots."""


@key.command()
@click.option("--name", required=True, help="The bot that will use it.")
@click.option("--scope", "scopes", type=click.Choice([scope.value for scope in Scope]), multiple=True,
              default=[scope.value for scope in Scope], show_default=True, help="May be repeated.")  # fmt: skip
@click.option("--days", type=click.IntRange(1), help="Days until it expires; by default never.")
@json_option
def create(name: str, scopes: tuple[str, ...], days: int | None, as_json: bool) -> None:
    """Make a key. It is shown once and stored nowhere."""
    with opened() as kb:
        expires_at = int(kb.clock()) + days * 86400 if days else None
        wanted = frozenset(Scope(scope) for scope in scopes)
        issued = accounts.issue_key(kb, name, wanted, expires_at, COMMAND_LINE.id)
    Out(as_json).data(asdict(issued), issued.key)


@key.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """Show all keys, without their secrets."""
    with opened() as kb, kb.database.read() as session:
        found = people.keys(session)
    rows = [{k: v for k, v in asdict(entry).items() if k != "secret_hash"} for entry in found]
    lines = [f"{r['id']}\t{r['name']}\t{','.join(r['scopes'])}{' (revoked)' * bool(r['revoked_at'])}" for r in rows]
    Out(as_json).data(rows, "\n".join(lines))


@key.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Make a key useless at once."""
    with opened() as kb:
        accounts.revoke_key(kb, key_id, COMMAND_LINE.id)
    Out(False).say(f"key {key_id} is revoked")
