"""Articles, scripts and announcements with their versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from indexer.articles import ArticleFile, State, Variable
from kb_app.store.tables import ArticleRow, CategoryRow, ConflictRow, ScriptRow, SlugAliasRow, VersionRow
from search.types import Audience, Kind

BATCH = 200


_KINDS = {kind.value: kind for kind in Kind}
_STATES = {state.value: state for state in State}
_AUDIENCES = {audience.name.lower(): audience for audience in Audience}


class Facts(NamedTuple):
    """All that visibility depends on."""

    id: str
    kind: Kind
    state: State
    audience: Audience
    version: int
    valid_from: int
    valid_until: int


@dataclass(frozen=True, slots=True)
class StoredArticle:
    """An article with the fields and texts of its current version."""

    facts: Facts
    slug: str
    content: ArticleFile
    html_public: str
    html_internal: str
    verified_by: str | None
    verified_at: str | None
    source_path: str | None
    synced_hash: str | None
    synced_version: int | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Html:
    """The two renderings of a version."""

    public: str
    internal: str


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to store and where it comes from."""

    article_id: str
    slug: str
    content: ArticleFile
    html: Html
    author: str
    reason: str
    at: str
    source_path: str | None = None
    synced_hash: str | None = None


def save(session: Session, new: NewVersion) -> int:
    """Store a version, making the article if it is new; its number."""
    row = session.get(ArticleRow, new.article_id)
    number = row.version + 1 if row else 1
    _ensure_category(session, new.content.category)
    if row is None:
        row = ArticleRow(id=new.article_id, slug=new.slug, created_at=new.at)
        session.add(row)
    elif row.slug != new.slug:
        session.merge(SlugAliasRow(slug=row.slug, article_id=row.id))
    _fill(row, new, number)
    session.flush()
    session.add(_version_row(new, number))
    if new.content.kind is Kind.SCRIPT:
        session.add(_script_row(new, number))
    return number


def get(session: Session, article_id: str) -> StoredArticle | None:
    """The article by its permanent id."""
    return next(_stored(session, _current().where(ArticleRow.id == article_id)), None)


def among(session: Session, ids: Iterable[str]) -> dict[str, StoredArticle]:
    """Those of some articles that there are, by id, in the order asked."""
    wanted = list(dict.fromkeys(ids))
    found = {article.facts.id: article for article in _stored(session, _current().where(ArticleRow.id.in_(wanted)))}
    return {key: found[key] for key in wanted if key in found}


def by_slug(session: Session, slug: str) -> StoredArticle | None:
    """The article by its slug, or by one it had before."""
    found = next(_stored(session, _current().where(ArticleRow.slug == slug)), None)
    if found:
        return found
    alias = session.get(SlugAliasRow, slug)
    return get(session, alias.article_id) if alias else None


def every(session: Session) -> Iterator[StoredArticle]:
    """All articles in a stable order, read in batches."""
    return _stored(session, _current().order_by(ArticleRow.id))


def published(session: Session) -> Iterator[StoredArticle]:
    """What may be indexed."""
    return _stored(session, _current().where(ArticleRow.state == State.PUBLISHED).order_by(ArticleRow.id))


def published_among(session: Session, ids: Sequence[str]) -> Iterator[StoredArticle]:
    """Those of some articles that may be indexed."""
    return _stored(session, _current().where(ArticleRow.state == State.PUBLISHED, ArticleRow.id.in_(ids)))


def count_published(session: Session) -> int:
    """How many articles may be indexed."""
    return session.scalar(select(func.count()).where(ArticleRow.state == State.PUBLISHED)) or 0


def unsynced(session: Session) -> list[StoredArticle]:
    """Articles with a file that says something else than their current version."""
    behind = ArticleRow.synced_version.is_(None) | (ArticleRow.synced_version != ArticleRow.version)
    return list(_stored(session, _current().where(ArticleRow.source_path.is_not(None), behind)))


