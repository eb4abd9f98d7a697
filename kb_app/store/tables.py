"""The tables: knowledge and people in one database file, traffic in another."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Knowledge(DeclarativeBase):
    """What must never be lost: synchronous=FULL."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {list[str]: JSON, dict[str, Any]: JSON, list[dict[str, Any]]: JSON}  # noqa: RUF012


class Traffic(DeclarativeBase):
    """What people asked and did: synchronous=NORMAL, so that logging never delays an editor."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {list[str]: JSON, dict[str, Any]: JSON}  # noqa: RUF012


class ArticleRow(Knowledge):
    """An article, script or announcement as it is now; its texts are in its versions."""

    __tablename__ = "articles"
    id: Mapped[str] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    category: Mapped[str] = mapped_column(ForeignKey("categories.slug"), index=True)
    state: Mapped[str] = mapped_column(index=True)
    audience: Mapped[str]
    version: Mapped[int]
    product: Mapped[str]
    owner: Mapped[str]
    review_every: Mapped[int]
    valid_from: Mapped[int]
    valid_until: Mapped[int]
    verified_by: Mapped[str | None]
    verified_at: Mapped[str | None]
    source_path: Mapped[str | None] = mapped_column(unique=True)
    synced_hash: Mapped[str | None]
    synced_version: Mapped[int | None]
    created_at: Mapped[str]
    updated_at: Mapped[str]


class VersionRow(Knowledge):
    """One version of an article; never changed once written."""

    __tablename__ = "article_versions"
    __table_args__ = (UniqueConstraint("article_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[str] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"))
    number: Mapped[int]
    title: Mapped[str]
    summary: Mapped[str]
    tags: Mapped[list[str]]
    questions: Mapped[list[str]]
    markdown: Mapped[str]
    html_public: Mapped[str]
    html_internal: Mapped[str]
    author: Mapped[str]
    reason: Mapped[str]
    created_at: Mapped[str]


class ScriptRow(Knowledge):
    """What a version of a script adds to its text: variables, a variant per channel, its article."""

    __tablename__ = "scripts"
    article_id: Mapped[str] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    variables: Mapped[list[dict[str, Any]]]
    channels: Mapped[dict[str, Any]]
    source: Mapped[str]


class SlugAliasRow(Knowledge):
    """A slug an article had before; its links go on working."""

    __tablename__ = "slug_aliases"
    slug: Mapped[str] = mapped_column(primary_key=True)
    article_id: Mapped[str] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"))


class CategoryRow(Knowledge):
    """A category; articles name it by slug."""

    __tablename__ = "categories"
    slug: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    name_en: Mapped[str]
    position: Mapped[int]


class TicketRow(Knowledge):
    """A resolved ticket with personal data already masked."""

    __tablename__ = "tickets"
    __table_args__ = (UniqueConstraint("source", "external_id"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str]
    external_id: Mapped[str]
    version: Mapped[int]
    subject: Mapped[str]
    question: Mapped[str]
    resolution: Mapped[str]
    turns: Mapped[list[dict[str, Any]]]
    category: Mapped[str]
    tags: Mapped[list[str]]
    channel: Mapped[str]
    satisfaction: Mapped[int | None]
    opened_at: Mapped[str]
    resolved_at: Mapped[str]
    content_hash: Mapped[str]
    imported_at: Mapped[str]


class ConflictRow(Knowledge):
    """A file and an article that both changed since the last sync, with the file's side kept."""

    __tablename__ = "sync_conflicts"
    source_path: Mapped[str] = mapped_column(primary_key=True)
    article_id: Mapped[str] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"))
    file_text: Mapped[str]
    file_hash: Mapped[str]
    found_at: Mapped[str]


class UserRow(Knowledge):
    """A person who signs in."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str]
    disabled: Mapped[bool] = mapped_column(default=False)
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[str]


class SessionRow(Knowledge):
    """A sign-in. Only a hash of the cookie is kept."""

    __tablename__ = "sessions"
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[str]
    expires_at: Mapped[int]


class KeyRow(Knowledge):
    """A bot's key. Only a hash of the secret is kept."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    secret_hash: Mapped[str]
    scopes: Mapped[list[str]]
    created_at: Mapped[str]
    expires_at: Mapped[int | None]
    revoked_at: Mapped[str | None]


class OutboxRow(Knowledge):
    """A change that the index, the files and others have yet to follow, in order."""

    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(primary_key=True)
    topic: Mapped[str]
    subject: Mapped[str]
    created_at: Mapped[str]
    __table_args__ = ({"sqlite_autoincrement": True},)


class AuditRow(Knowledge):
    """Who did what; each row holds the hash of the one before, so that a removed row shows."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]
    previous: Mapped[str]
    hash: Mapped[str]
    __table_args__ = ({"sqlite_autoincrement": True},)


class QueryRow(Traffic):
    """A finished question and its answer, personal data masked."""

    __tablename__ = "queries"
    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[str] = mapped_column(index=True)
    principal: Mapped[str]
    text: Mapped[str]
    decision: Mapped[str]
    confidence: Mapped[float]
    hits: Mapped[list[str]]
    total_ms: Mapped[float]


class FeedbackRow(Traffic):
    """What somebody did with a hit."""

    __tablename__ = "feedback"
    __table_args__ = (Index("ix_feedback_hit_event", "hit_id", "event"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str]
    principal: Mapped[str]
    query_id: Mapped[str] = mapped_column(index=True)
    hit_id: Mapped[str]
    event: Mapped[str]
    text: Mapped[str]
    note: Mapped[str]
