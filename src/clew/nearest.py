"""An optional power: vectors of a partition in an index that finds those near another one without looking at all of them.

The index is beside the documents and may be missing at any time, so whoever uses it can do without. It goes with its partition.
What it finds is near, and need not be the nearest: it promises no more than its engine does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from .errors import InvalidError
from .limits import MAX_ID_BYTES, check_changes, check_data, check_id
from .records import Partition, PutDocument

__all__ = ["MAX_FOUND", "Nearest", "check_count", "check_index", "check_vector", "check_vectors"]

MAX_FOUND: Final = 1_000
"""The most elements that one search finds."""


@runtime_checkable
class Nearest(Protocol):
    """Indexes of a partition that exists, each under a name. A vector is little-endian float32, all of an index of one length.

    Errors, besides the Backend's: UnsupportedError where the server has no such indexes, NotFoundError where there is no such
    partition.
    """

    async def knows_nearest(self) -> bool:
        """Tell whether the server has such indexes, and this user may use them. Asked once for a connection."""
        ...

    async def put_nearest(
        self, partition: Partition, index: str, vectors: Mapping[str, bytes | None], *, begin: bool = False
    ) -> bool:
        """Set the vectors of some elements, and remove those that are None; safe to repeat.

        Args:
            index: its name, at most 64 bytes.
            vectors: by element; an element is at most `limits.MAX_ID_BYTES` bytes.
            begin: whether to make the index where it is not there.

        Returns:
            whether the index is there. Without `begin` it is never made, so that one which vanished does not come back in part.
        """
        ...

    async def find_nearest(
        self, partition: Partition, index: str, vector: bytes, *, count: int
    ) -> Sequence[tuple[str, float]] | None:
        """Return elements near a vector with their cosines, the nearest first; None where there is no such index.

        Args:
            count: from 1 to MAX_FOUND.
        """
        ...

    async def end_nearest(self, partition: Partition, index: str) -> None:
        """Take an index away, where it is there."""
        ...


def check_index(index: str) -> str:
    """Return the name of an index, or raise InvalidError."""
    return check_id(index, "an index's name", most=64)


def check_vectors(vectors: Mapping[str, bytes | None]) -> None:
    """Raise InvalidError unless these elements can be put at once."""
    check_changes(PutDocument(element, vector) for element, vector in vectors.items())
    for element, vector in vectors.items():
        check_id(element, "an element", most=MAX_ID_BYTES)
        if vector is not None:
            check_vector(vector)


def check_vector(vector: bytes) -> bytes:
    """Return a vector, or raise InvalidError unless it is some float32 numbers."""
    if not check_data(vector, "a vector") or len(vector) % 4:
        raise InvalidError(f"a vector is some float32 numbers, 4 bytes each, not {len(vector)} bytes")
    return vector


def check_count(count: int) -> int:
    """Return how many to find, or raise InvalidError."""
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_FOUND:
        raise InvalidError(f"count is a whole number from 1 to {MAX_FOUND}, not {count!r}")
    return count
