"""kb user."""

from __future__ import annotations

import click

from kb_app import accounts
from kb_app.access import COMMAND_LINE, Role
from kb_app.accounts import NewUser
from kb_app.cli.console import Out, json_option, opened
from kb_app.store import people

_password = click.option(
    "--password", envvar="KB_USER_PASSWORD", prompt=True, hide_input=True, confirmation_prompt=True,
    help="Asked for when not given; or from KB_USER_PASSWORD.",
)  # fmt: skip


@click.group()
def user() -> None:
    """People who sign in."""


@user.command()
@click.argument("login")
@click.option("--name", help="Shown to others; by default the login.")
@click.option("--role", type=click.Choice([role.name.lower() for role in Role]), default="agent", show_default=True,
              help="What the person may do; each role may do everything before it.")  # fmt: skip
@_password
@json_option
def create(login: str, name: str | None, role: str, password: str, as_json: bool) -> None:
    """Let somebody in."""
    with opened() as kb:
        made = accounts.create_user(kb, NewUser(login, name or login, Role[role.upper()], password), COMMAND_LINE.id)
    Out(as_json).data({"login": made.login, "role": made.role}, f"{made.login} may sign in as {made.role}")


@user.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """Show who may sign in."""
    with opened() as kb, kb.database.read() as session:
        found = people.users(session)
    rows = [{"login": u.login, "name": u.name, "role": u.role, "disabled": u.disabled} for u in found]
    Out(as_json).data(rows, "\n".join(f"{r['login']}\t{r['role']}{' (disabled)' * r['disabled']}" for r in rows))


@user.command()
@click.argument("login")
@_password
def password(login: str, password: str) -> None:
    """Set a new password; every session of the user ends."""
    with opened() as kb:
        accounts.set_password(kb, login, password, COMMAND_LINE.id)
    Out(False).say(f"password of {login} changed")


@user.command()
@click.argument("login")
def disable(login: str) -> None:
    """Shut somebody out at once."""
    with opened() as kb:
        accounts.set_disabled(kb, login, True, COMMAND_LINE.id)
    Out(False).say(f"{login} is shut out")


@user.command()
@click.argument("login")
def enable(login: str) -> None:
    """Let somebody in again."""
    with opened() as kb:
        accounts.set_disabled(kb, login, False, COMMAND_LINE.id)
    Out(False).say(f"{login} may sign in")