def names_of(article: StoredArticle) -> tuple[str, str, str]:
    """What a script may call the article it comes from: its id, its slug, or category/slug."""
    return article.facts.id, article.slug, f"{article.content.category}/{article.slug}"


def scripts_of(session: Session, source: Sequence[str]) -> list[StoredArticle]:
    """Scripts tied to an article, named by any of `source`, see `names_of`."""
    # The few scripts are looked through first: joined at once, SQLite goes through every article.
    ids = session.scalars(select(ScriptRow.article_id).where(ScriptRow.source.in_(source)).distinct()).all()
    if not ids:
        return []
    query = _current().where(ArticleRow.id.in_(ids), ScriptRow.source.in_(source)).order_by(ArticleRow.id)
    return list(_stored(session, query))


def facts(session: Session, ids: Iterable[str]) -> dict[str, Facts]:
    """The facts of some articles; ids that are no article are left out."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    columns = (
        ArticleRow.id,
        ArticleRow.kind,
        ArticleRow.state,
        ArticleRow.audience,
        ArticleRow.version,
        ArticleRow.valid_from,
        ArticleRow.valid_until,
    )
    rows = session.execute(select(*columns).where(ArticleRow.id.in_(wanted)))
    # Asked for every key that is pressed, about a hundred documents: tuples are unpacked, not asked by name.
    return {
        key: Facts(key, _KINDS[kind], _STATES[state], _AUDIENCES[audience], version, since, until)
        for key, kind, state, audience, version, since, until in rows
    }


@dataclass(frozen=True, slots=True)
class Synced:
    """What the last sync knew of an article that has a file."""

    id: str
    slug: str
    source_path: str
    synced_hash: str | None
    synced_version: int | None
    version: int
    state: State


def synced(session: Session) -> list[Synced]:
    """Every article that has a file."""
    rows = session.scalars(select(ArticleRow).where(ArticleRow.source_path.is_not(None)))
    return [
        Synced(r.id, r.slug, r.source_path or "", r.synced_hash, r.synced_version, r.version, State(r.state))
        for r in rows
    ]


def mark_synced(session: Session, article_id: str, source_path: str, file_hash: str | None) -> None:
    """Note that the file and the article say the same; None when there is no file any more."""
    row = session.get_one(ArticleRow, article_id)
    row.source_path, row.synced_hash, row.synced_version = source_path, file_hash, row.version


def set_state(session: Session, article_id: str, state: State, at: str) -> None:
    """Change only the state."""
    row = session.get_one(ArticleRow, article_id)
    row.state, row.updated_at = state.value, at


def slug_owners(session: Session) -> dict[str, str]:
    """The id of every article by its slug."""
    return {row.slug: row.id for row in session.execute(select(ArticleRow.slug, ArticleRow.id))}


def slug_owner(session: Session, slug: str) -> str | None:
    """The id of the article that has this slug now."""
    return session.scalar(select(ArticleRow.id).where(ArticleRow.slug == slug))


@dataclass(frozen=True, slots=True)
class Kept:
    """The file's side of a conflict."""

    source_path: str
    article_id: str
    file_text: str
    file_hash: str
    found_at: str


def keep_conflict(session: Session, kept: Kept) -> None:
    """Keep the file's side of a conflict for the editors."""
    session.merge(ConflictRow(**asdict(kept)))


def drop_conflict(session: Session, source_path: str) -> None:
    """Forget a conflict that is settled."""
    row = session.get(ConflictRow, source_path)
    if row:
        session.delete(row)


def conflicts(session: Session) -> list[tuple[str, str]]:
    """(file path, article id) of every conflict."""
    return [(row.source_path, row.article_id) for row in session.scalars(select(ConflictRow))]


@dataclass(frozen=True, slots=True)
class Category:
    """A category and how many articles of each visibility it holds."""

    slug: str
    name: str
    name_en: str


def categories(session: Session) -> list[Category]:
    """All categories in their order."""
    rows = session.scalars(select(CategoryRow).order_by(CategoryRow.position, CategoryRow.slug))
    return [Category(row.slug, row.name, row.name_en) for row in rows]


