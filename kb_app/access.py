"""Who asks, and the one predicate that decides what they may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from kb_app.errors import Forbidden
from kb_app.store import articles, tickets
from kb_app.store.articles import Facts, State
from kb_app.store.database import Database
from search.types import Audience, DocumentRef, Kind, Visible


class Role(IntEnum):
    """What a person may do; each role may do everything below it."""

    AGENT = 1
    EDITOR = 2
    REVIEWER = 3
    ADMIN = 4


class Scope(StrEnum):
    """What a bot's key may be used for."""

    SEARCH = "search"
    FEEDBACK = "feedback"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a person with a role, or a bot with scopes. `id` is what logs show."""

    id: str
    name: str
    role: Role | None = None
    scopes: frozenset[Scope] = frozenset()

    @property
    def is_staff(self) -> bool:
        """People see internal content and tickets; bots never do."""
        return self.role is not None

    @property
    def audience(self) -> Audience:
        """The strictest audience this principal may read."""
        return Audience.INTERNAL if self.is_staff else Audience.PUBLIC

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of documents this principal may find."""
        return tuple(kind for kind in Kind if self.is_staff or kind is not Kind.TICKET)


ANYBODY = Principal("anybody", "anybody")
COMMAND_LINE = Principal("cli", "kb", Role.ADMIN)


def require(principal: Principal, scope: Scope) -> None:
    """`Forbidden` for a key without the scope; people have every scope."""
    if not principal.is_staff and scope not in principal.scopes:
        raise Forbidden(f"this key may not be used for {scope.value}", f"Create one with --scope {scope.value}.")


def may_see(principal: Principal, facts: Facts, now: float) -> bool:
    """The visibility predicate: bots see what is public, published and in force; agents also what is internal;
    editors everything."""
    is_editor = principal.role is not None and principal.role >= Role.EDITOR
    return is_editor or may_be_offered(principal, facts, now)


def may_be_offered(principal: Principal, facts: Facts, now: float) -> bool:
    """Whether it may stand in an answer or be sent: editors read drafts and what is out of force, but find neither."""
    in_force = facts.valid_from <= now < facts.valid_until
    return facts.state is State.PUBLISHED and in_force and facts.audience <= principal.audience


def visible_to(principal: Principal, database: Database, now: float) -> Visible:
    """The predicate over search candidates, asked of the database and never of the index.

    Others than staff see a document only in its current version: what an older one said may have become internal.
    """

    def visible(refs: Iterable[DocumentRef]) -> frozenset[DocumentRef]:
        wanted = list(refs)
        with database.read() as session:
            known = articles.facts(session, (ref.id for ref in wanted if not ref.id.startswith("t_")))
            seen = tickets.versions(session, (ref.id for ref in wanted if ref.id.startswith("t_")))
        return frozenset(ref for ref in wanted if _sees(principal, ref, known, seen, now))

    return visible


def _sees(principal: Principal, ref: DocumentRef, known: dict[str, Facts], seen: dict[str, int], now: float) -> bool:
    if ref.id in seen:
        return principal.is_staff
    facts = known.get(ref.id)
    if facts is None or not may_be_offered(principal, facts, now):
        return False
    return principal.is_staff or ref.version == facts.version
