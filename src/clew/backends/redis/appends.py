"""Plain appends of many callers, gathered: those to one log that wait for the same trip become one script call.

Each caller gets the revision and the positions it would have got alone. One that fails fails all that went with it, since
nothing in a plain append can be refused for one entry only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from ...codec import encode_entry
from ...records import Append
from .client import Client
from .keys import PartitionKeys, id_digest
from .scripts import Script
from .trips import Reply, Request, pack

MAX_ENTRIES: Final = 100
"""Entries that append.lua takes at once."""


class AppendRequest(Request):
    """A request that others may join until it goes."""

    __slots__ = ("_buckets", "_callers", "_head", "_keys", "_open", "_parts", "_shelf", "_slot", "entries")

    def __init__(
        self,
        keys: PartitionKeys,
        future: asyncio.Future[list[Reply]],
        deadline: float,
        script: Script,
        head: bytes,
        shelf: Shelf,
        slot: Slot,
    ) -> None:
        super().__init__(keys.meta, b"", 1, future, deadline, script=script, durable=True)
        self._keys = keys
        self._buckets = keys.buckets.get(slot[1], 1)
        self._head = head
        self._shelf = shelf
        self._slot = slot
        self._open = True
        self._parts: list[bytes] = []
        self._callers: list[tuple[asyncio.Future[list[Reply]], int]] = []
        self.entries = 0

    def join(self, future: asyncio.Future[list[Reply]], changes: Sequence[Append]) -> None:
        """Add a caller's entries."""
        buckets = self._buckets
        low = 1 << buckets.bit_length() - 1
        parts = self._parts
        for change in changes:
            entry = change.entry
            envelope = encode_entry(entry)
            digest = id_digest(entry.key)
            # The bucket, as ids.lua finds it.
            hash_ = int.from_bytes(digest[:4])
            at = hash_ & (2 * low - 1)
            bucket = b"%d" % (at if at < buckets else hash_ & (low - 1))
            parts.append(b"$6\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (digest, len(bucket), bucket, len(envelope), envelope))
        self._callers.append((future, len(changes)))
        self.entries += len(changes)

    def seal(self) -> bytes:
        """See Request.seal."""
        if self._open:
            self._open = False
            if self._shelf.get(self._slot) is self:
                del self._shelf[self._slot]
            commits, buckets = b"%d" % len(self._callers), b"%d" % self._buckets
            self.payload = b"*%d\r\n%b$%d\r\n%b\r\n$%d\r\n%b\r\n%b" % (
                20 + 3 * self.entries,
                self._head,
                len(commits),
                commits,
                len(buckets),
                buckets,
                b"".join(self._parts),
            )
        return super().seal()

    def settle(self, replies: list[Reply]) -> None:
        """See Request.settle: each caller gets its own revision and outcomes."""
        reply = replies[-1]
        at, ok = 4, reply[0] == b"ok"
        if ok:
            self._keys.buckets[self._slot[1]] = reply[3]
        for number, (future, count) in enumerate(self._callers):
            if not future.done():
                future.set_result([b"ok", reply[1] + number, reply[2], *reply[at : at + count]] if ok else reply)
            at += count

    def fail(self, error: BaseException) -> None:
        """See Request.fail."""
        self.seal()
        for future, _ in self._callers:
            if not future.done():
                future.set_exception(error)


Slot = tuple[bytes, str, bool, bool]
Shelf = dict[Slot, AppendRequest]


async def append(
    client: Client, keys: PartitionKeys, log: str, changes: Sequence[Append], *, present: bool, listed: bool
) -> Reply:
    """Append to one log and return what append.lua answers this caller.

    Args:
        changes: at most MAX_ENTRIES.
        present: whether the partition must exist.
        listed: whether the listing is written in the same script.
    """
    shelf = client.shelf
    slot = (keys.meta, log, present, listed)
    loop = client.loop
    future: asyncio.Future[list[Reply]] = loop.create_future()
    request = shelf.get(slot)
    if request is None or request.entries + len(changes) > MAX_ENTRIES:
        script = client.scripts["append"]
        head = _head(keys, script, log, present, listed)
        request = AppendRequest(keys, future, loop.time() + client.options.timeout, script, head, shelf, slot)
        request.join(future, changes)
        shelf[slot] = request
        await client.carry(request)
    else:
        request.join(future, changes)
    return await future


def _head(keys: PartitionKeys, script: Script, log: str, present: bool, listed: bool) -> bytes:
    """Return the packed call up to where the entries begin, but for the count of its words; remembered with the keys."""
    slot = (script.sha, log, present, listed)
    head = keys.heads.get(slot)
    if head is None:
        name, list_key, ids_key = keys.log(log)
        listing = keys.listing if listed else keys.meta
        words = ("EVALSHA", script.sha, 7, keys.meta, keys.docs, keys.once, keys.leases, listing, list_key, ids_key)
        fields = (b"n:" + name, b"b:" + name, b"h:" + name, b"k:" + name)
        packed = pack(*words, b"-1" if present else b"", keys.member if listed else b"", keys.bell, name, *fields)
        head = keys.heads[slot] = packed[packed.index(b"\r\n") + 2 :]
    return head