def name_categories(session: Session, names: Sequence[Category]) -> None:
    """Give categories their names and order; those that have names keep them."""
    for position, category in enumerate(names):
        row = session.get(CategoryRow, category.slug)
        if row is None or row.name == row.slug:
            session.merge(
                CategoryRow(slug=category.slug, name=category.name, name_en=category.name_en, position=position)
            )


def count(session: Session) -> dict[str, int]:
    """How many articles there are, by kind."""
    return {
        key: value for key, value in session.execute(select(ArticleRow.kind, func.count()).group_by(ArticleRow.kind))
    }


def _current() -> Select[tuple[ArticleRow, VersionRow, ScriptRow]]:
    return (
        select(ArticleRow, VersionRow, ScriptRow)
        .join(VersionRow, (VersionRow.article_id == ArticleRow.id) & (VersionRow.number == ArticleRow.version))
        .outerjoin(ScriptRow, (ScriptRow.article_id == ArticleRow.id) & (ScriptRow.number == ArticleRow.version))
    )


def _stored(session: Session, query: Select[tuple[ArticleRow, VersionRow, ScriptRow]]) -> Iterator[StoredArticle]:
    for row, version, script in session.execute(query).yield_per(BATCH):
        yield StoredArticle(
            facts=_facts(row),
            slug=row.slug,
            content=_content(row, version, script),
            html_public=version.html_public,
            html_internal=version.html_internal,
            verified_by=row.verified_by,
            verified_at=row.verified_at,
            source_path=row.source_path,
            synced_hash=row.synced_hash,
            synced_version=row.synced_version,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


def _facts(row: ArticleRow) -> Facts:
    audience = Audience[row.audience.upper()]
    return Facts(row.id, Kind(row.kind), State(row.state), audience, row.version, row.valid_from, row.valid_until)


def _content(row: ArticleRow, version: VersionRow, script: ScriptRow | None) -> ArticleFile:
    return ArticleFile(
        id=row.id,
        title=version.title,
        body=version.markdown,
        category=row.category,
        kind=Kind(row.kind),
        summary=version.summary,
        tags=tuple(version.tags),
        product=row.product,
        audience=Audience[row.audience.upper()],
        state=State(row.state),
        owner=row.owner,
        questions=tuple(version.questions),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        review_every=row.review_every,
        variables=tuple(Variable(**variable) for variable in script.variables) if script else (),
        channels=dict(script.channels) if script else {},
        source=script.source if script else "",
    )


def _fill(row: ArticleRow, new: NewVersion, number: int) -> None:
    content = new.content
    row.slug, row.kind, row.category = new.slug, content.kind.value, content.category
    row.state, row.audience, row.version = content.state.value, content.audience.name.lower(), number
    row.product, row.owner, row.review_every = content.product, content.owner, content.review_every
    row.valid_from, row.valid_until, row.updated_at = content.valid_from, content.valid_until, new.at
    if new.source_path:
        row.source_path, row.synced_hash, row.synced_version = new.source_path, new.synced_hash, number


def _version_row(new: NewVersion, number: int) -> VersionRow:
    content = new.content
    return VersionRow(
        article_id=new.article_id,
        number=number,
        title=content.title,
        summary=content.summary,
        tags=list(content.tags),
        questions=list(content.questions),
        markdown=content.body,
        html_public=new.html.public,
        html_internal=new.html.internal,
        author=new.author,
        reason=new.reason,
        created_at=new.at,
    )


def _script_row(new: NewVersion, number: int) -> ScriptRow:
    return ScriptRow(
        article_id=new.article_id,
        number=number,
        variables=[{"name": variable.name, "example": variable.example} for variable in new.content.variables],
        channels=dict(new.content.channels),
        source=new.content.source,
    )


def _ensure_category(session: Session, slug: str) -> None:
    if session.get(CategoryRow, slug) is None:
        session.add(CategoryRow(slug=slug, name=slug, name_en=slug, position=1000))
        session.flush()
