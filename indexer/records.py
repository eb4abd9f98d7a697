"""What the application streams down to be indexed."""

from __future__ import annotations

from dataclasses import dataclass

from search.types import Document


@dataclass(frozen=True, slots=True)
class Record:
    """A document with what is searched in it.

    `questions` are the phrasings people use (相似问法; a ticket's is what the customer wrote); `body` is
    Markdown for articles, plain text for scripts and tickets.
    """

    document: Document
    questions: tuple[str, ...]
    body: str
