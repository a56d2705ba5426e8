"""Vectors of items: made by LangGraph's own embeddings, kept as float32, and compared by their cosine.

Every vector of the namespaces that are searched is compared, by numpy where it is installed: exact, and slow where many are.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Final

from langgraph.store.base import IndexConfig, ensure_embeddings, get_text_at_path, tokenize_path

from ....errors import InvalidError
from ....limits import check_data

VECTOR: Final = "v/"
_FORMAT: Final = b"\x01"
_HEAD: Final = 1 + 8


class Embedding:
    """Makes vectors of values and queries, as an index configuration says."""

    def __init__(self, config: IndexConfig) -> None:
        """Take LangGraph's configuration: `embed`, and where they are given `dims` and `fields` (the whole value for none).

        Raises:
            InvalidError: it has no `embed`.
        """
        if config.get("embed") is None:
            raise InvalidError("an index needs `embed`: Embeddings, a function, or 'provider:model'")
        self._embeddings = ensure_embeddings(config.get("embed"))
        self._dims = config.get("dims")
        self._paths = [_path_of(field) for field in config.get("fields") or ["$"]]

    def texts_of(self, value: Mapping[str, Any], index: Sequence[str] | None) -> list[str]:
        """Return the texts of a value that stand for it: those at `index`, at the configured fields for None."""
        paths = self._paths if index is None else [_path_of(path) for path in index]
        return [text for path in paths for text in get_text_at_path(value, path)]

    async def embed(self, texts: Iterable[str]) -> dict[str, list[float]]:
        """Return the vector of each text, all of them asked for at once."""
        wanted = list(dict.fromkeys(texts))
        if not wanted:
            return {}
        found = await self._embeddings.aembed_documents(wanted)
        if len(found) != len(wanted):
            raise InvalidError(f"the embedding gave {len(found):,} vectors for {len(wanted):,} texts: it must give one for each")
        return {text: self._check(vector) for text, vector in zip(wanted, found, strict=True)}

    async def embed_query(self, query: str) -> list[float]:
        """Return the vector of a query."""
        return self._check(await self._embeddings.aembed_query(query))

    def _check(self, vector: Sequence[float]) -> list[float]:
        found = [float(number) for number in vector]
        if not found or (self._dims is not None and len(found) != self._dims):
            raise InvalidError(f"the embedding gave {len(found):,} dimensions, where the index has dims={self._dims}")
        if not all(map(math.isfinite, found)):
            raise InvalidError("the embedding gave a number that is not finite")
        return found


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of one value of an item as they are kept.

    Attributes:
        made_ms: when they were written.
        dims: how many numbers each has.
        data: the numbers.
    """

    made_ms: int
    dims: int
    data: bytes


def vectors_name(mark: bytes, ending: str) -> str:
    """Return the name of the document with an item's vectors: no two values of an item have one in common."""
    return f"{VECTOR}{mark.hex()}{ending}"


def pack_vectors(vectors: Sequence[Sequence[float]]) -> bytes:
    """Return the kept form of an item's vectors, which have one length."""
    numbers = array("f", [number for vector in vectors for number in vector])
    if sys.byteorder == "big":
        numbers.byteswap()
    data = len(vectors[0]).to_bytes(4) + numbers.tobytes()
    check_data(data, "an item's vectors")
    return data


def pack_vector(vector: Sequence[float]) -> bytes:
    """Return one vector as it is kept, by itself."""
    return pack_vectors([vector])[4:]


def document_of(now_ms: int, packed: bytes) -> bytes:
    """Return the document of an item's vectors."""
    return _FORMAT + now_ms.to_bytes(8) + packed


def read_vectors(document: bytes) -> Vectors | None:
    """Return the vectors of a document, None where it is damaged or of a newer format: then the item has none."""
    dims = int.from_bytes(document[_HEAD : _HEAD + 4])
    data = document[_HEAD + 4 :]
    if document[:1] != _FORMAT or not dims or not data or len(data) % (4 * dims):
        return None
    return Vectors(int.from_bytes(document[1:_HEAD]), dims, data)


def score(query: Sequence[float], kept: Sequence[Vectors]) -> list[float]:
    """Return for each item the best cosine of its vectors with a query of as many dimensions."""
    if not kept:
        return []
    cosines = cosines_quick(query, kept) if has_numpy() else cosines_plain(query, kept)
    best: list[float] = []
    at = 0
    for each in kept:
        count = len(each.data) // (4 * each.dims)
        best.append(max(cosines[at : at + count]))
        at += count
    return best


@lru_cache
def has_numpy() -> bool:
    """Tell whether numpy is installed. It is imported when it is needed: that takes longer than all the rest here."""
    return find_spec("numpy") is not None


def cosines_quick(query: Sequence[float], kept: Sequence[Vectors]) -> list[float]:
    """Return the cosine of every vector with the query, by numpy; 0 for one without a length."""
    import numpy

    asked = numpy.asarray(query, dtype="<f4")
    found = numpy.frombuffer(b"".join(each.data for each in kept), dtype="<f4").reshape(-1, len(query))
    lengths = numpy.sqrt(numpy.einsum("ij,ij->i", found, found)) * numpy.sqrt(asked @ asked)
    cosines = numpy.divide(found @ asked, lengths, out=numpy.zeros(len(found), dtype="<f4"), where=lengths != 0)
    return [float(each) for each in cosines]


def cosines_plain(query: Sequence[float], kept: Sequence[Vectors]) -> list[float]:
    """Return the same without numpy."""
    length = math.sqrt(math.fsum(number * number for number in query))
    cosines = []
    for each in kept:
        numbers = array("f", each.data)
        if sys.byteorder == "big":
            numbers.byteswap()
        for at in range(0, len(numbers), each.dims):
            vector = numbers[at : at + each.dims]
            product = math.fsum(map(float.__mul__, vector, query))
            lengths = math.sqrt(math.fsum(map(float.__mul__, vector, vector))) * length
            cosines.append(product / lengths if lengths else 0.0)
    return cosines


def _path_of(field: str) -> str | list[str]:
    return field if field == "$" else tokenize_path(field)
