"""The partitions of a store, read and written: bounded in how many calls are under way, and the clock learned from each.

One whose items all have a time to live vanishes by itself, some time after the last of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from ....backend import Backend, Expiry
from ....blocking import Connection
from ....limits import MAX_TTL_MS
from ....nearest import Nearest
from ....records import Change, Commit, Expire, Partition, PutDocument, Snapshot
from .clock import StoreClock
from .namespaces import Namespace, partition_name
from .stored import ENDS, NEAR

T = TypeVar("T")

AT_ONCE: Final = 200
"""How many calls of one search or batch are under way together."""
LEAST_MS: Final = 60_000
"""The least that a partition outlives its last item by: more than a clock is wrong by."""

TRIES: Final = 20
"""How often a commit is planned anew, where others write the same partition."""


@dataclass(slots=True)
class Room:
    """What is known of a partition that is written: its revision (0: it is not there), and its documents ENDS and NEAR."""

    revision: int = 0
    ends: bytes | None = None

    near: bytes | None = None

    def learn(self, snapshot: Snapshot) -> None:
        """Know what was read."""
        self.revision, self.ends = snapshot.revision, snapshot.documents.get(ENDS)
        self.near = snapshot.documents.get(NEAR)


class End(NamedTuple):
    """Until when a partition has to last.

    Attributes:
        until_ms: the moment, None for ever.
        ttl_ms: the longest time to live of what is written: how far ahead it is worth looking.
    """

    until_ms: int | None = None
    ttl_ms: int = 0


class Shelves:
    """The partitions of one owner.

    Attributes:
        clock: the store's, as far as its answers tell.
    """

    def __init__(self, connection: Connection, owner: str) -> None:
        self._connection = connection
        self._owner = owner
        self._backend: Backend | None = None
        self._expires = False
        self._nearest: Nearest | None = None
        self.clock = StoreClock()

    async def fetch(self, kind: str, namespace: Namespace, keys: Sequence[str] | None = None) -> Snapshot:
        """Return documents of a partition, all of them for None."""
        backend = await self._open()
        return await self.clock.ask(backend.fetch(self.partition(kind, namespace), keys))

    async def commit(self, kind: str, namespace: Namespace, changes: Sequence[Change], *, expect: int | None = None) -> Commit:
        """Write a partition, which no listing shows."""
        backend = await self._open()
        return await self.clock.ask(backend.commit(self.partition(kind, namespace), changes, expect=expect))

    async def drop(self, kind: str, namespace: Namespace, *, expect: int) -> None:
        """Delete a partition that is still at this revision, and leave no tombstone."""
        backend = await self._open()
        await backend.drop(self.partition(kind, namespace), tombstone_ms=0, expect=expect)

    async def commit_in(self, room: Room, kind: str, namespace: Namespace, changes: Sequence[Change], end: End) -> Commit:
        """Write a partition that is to last at least until `end`.

        Raises:
            ConflictError: as for a commit; or it is not as the room knows it: let the room learn, and try again.
        """
        ending, ends = self._plan(room, *end)
        # That a new one is new is what lets it expire: it holds nothing that stays.
        expect = 0 if room.revision == 0 and ends is not None else None
        done = await self.commit(kind, namespace, [*changes, *ending], expect=expect)
        room.revision, room.ends = done.revision, ends
        return done

    def _plan(self, room: Room, until_ms: int | None, ttl_ms: int) -> tuple[list[Change], bytes | None]:
        known = room.ends
        if known is None and (room.revision or until_ms is None or not self._expires):
            # It stays for ever, and must still do so when this is written.
            return [PutDocument(ENDS, None, None)], None
        if until_ms is None:
            return [PutDocument(ENDS, None, known), Expire(None)], None
        if known is not None and until_ms <= int(known):
            return [PutDocument(ENDS, known, known)], known
        # Ahead by half of it, so that not every write has to move the end.
        far = until_ms + max(ttl_ms // 2, LEAST_MS)
        ends = str(far).encode()
        left = min(far - self.clock.now_ms() + LEAST_MS, MAX_TTL_MS)
        return [PutDocument(ENDS, ends, known), Expire(left, "fixed")], ends

    async def _open(self) -> Backend:
        backend = (await self._connection.get()).backend
        if self._backend is not backend:
            # Asked once: to see whether an object has a protocol's methods costs as much as half a trip.
            self._backend, self._expires = backend, isinstance(backend, Expiry)
            self._nearest = backend if isinstance(backend, Nearest) else None
        return backend

    async def nearest(self) -> Nearest | None:
        """Return the backend as one that keeps indexes of vectors, None where it, or its server, does not."""
        await self._open()
        return self._nearest if self._nearest is not None and await self._nearest.knows_nearest() else None

    def partition(self, kind: str, namespace: Namespace) -> Partition:
        """Return one of a namespace's partitions."""
        return Partition(self._owner, partition_name(kind, namespace))


async def together(works: Iterable[Awaitable[T]]) -> list[T]:
    """Return what each gives, in order; the first error, once none is under way any more."""
    waiting = list(works)
    if len(waiting) == 1:
        return [await waiting[0]]
    gate = asyncio.Semaphore(AT_ONCE)

    async def work(each: Awaitable[T]) -> T:
        async with gate:
            return await each

    done = await asyncio.gather(*(work(each) for each in waiting), return_exceptions=True)
    found: list[T] = []
    for each in done:
        if isinstance(each, BaseException):
            raise each
        found.append(each)
    return found


def end_of(times: Sequence[tuple[int | None, int | None]]) -> End:
    """Return until when a partition has to last, for the end and the time to live of each item that is written."""
    ends = [end for end, _ in times]
    return End(None if None in ends else max(end or 0 for end in ends), max(ttl or 0 for _, ttl in times))
