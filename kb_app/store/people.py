"""Users, sessions and keys."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from kb_app.store.tables import KeyRow, SessionRow, UserRow


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in."""

    id: int
    login: str
    name: str
    role: str
    password_hash: str
    disabled: bool
    failures: int
    locked_until: int
    created_at: str


@dataclass(frozen=True, slots=True)
class Key:
    """A bot's key; `expires_at` in epoch seconds, None for never."""

    id: str
    name: str
    secret_hash: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: int | None
    revoked_at: str | None


def add_user(session: Session, user: User) -> User:
    """Store a new user; the id given is ignored."""
    row = UserRow(**{name: getattr(user, name) for name in User.__dataclass_fields__ if name != "id"})
    session.add(row)
    session.flush()
    return _user(row)


def user_by_login(session: Session, login: str) -> User | None:
    """The user by the name they sign in with."""
    row = session.scalar(select(UserRow).where(UserRow.login == login))
    return _user(row) if row else None


def users(session: Session) -> list[User]:
    """All users by login."""
    return [_user(row) for row in session.scalars(select(UserRow).order_by(UserRow.login))]


def count_users(session: Session) -> int:
    """How many users there are."""
    return session.scalar(select(func.count()).select_from(UserRow)) or 0


def set_disabled(session: Session, user_id: int, disabled: bool) -> None:
    """Shut a user out, ending their sessions, or let them in again."""
    session.get_one(UserRow, user_id).disabled = disabled
    if disabled:
        end_sessions(session, user_id)


def set_password(session: Session, user_id: int, password_hash: str) -> None:
    """Change the password and end every session."""
    row = session.get_one(UserRow, user_id)
    row.password_hash, row.failures, row.locked_until = password_hash, 0, 0
    end_sessions(session, user_id)


def note_attempt(session: Session, user_id: int, failures: int, locked_until: int) -> None:
    """Count a failed sign-in, or forget them after a good one."""
    row = session.get_one(UserRow, user_id)
    row.failures, row.locked_until = failures, locked_until


def add_session(session: Session, token_hash: str, user_id: int, created_at: str, expires_at: int) -> None:
    """Store a sign-in."""
    session.add(SessionRow(token_hash=token_hash, user_id=user_id, created_at=created_at, expires_at=expires_at))


def session_user(session: Session, token_hash: str, now: int) -> User | None:
    """Whose session this is, if it is still good and the user may sign in."""
    query = (
        select(UserRow)
        .join(SessionRow, SessionRow.user_id == UserRow.id)
        .where(SessionRow.token_hash == token_hash, SessionRow.expires_at > now, UserRow.disabled.is_(False))
    )
    row = session.scalar(query)
    return _user(row) if row else None


def end_session(session: Session, token_hash: str) -> None:
    """Sign out."""
    session.execute(delete(SessionRow).where(SessionRow.token_hash == token_hash))


def end_sessions(session: Session, user_id: int) -> None:
    """Sign a user out everywhere."""
    session.execute(delete(SessionRow).where(SessionRow.user_id == user_id))


def drop_expired(session: Session, now: int) -> None:
    """Forget sessions that have run out."""
    session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))


def add_key(session: Session, key: Key) -> None:
    """Store a new key."""
    values = {name: getattr(key, name) for name in Key.__dataclass_fields__}
    session.add(KeyRow(**values | {"scopes": list(key.scopes)}))


def key(session: Session, key_id: str) -> Key | None:
    """The key by its public id."""
    row = session.get(KeyRow, key_id)
    return _key(row) if row else None


def keys(session: Session) -> list[Key]:
    """All keys, oldest first."""
    return [_key(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.created_at, KeyRow.id))]


def revoke_key(session: Session, key_id: str, at: str) -> None:
    """Make a key useless from now on."""
    session.get_one(KeyRow, key_id).revoked_at = at


def _user(row: UserRow) -> User:
    return User(**{name: getattr(row, name) for name in User.__dataclass_fields__})


def _key(row: KeyRow) -> Key:
    values = {name: getattr(row, name) for name in Key.__dataclass_fields__}
    return Key(**values | {"scopes": tuple(row.scopes)})
