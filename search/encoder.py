"""Sentences to vectors: the shipped static encoder, or any sentence-transformers model instead.

The static encoder needs tokenizers and NumPy only: the mean of its token rows, scaled to length one,
is what sentence-transformers computes for the same folder, without the seconds torch takes to import.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from search.errors import EncoderUnavailable
from search.types import FloatArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

LEARNT = "learnt.npy"
SHIPPED = "zhida-static"
SHIPPED_FOLDER = Path(__file__).parent / "models" / SHIPPED
CHUNK_CHARACTERS = 32_768
FEW_TEXTS = 32
FEW_TOKENS = 2_000
STATIC_MODULES = ({"StaticEmbedding"}, {"StaticEmbedding", "Normalize"})


class Encoder(Protocol):
    """Texts to rows of one space in which the dot product of two rows is their cosine."""

    @property
    def id(self) -> str:
        """Name and content hash of the weights; two encoders with one id give the same vectors."""
        ...

    @property
    def dimension(self) -> int:
        """Columns of every array this encoder returns."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        """What was typed, as (n, dimension) rows of length one; zero where no token is known."""
        ...

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        """What is searched, as (n, dimension) rows of length one; zero where no token is known."""
        ...


def load_encoder(name_or_path: str = SHIPPED) -> Encoder:
    """The encoder by the shipped name, a local folder, or a sentence-transformers model name.

    Raises EncoderUnavailable when there is no such model or it cannot be used.
    """
    folder = SHIPPED_FOLDER if name_or_path == SHIPPED else Path(name_or_path)
    if name_or_path == SHIPPED or is_static(folder):
        return _load_static(folder)
    return _load_transformer(name_or_path)


def is_static(folder: Path) -> bool:
    """Whether the folder holds a static embedding and nothing else that changes its vectors."""
    return {module["type"].rsplit(".", 1)[-1] for module in _modules(folder)} in STATIC_MODULES


def _modules(folder: Path) -> list[dict[str, str]]:
    """The steps of a sentence-transformers model, [] where the folder is not one."""
    file = folder / "modules.json"
    try:
        modules: list[dict[str, str]] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    except (OSError, ValueError) as error:
        raise _unavailable(str(folder), error) from error
    return modules


@dataclass(frozen=True, slots=True)
class TokenTable:
    """One row per token id, kept as small as on disk; `scales` multiply the rows of 8-bit tables."""

    rows: np.ndarray[Any, Any]
    scales: FloatArray

    def sums(self, texts: Sequence[Sequence[int]]) -> FloatArray:
        """The sum of the rows of each text's ids. The mean has the same direction, which is all that is kept."""
        if 1 < len(texts) <= FEW_TEXTS and all(texts) and sum(map(len, texts)) <= FEW_TOKENS:
            # All rows at once: for the sentences of a passage, the calls would take longer than the sums.
            at = np.fromiter(chain.from_iterable(texts), dtype=np.intp)
            starts = np.cumsum([0, *map(len, texts[:-1])])
            rows = self.rows[at].astype(np.float32) * self.scales[at, None]
            together: FloatArray = np.add.reduceat(rows, starts, axis=0)
            return together
        return np.stack([self._sum(ids) for ids in texts])

    def _sum(self, ids: Sequence[int]) -> FloatArray:
        # A text of a megabyte has few distinct tokens: counting them keeps the gathered rows few.
        if len(ids) > CHUNK_CHARACTERS:
            distinct, counts = np.unique(ids, return_counts=True)
            return (self.scales[distinct] * counts).astype(np.float32) @ self.rows[distinct].astype(np.float32)
        at = np.asarray(ids, dtype=np.intp)
        total: FloatArray = self.scales[at] @ self.rows[at].astype(np.float32)
        return total


