"""Writing items: the labels that lead to their namespace first, then the items, their vectors at the same time.

A put costs one trip where the namespace is known and the item is new or known; three where an item is there that is not known,
since when it was made is to be kept. Labels are written anew every few minutes, which tells the sweep that they are in use.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Final

from ....errors import ConflictError, NotFoundError
from ....limits import MAX_CHANGES, MAX_COMMIT_BYTES
from ....records import ANY, PRESENT, Change, PutDocument
from .gathering import Put
from .namespaces import ITEMS, LABELS, VECTORS, Namespace, document_key, ending_of
from .shelves import TRIES, End, Room, Shelves, end_of, together
from .stored import ENDS, META, NEAR, VALUE, Found, Meta, decode_meta, encode_meta, is_over
from .vector_writing import write_vectors
from .vectors import document_of, vectors_name

LABEL: Final = "n"
KNOWN_S: Final = 600.0
"""How long a namespace that was written counts as known; the sweep leaves labels for much longer."""
MOST_NAMESPACES: Final = 10_000
MOST_ITEMS: Final = 50_000
"""How many namespaces, and items, are known at most."""
SURE: Final = 5
"""How often an item is to be as it is known; after that it is written whatever it is."""
RENEW: Final = 64
"""A time to live is renewed where it would move by this part of it or more."""


@dataclass(slots=True)
class _Place:
    """A namespace that was written before."""

    entered: float
    items: Room = field(default_factory=Room)
    vectors: Room = field(default_factory=Room)


class Writing:
    """Writes the items of one owner."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves
        self._places: dict[Namespace, _Place] = {}
        self._metas: dict[tuple[Namespace, str], bytes] = {}

    def notice(self, items: Iterable[Found]) -> None:
        """Know items that were read, so that a put of one is one trip."""
        for item in items:
            self._know(item.namespace, item.key, item.stored)

    async def write(self, namespace: Namespace, puts: Mapping[str, Put]) -> None:
        """Write some items of a namespace, in as few commits as they fit in."""
        for some in _split(list(puts.values())):
            await self._write(namespace, some)

    async def _write(self, namespace: Namespace, puts: Sequence[Put]) -> None:
        # Nothing is made for what is only deleted; and what it leaves has to be known.
        place = await self._enter(namespace) if any(put.data is not None for put in puts) else None
        if any(put.data is None and (namespace, put.key) not in self._metas for put in puts):
            await self._look(namespace, place, puts)
        marks = {put.key: token_bytes(8) for put in puts if put.vectors is not None}
        now = self._shelves.clock.now_ms()
        new: dict[str, bytes] = {}
        times: list[tuple[int | None, int | None]] = []
        for put in puts:
            if put.vectors is not None:
                new[vectors_name(marks[put.key], ending_of(put.key))] = document_of(now, put.vectors)
                times.append((None if put.ttl_ms is None else now + put.ttl_ms, put.ttl_ms))
        end = end_of(times) if times else End()
        room, old = None if place is None else place.vectors, self._vectors_of(namespace, puts)
        writing = write_vectors(self._shelves, namespace, room, new, old, end)
        replaced, _ = await asyncio.gather(self._write_items(namespace, place, puts, marks), writing)
        # Those that were not known before.
        await write_vectors(self._shelves, namespace, room, {}, replaced - old, End())

    async def renew(self, item: Found, ends: bytes | None) -> None:
        """Start an item's time anew, unless it was written or deleted since it was read; `ends` is its partition's ENDS."""
        meta, now = item.meta, self._shelves.clock.now_ms()
        if meta.ttl_ms is None or meta.expires_ms is None or now + meta.ttl_ms - meta.expires_ms < meta.ttl_ms / RENEW:
            return
        until = now + meta.ttl_ms
        data = encode_meta(Meta(1, meta.created_us, meta.updated_us, meta.ttl_ms, until, meta.mark, meta.key))
        change = PutDocument(META + item.ending, data, item.stored)
        if ends is not None and until > int(ends):
            if meta.mark:
                await self._lengthen(VECTORS, item.namespace, until, meta.ttl_ms)
            await self._lengthen(ITEMS, item.namespace, until, meta.ttl_ms)
        try:
            await self._shelves.commit(ITEMS, item.namespace, [change], expect=PRESENT)
        except (ConflictError, NotFoundError):
            return
        self._know(item.namespace, item.key, data)

    # -- the way to it ------------------------------------------------------------------------------------------------

    async def _enter(self, namespace: Namespace) -> _Place:
        place = self._places.get(namespace)
        if place is not None and time.monotonic() - place.entered < KNOWN_S:
            return place
        place = _Place(time.monotonic())
        if not self._shelves.clock.is_known:
            await self._shelves.fetch(ITEMS, namespace, [ENDS])
        now = self._shelves.clock.now_ms().to_bytes(8)

        async def label(depth: int) -> None:
            key = document_key(LABEL, namespace[depth])
            data = now if key == f"{LABEL}/{namespace[depth]}" else now + namespace[depth].encode()
            await self._shelves.commit(LABELS, namespace[:depth], [PutDocument(key, data)])

        async def look(room: Room, kind: str) -> None:
            room.learn(await self._shelves.fetch(kind, namespace, [ENDS, NEAR]))

        looks = [look(place.items, ITEMS), look(place.vectors, VECTORS)]
        await together([*(label(depth) for depth in range(len(namespace))), *looks])
        if len(self._places) >= MOST_NAMESPACES:
            self._places.clear()
        self._places[namespace] = place
        return place

    # -- what is written ----------------------------------------------------------------------------------------------

    async def _write_items(
        self, namespace: Namespace, place: _Place | None, puts: Sequence[Put], marks: Mapping[str, bytes]
    ) -> set[str]:
        """Write items, and return the names of the documents with the vectors that they had."""
        for tried in range(TRIES):
            old = self._vectors_of(namespace, puts)
            changes, metas = self._plan(namespace, puts, marks, sure=tried < SURE)
            try:
                if place is None:
                    await self._shelves.commit(ITEMS, namespace, changes, expect=PRESENT)
                else:
                    end = end_of([(meta.expires_ms, meta.ttl_ms) for meta in metas.values()])
                    await self._shelves.commit_in(place.items, ITEMS, namespace, changes, end)
            except NotFoundError:
                break  # where nothing is, nothing is made for what is deleted
            except ConflictError:
                if tried == TRIES - 1:
                    raise
                await self._look(namespace, place, puts)
            else:
                break
        self._forget(namespace, puts)
        for key, meta in metas.items():
            self._know(namespace, key, encode_meta(meta))
        return old

    def _plan(
        self, namespace: Namespace, puts: Sequence[Put], marks: Mapping[str, bytes], *, sure: bool
    ) -> tuple[list[Change], dict[str, Meta]]:
        """Return the changes for these; where they are to be `sure`, only if the items are as they are known."""
        changes: list[Change] = []
        metas: dict[str, Meta] = {}
        now = self._shelves.clock.now_ms()
        for put in puts:
            ending = ending_of(put.key)
            known = self._metas.get((namespace, put.key))
            when = known if sure else ANY
            if put.data is None:
                changes += (PutDocument(META + ending, None, when), PutDocument(VALUE + ending, None))
                continue
            before = None if known is None else decode_meta(known)
            us = self._shelves.clock.next_us()
            made = us if before is None or is_over(before, now) else before.created_us
            expires = None if put.ttl_ms is None else now + put.ttl_ms
            key = None if ending[0] == "/" else put.key
            metas[put.key] = meta = Meta(1, made, max(us, made), put.ttl_ms, expires, marks.get(put.key, b""), key)
            changes += (PutDocument(META + ending, encode_meta(meta), when), PutDocument(VALUE + ending, put.data))
        return changes, metas

    async def _look(self, namespace: Namespace, place: _Place | None, puts: Sequence[Put]) -> None:
        """Learn what is there of these items."""
        names = {put.key: META + ending_of(put.key) for put in puts}
        found = await self._shelves.fetch(ITEMS, namespace, [ENDS, *names.values()])
        if place is not None:
            place.items.learn(found)
        self._forget(namespace, puts)
        for key, name in names.items():
            if name in found.documents:
                self._know(namespace, key, found.documents[name])

    def _vectors_of(self, namespace: Namespace, puts: Iterable[Put]) -> set[str]:
        """Return the names of the documents with the vectors of these items, as far as they are known."""
        known = {put.key: self._metas.get((namespace, put.key)) for put in puts}
        marks = {key: decode_meta(stored).mark for key, stored in known.items() if stored is not None}
        return {vectors_name(mark, ending_of(key)) for key, mark in marks.items() if mark}

    async def _lengthen(self, kind: str, namespace: Namespace, until_ms: int, ttl_ms: int) -> None:
        for _ in range(TRIES):
            room = Room()
            room.learn(await self._shelves.fetch(kind, namespace, [ENDS]))
            if room.ends is None or int(room.ends) >= until_ms:
                return
            try:
                await self._shelves.commit_in(room, kind, namespace, [], End(until_ms, ttl_ms))
                return
            except ConflictError:
                continue

    # -- what is known ------------------------------------------------------------------------------------------------

    def _know(self, namespace: Namespace, key: str, stored: bytes) -> None:
        if len(self._metas) >= MOST_ITEMS:
            self._metas.clear()
        self._metas[namespace, key] = stored

    def _forget(self, namespace: Namespace, puts: Iterable[Put]) -> None:
        for put in puts:
            self._metas.pop((namespace, put.key), None)


def _split(puts: Sequence[Put]) -> Iterable[list[Put]]:
    """Yield them in parts that one commit can hold."""
    some: list[Put] = []
    size = 0
    for put in puts:
        more = max(len(put.data or b""), len(put.vectors or b"")) + 1024
        if some and (size + more > MAX_COMMIT_BYTES or 2 * len(some) + 4 > MAX_CHANGES):
            yield some
            some, size = [], 0
        some.append(put)
        size += more
    if some:
        yield some
