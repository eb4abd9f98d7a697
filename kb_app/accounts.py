"""People who sign in and keys for bots."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kb_app.access import Principal, Role, Scope
from kb_app.clock import stamp
from kb_app.errors import BadInput, Conflict, NotFound, NotSignedIn, TooMany
from kb_app.kb import Kb
from kb_app.store import journal, people
from kb_app.store.people import Key, User

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
FREE_FAILURES = 5
LOCK_SECONDS = 60
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
_KEY = re.compile(r"kb_([a-z0-9]{10})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class NewUser:
    """A person to let in."""

    login: str
    name: str
    role: Role
    password: str


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key as it is shown once."""

    id: str
    key: str


def create_user(kb: Kb, new: NewUser, actor: str) -> User:
    """Create a user; `BadInput` or `Conflict` says what to change."""
    if not _LOGIN.fullmatch(new.login):
        raise BadInput(f"{new.login!r} cannot be a login", "Use lower-case letters, digits, dots and hyphens.")
    check_password(new.password)
    at = stamp(kb.clock)
    user = User(0, new.login, new.name, new.role.name.lower(), _hasher().hash(new.password), False, 0, 0, at)
    with kb.database.write() as session:
        if people.user_by_login(session, new.login):
            raise Conflict(f"there is a user {new.login} already", "Choose another login.")
        stored = people.add_user(session, user)
        journal.record(session, at, actor, "user.created", new.login, role=user.role)
    return stored


def check_password(password: str) -> None:
    """`BadInput` unless the password has a length that is worth guessing at."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadInput(
            f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters", "A sentence makes a good password."
        )


def first_administrator(kb: Kb) -> tuple[str, Path | None] | None:
    """Create `admin` when there are no users yet: (login, file with the password or None when it was given).

    None when there are users already.
    """
    with kb.database.read() as session:
        if people.count_users(session):
            return None
    password, path = kb.settings.admin_password, None
    if not password:
        password = secrets.token_urlsafe(15)
        path = _write_secret(kb.settings.home / "admin-password.txt", password)
    create_user(kb, NewUser("admin", "管理员", Role.ADMIN, password), "init")
    return "admin", path


def sign_in(kb: Kb, login: str, password: str) -> str:
    """A new session's cookie; `NotSignedIn` never tells whether the login exists, `TooMany` slows guessing."""
    now = int(kb.clock())
    with kb.database.read() as session:
        user = people.user_by_login(session, login.strip().lower())
    if user and user.locked_until > now:
        raise TooMany("too many failed attempts for this account", "Wait a minute, then try again.")
    # An unknown login is checked against a hash as well, so that both take the same time.
    good = _matches(user.password_hash if user else _nobody(), password)
    if user is None or user.disabled or not good:
        _note_failure(kb, user, now)
        raise NotSignedIn("login or password is wrong", "Check both and try again.")
    return _open_session(kb, user, now)


def sign_out(kb: Kb, token: str) -> None:
    """End the session of a cookie."""
    with kb.database.write() as session:
        people.end_session(session, _digest(token))


def person(kb: Kb, token: str) -> Principal | None:
    """Who a cookie belongs to, or None."""
    with kb.database.read() as session:
        user = people.session_user(session, _digest(token), int(kb.clock()))
    return Principal(f"user:{user.login}", user.name, Role[user.role.upper()]) if user else None


def issue_key(kb: Kb, name: str, scopes: frozenset[Scope], expires_at: int | None, actor: str) -> IssuedKey:
    """Create a key; the secret part is returned here and nowhere else."""
    if not name.strip():
        raise BadInput("a key needs a name", "Name the bot that will use it.")
    key_id = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(10))
    secret = secrets.token_urlsafe(32)
    at = stamp(kb.clock)
    key = Key(key_id, name.strip(), _digest(secret), tuple(sorted(scopes)), at, expires_at, None)
    with kb.database.write() as session:
        people.add_key(session, key)
        journal.record(session, at, actor, "key.created", key_id, name=key.name, scopes=list(key.scopes))
    return IssuedKey(key_id, f"kb_{key_id}_{secret}")


def revoke_key(kb: Kb, key_id: str, actor: str) -> None:
    """Make a key useless; `NotFound` when there is none."""
    at = stamp(kb.clock)
    with kb.database.write() as session:
        if people.key(session, key_id) is None:
            raise NotFound(f"there is no key {key_id}", "`kb key list` shows them.")
        people.revoke_key(session, key_id, at)
        journal.record(session, at, actor, "key.revoked", key_id)


def bot(kb: Kb, bearer: str) -> Principal:
    """Who a key belongs to; `NotSignedIn` when it is wrong, expired or revoked."""
    match = _KEY.fullmatch(bearer)
    wrong = NotSignedIn("this key is not valid", "Send `Authorization: Bearer kb_…` with a key from `kb key create`.")
    if not match:
        raise wrong
    with kb.database.read() as session:
        key = people.key(session, match[1])
    good = hmac.compare_digest(key.secret_hash if key else _digest(""), _digest(match[2]))
    if key is None or not good or key.revoked_at or (key.expires_at is not None and key.expires_at <= kb.clock()):
        raise wrong
    return Principal(f"key:{key.id}", key.name, None, frozenset(Scope(scope) for scope in key.scopes))


def set_password(kb: Kb, login: str, password: str, actor: str) -> None:
    """Change a password and end the user's sessions."""
    check_password(password)
    at = stamp(kb.clock)
    with kb.database.write() as session:
        user = people.user_by_login(session, login)
        if user is None:
            raise NotFound(f"there is no user {login}", "`kb user list` shows them.")
        people.set_password(session, user.id, _hasher().hash(password))
        journal.record(session, at, actor, "user.password_changed", login)


def set_disabled(kb: Kb, login: str, disabled: bool, actor: str) -> None:
    """Shut a user out at once, or let them in again."""
    at = stamp(kb.clock)
    with kb.database.write() as session:
        user = people.user_by_login(session, login)
        if user is None:
            raise NotFound(f"there is no user {login}", "`kb user list` shows them.")
        people.set_disabled(session, user.id, disabled)
        journal.record(session, at, actor, "user.disabled" if disabled else "user.enabled", login)


def secret_key(kb: Kb) -> str:
    """What signs cookies: the setting, or one made once and kept in KB_HOME."""
    if kb.settings.secret_key:
        return kb.settings.secret_key
    path = kb.settings.home / "secret.key"
    if not path.exists():
        _write_secret(path, secrets.token_urlsafe(48))
    return path.read_text("ascii")


def _open_session(kb: Kb, user: User, now: int) -> str:
    token = secrets.token_urlsafe(32)
    at = stamp(kb.clock)
    with kb.database.write() as session:
        people.drop_expired(session, now)
        people.note_attempt(session, user.id, 0, 0)
        people.add_session(session, _digest(token), user.id, at, now + kb.settings.session_hours * 3600)
        journal.record(session, at, f"user:{user.login}", "session.opened", user.login)
    return token


def _note_failure(kb: Kb, user: User | None, now: int) -> None:
    if user is None:
        return
    failures = user.failures + 1
    locked_until = now + LOCK_SECONDS if failures % FREE_FAILURES == 0 else 0
    with kb.database.write() as session:
        people.note_attempt(session, user.id, failures, locked_until)
        journal.record(session, stamp(kb.clock), f"user:{user.login}", "session.refused", user.login)


def _write_secret(path: Path, text: str) -> Path:
    """A file only its owner can read, made in one step so that it is never readable by others."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        # Another process may have made one meanwhile: the first stays.
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        beside.unlink()
    return path


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _hasher().verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@cache
def _nobody() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))
