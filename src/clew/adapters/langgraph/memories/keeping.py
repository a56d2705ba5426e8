"""Vectors kept in this process, so that searching a large namespace again does not fetch them again.

They are never older than what the store has: each search asks for the revision, which every write changes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, NamedTuple

from .namespaces import VECTORS, Namespace
from .nearby import Nearby
from .shelves import Shelves
from .vectors import Vectors, read_vectors

LEAST_BYTES: Final = 256 * 1024
"""Vectors of a namespace that are kept; fewer are fetched as quickly as their revision is."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Bytes of vectors that are kept altogether."""


class _Kept(NamedTuple):
    life: tuple[int, int]
    vectors: Mapping[str, Vectors]
    size: int


class Keeping:
    """The vectors of one owner's namespaces, those that were searched last."""

    def __init__(self, shelves: Shelves, nearby: Nearby) -> None:
        self._shelves = shelves
        self._nearby = nearby
        self._kept: OrderedDict[Namespace, _Kept] = OrderedDict()
        self._size = 0

    async def fetch(self, namespace: Namespace) -> Mapping[str, Vectors]:
        """Return a namespace's vectors by their documents' keys: one trip; two, where those that are kept are old."""
        kept = self._kept.get(namespace)
        if kept is not None:
            head = await self._shelves.fetch(VECTORS, namespace, [])
            if (head.revision, head.created_ms) == kept.life:
                if namespace in self._kept:
                    self._kept.move_to_end(namespace)
                return kept.vectors
        found = await self._shelves.fetch(VECTORS, namespace)
        read = ((key, read_vectors(document)) for key, document in found.documents.items())
        vectors = {key: each for key, each in read if each is not None}
        await self._nearby.notice(namespace, found, vectors)
        size = sum(len(each.data) for each in vectors.values())
        self._keep(namespace, _Kept((found.revision, found.created_ms), vectors, size))
        return vectors

    def _keep(self, namespace: Namespace, new: _Kept) -> None:
        old = self._kept.pop(namespace, None)
        self._size -= 0 if old is None else old.size
        if not LEAST_BYTES <= new.size <= MOST_BYTES:
            return
        self._kept[namespace] = new
        self._size += new.size
        while self._size > MOST_BYTES:
            self._size -= self._kept.popitem(last=False)[1].size
