"""Numbers per passage that filters work on, and the masks computed from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from search.types import FOREVER, BoolArray, Document, Filter, IntArray, Kind, Passage, Query

KINDS = tuple(Kind)
ROW = np.dtype(
    [
        ("document", "<i4"),
        ("kind", "i1"),
        ("audience", "i1"),
        ("role", "i1"),
        ("category", "<i2"),
        ("product", "<i2"),
        ("valid_from", "<i8"),
        ("valid_until", "<i8"),
    ]
)


@dataclass(frozen=True, slots=True)
class Codes:
    """Small integers for the names that may be filtered by; the order is the code."""

    categories: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def including(self, documents: Iterable[Document]) -> Codes:
        """The same with a code for every name used in `documents`; names that have one keep it."""
        categories, products, tags = (dict.fromkeys(names) for names in (self.categories, self.products, self.tags))
        for document in documents:
            categories[document.category] = None
            products[document.product] = None
            tags.update(dict.fromkeys(document.tags))
        return Codes(tuple(categories), tuple(products), tuple(tags))


def filter_of(query: Query, codes: Codes) -> Filter:
    """The query's filter in codes; names the index does not know match nothing."""
    return Filter(
        audience=query.audience,
        now=query.now,
        kinds=frozenset(query.kinds),
        categories=_coded(query.categories, codes.categories),
        products=_coded(query.products, codes.products),
        tags=_coded(query.tags, codes.tags),
    )


def _coded(names: Sequence[str], known: Sequence[str]) -> frozenset[int] | None:
    if not names:
        return None
    return frozenset(known.index(name) for name in names if name in known)


def rows_of(documents: Sequence[Document], passages: Sequence[Sequence[Passage]], codes: Codes) -> NDArray[np.void]:
    """One row per passage, in document order."""
    category = {name: code for code, name in enumerate(codes.categories)}
    product = {name: code for code, name in enumerate(codes.products)}
    rows = [
        (
            number,
            KINDS.index(document.kind),
            max(document.audience, passage.audience),
            passage.role,
            category[document.category],
            product[document.product],
            document.valid_from,
            document.valid_until,
        )
        for number, (document, own) in enumerate(zip(documents, passages, strict=True))
        for passage in own
    ]
    return np.array(rows, dtype=ROW)


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter and the passages it allows: engines use whichever they can."""

    where: Filter
    allowed: BoolArray
    none: bool

    def part(self, start: int, end: int) -> Selection:
        """The same for a run of passages, which are then counted from 0."""
        allowed = self.allowed[start:end]
        return Selection(self.where, allowed, self.none or not allowed.any())


@dataclass(frozen=True, slots=True)
class _Cached:
    since: int
    until: int
    selection: Selection


class Columns:
    """The columns of one generation, with masks cached until the clock passes a validity date.

    `tags` are (tag, document) pairs. Documents in `dead` have been replaced or taken out: no filter allows them.
    """

    def __init__(self, rows: NDArray[np.void], tags: IntArray, dead: Iterable[int] = ()) -> None:
        self.rows = rows
        self._tags = tags
        self._dead = np.array(sorted(dead), dtype=np.int64)
        self._masks: dict[Filter, _Cached] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def documents(self) -> NDArray[np.int32]:
        """The document of each passage."""
        return np.ascontiguousarray(self.rows["document"])

    @cached_property
    def roles(self) -> NDArray[np.int8]:
        """The role of each passage."""
        return np.ascontiguousarray(self.rows["role"])

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """First passage of each document, and one past the last at the end."""
        count = int(self.documents[-1]) + 1 if len(self.rows) else 0
        return np.searchsorted(self.documents, np.arange(count + 1, dtype=np.int32)).astype(np.int64)

    def documents_of(self, selection: Selection) -> Selection:
        """The same by document: one is allowed when its title is."""
        allowed = selection.allowed[self.first[:-1]]
        return Selection(selection.where, allowed, not allowed.any())

    def without_tickets(self, selection: Selection) -> Selection:
        """The same passages but for those of tickets."""
        allowed = selection.allowed & self._not_tickets
        return Selection(selection.where, allowed, not allowed.any())

    @cached_property
    def _not_tickets(self) -> BoolArray:
        others: BoolArray = self.rows["kind"] != KINDS.index(Kind.TICKET)
        return others

    @cached_property
    def _edges(self) -> NDArray[np.int64]:
        begins, ends = self.rows["valid_from"], self.rows["valid_until"]
        # Most begin at 0 and never end; sorting all of them would take longer than the mask.
        return np.unique(np.concatenate([[0, FOREVER], begins[begins != 0], ends[ends != FOREVER]]))

    @cached_property
    def _alive(self) -> BoolArray:
        alive = np.ones(len(self.first) - 1, dtype=np.bool_)
        alive[self._dead] = False
        of_passage: BoolArray = alive[self.documents]
        return of_passage

    def select(self, where: Filter) -> Selection:
        """The passages that `where` allows at `where.now`."""
        key = replace(where, now=0)
        with self._lock:
            cached = self._masks.get(key)
        if cached and cached.since <= where.now < cached.until:
            return cached.selection
        allowed = self._allowed(where)
        selection = Selection(where, allowed, not allowed.any())
        with self._lock:
            if len(self._masks) > 256:
                self._masks.clear()
            self._masks[key] = _Cached(*self._steady(where.now), selection)
        return selection

    def _steady(self, now: int) -> tuple[int, int]:
        """The span around `now` in which no validity begins or ends."""
        at = int(np.searchsorted(self._edges, now, side="right"))
        since = int(self._edges[at - 1]) if at else -(1 << 62)
        until = int(self._edges[at]) if at < len(self._edges) else 1 << 62
        return since, until

    def _allowed(self, where: Filter) -> BoolArray:
        rows = self.rows
        allowed = self._alive & (rows["audience"] <= where.audience)
        allowed &= (rows["valid_from"] <= where.now) & (where.now < rows["valid_until"])
        if where.kinds:
            allowed &= np.isin(rows["kind"], [KINDS.index(kind) for kind in where.kinds])
        if where.categories is not None:
            allowed &= np.isin(rows["category"], list(where.categories))
        if where.products is not None:
            allowed &= np.isin(rows["product"], list(where.products))
        if where.tags is not None:
            tagged = self._tags[np.isin(self._tags[:, 0], list(where.tags)), 1]
            allowed &= np.isin(self.documents, tagged)
        return np.asarray(allowed, dtype=np.bool_)
