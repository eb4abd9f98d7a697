"""Errors of the search side; each says what is wrong and how to mend it."""


class SearchError(Exception):
    """Base of everything `search` and `indexer` raise on purpose; `hint` tells how to mend it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class EncoderUnavailable(SearchError):
    """No usable sentence encoder by this name or path; search goes on lexically."""


class AnalysisUnavailable(SearchError):
    """The dictionaries of text analysis cannot be read; neither indexing nor searching goes on without."""


class IndexMissing(SearchError):
    """There is no published generation yet."""


class IndexCorrupt(SearchError):
    """A file of a generation is missing, truncated or differs from its checksum."""


class IndexMismatch(SearchError):
    """The generation was made by another encoder, analyser or lexicon than the ones in use."""