@dataclass(frozen=True, slots=True)
class StaticEncoder:
    """Mean of token rows. Takes texts already NFKC-normalised and in simplified characters."""

    id: str
    tokenizer: Tokenizer = field(repr=False)
    table: TokenTable = field(repr=False)
    learnt: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64), repr=False)
    """The `question_key` of every question it was trained on, in order."""

    def has_learnt(self, question: str) -> bool:
        """Whether this very question, folded, was trained on: how well it is found says nothing of others."""
        key = question_key(question)
        at = int(np.searchsorted(self.learnt, key))
        return at < len(self.learnt) and bool(self.learnt[at] == key)

    @property
    def dimension(self) -> int:
        """Columns of every row."""
        return int(self.table.rows.shape[1])

    def pieces(self, word: str) -> int:
        """How many tokens a folded word is cut into: one that is cut often has no meaning to the encoder."""
        return len(self.tokenizer.encode(word, add_special_tokens=False).ids)

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        """Questions as rows of length one."""
        return self._encode(texts)

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        """Passages as rows of length one; memory stays bounded however many there are."""
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> FloatArray:
        sums = [self._sums(chunk) for chunk in _chunks(texts)]
        return _unit_rows(np.concatenate(sums) if sums else np.zeros((0, self.dimension), np.float32))

    def _sums(self, texts: Sequence[str]) -> FloatArray:
        # A question or the sentences of a passage need no thread pool: waking it costs more than the encoding itself.
        if len(texts) <= FEW_TEXTS:
            encodings = [self.tokenizer.encode(text, add_special_tokens=False) for text in texts]
        else:
            encodings = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return self.table.sums([encoding.ids for encoding in encodings])


@dataclass(frozen=True, slots=True)
class TransformerEncoder:
    """A sentence-transformers model on the CPU, asked with its own prompts."""

    id: str
    dimension: int
    model: SentenceTransformer = field(repr=False)

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        """Questions, with the model's query prompt, as rows of length one."""
        return self._rows(self.model.encode_query, texts)

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        """Passages, with the model's document prompt, as rows of length one."""
        return self._rows(self.model.encode_document, texts)

    def _rows(self, encode: Callable[..., Any], texts: Sequence[str]) -> FloatArray:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        rows = encode(list(texts), convert_to_numpy=True, show_progress_bar=False)
        return _unit_rows(np.asarray(rows, dtype=np.float32))


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start, characters = 0, 0
    for position, text in enumerate(texts):
        if characters and characters + len(text) > CHUNK_CHARACTERS:
            yield texts[start:position]
            start, characters = position, 0
        characters += len(text) + 1
    if start < len(texts):
        yield texts[start:]


def _unit_rows(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit


def question_key(text: str) -> np.uint64:
    """A 64-bit hash that stands for a question."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return np.uint64(int.from_bytes(digest[:8], "little"))


def _load_static(folder: Path) -> StaticEncoder:
    from tokenizers import Tokenizer

    inner = folder / next((module["path"] for module in _modules(folder)), "")
    weights_file, tokenizer_file = inner / "model.safetensors", inner / "tokenizer.json"
    try:
        table = _read_table(weights_file)
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
        digest = _digest(weights_file.read_bytes(), tokenizer_file.read_bytes())
        learnt = np.load(folder / LEARNT, allow_pickle=False) if (folder / LEARNT).is_file() else np.zeros(0, np.uint64)
    # tokenizers reports every defect of its file as a bare Exception.
    except Exception as error:
        raise _unavailable(str(folder), error) from error
    return StaticEncoder(f"{folder.resolve().name}-{digest}", tokenizer, table, learnt)


def _read_table(weights_file: Path) -> TokenTable:
    """Either format of sentence-transformers: `embedding.weight`, or rows with a scale each."""
    from safetensors.numpy import load_file

    tensors = load_file(weights_file)
    rows = tensors["embedding.weight"] if "embedding.weight" in tensors else tensors["embeddings"]
    rows = rows[tensors["mapping"]] if "mapping" in tensors else rows
    return TokenTable(rows, tensors.get("weights", np.ones(len(rows))).astype(np.float32))


def _load_transformer(name: str) -> TransformerEncoder:
    try:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(name, device="cpu", trust_remote_code=False)
    # A missing package, no network, a wrong name or a broken file: each has its own class of error.
    except Exception as error:
        raise _unavailable(name, error) from error
    state = (tensor.numpy().tobytes() for tensor in model.state_dict().values())
    prompts = json.dumps(model.prompts, sort_keys=True).encode()
    dimension = model.get_embedding_dimension() or len(model.encode("?"))
    return TransformerEncoder(f"{Path(name).name}-{_digest(prompts, *state)}", dimension, model)


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def _unavailable(name: str, error: Exception) -> EncoderUnavailable:
    return EncoderUnavailable(
        f"the encoder {name!r} cannot be loaded: {error}",
        hint=f"Name {SHIPPED!r}, a folder with a sentence-transformers model, or a model that is "
        "already downloaded; `kb model train` makes a new one.",
    )
