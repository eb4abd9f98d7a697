"""Ranking written out passage by passage: what `search.ranking.rank` must agree with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from search.columns import KINDS, Columns
from search.fusion import WORDS_POWER, Candidate, Scale
from search.ranking import GIST_SHARE, KIND_WEIGHT, Ranked


def convex(scale: Scale, lexical: float, cosine: float) -> float:
    words = lexical / scale.ceiling if scale.ceiling > 0 else 0.0
    return (1 - scale.share) * words**WORDS_POWER + scale.share * max(cosine, 0.0)


def fuse(lexical: Mapping[int, float], cosine: Mapping[int, float], scale: Scale) -> list[Candidate]:
    """Every proposed passage once, best first."""
    lexical_ranks, semantic_ranks = _ranks(lexical), _ranks(cosine)
    fused = []
    for passage in lexical.keys() | cosine.keys():
        words, meaning = lexical.get(passage, 0.0), cosine.get(passage, 0.0)
        ranks = lexical_ranks.get(passage), semantic_ranks.get(passage)
        fused.append(Candidate(passage, words, meaning, convex(scale, words, meaning), *ranks))
    return sorted(fused, key=lambda candidate: (-candidate.fused, candidate.passage))


def _ranks(scores: Mapping[int, float]) -> dict[int, int]:
    return {p: rank for rank, p in enumerate(sorted(scores, key=lambda p: (-scores[p], p)), 1)}


def group(candidates: Iterable[Candidate], gists: Mapping[int, float], scale: Scale, columns: Columns) -> list[Ranked]:
    """One entry per document, best first; `candidates` come best first, `gists` are cosines by document."""
    by_document: defaultdict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_document[int(columns.documents[candidate.passage])].append(candidate)
    ranked = []
    for document, evidence in by_document.items():
        gist = gists.get(document, 0.0)
        kind = KINDS[int(columns.rows["kind"][evidence[0].passage])]
        score = KIND_WEIGHT[kind] * document_score(evidence, gist, scale)
        ranked.append(Ranked(document, score, gist, tuple(evidence)))
    return sorted(ranked, key=lambda entry: (-entry.score, entry.document))


def document_score(evidence: Sequence[Candidate], gist: float, scale: Scale) -> float:
    """(1 - g) best passage + g (best words and gist), with g = GIST_SHARE."""
    passage = max(candidate.fused for candidate in evidence)
    whole = convex(scale, max(candidate.lexical for candidate in evidence), gist)
    return (1 - GIST_SHARE) * passage + GIST_SHARE * whole
