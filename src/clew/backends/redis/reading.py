"""The verbs that read a partition. Bulk goes out as native LRANGE and HMGET, never through Lua.

A page is one trip where its cursor is a position and the log's base is known; an id as cursor is looked up first. Head and
list are read in one MULTI, so that positions are those of the very entries that come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...codec import decode_entries, pack_id
from ...errors import GoneError, UnknownCursorError
from ...limits import check_cursor, check_id, check_limit, check_log
from ...records import Entry, Page, Partition, Snapshot
from .base import RedisBase
from .client import Client
from .keys import PartitionKeys, id_fields
from .requests import Reply, pack

_MULTI: Final = pack("MULTI")
_EXEC: Final = pack("EXEC")
_FURTHEST: Final = 1 << 62
SHORT: Final = 128
"""Entries of a page that a script may return; a longer one is worth a trip of its own."""


class ReadVerbs(RedisBase):
    """Reading."""

    async def fetch(self, partition: Partition, keys: Sequence[str] | None = None) -> Snapshot:
        """See Backend.fetch."""
        names = self._keys(partition)
        wanted = None if keys is None else [check_id(key, "a document's key") for key in keys]
        payload = _MULTI + pack("HMGET", names.meta, "g", "r", "c", "u") + pack("PTTL", names.meta) + pack("TIME")
        if wanted is None:
            payload += pack("HGETALL", names.docs)
        elif wanted:
            payload += pack("HMGET", names.docs, *wanted)
        client = await self._client()
        replies = 5 if wanted == [] else 6
        (gone, revision, created, updated), ttl, (seconds, micros), *found = (
            await client.call(names.meta, payload + _EXEC, replies)
        )[-1]
        if gone:
            raise GoneError(f"{partition.name!r} has been deleted")
        now = int(seconds) * 1000 + int(micros) // 1000
        if revision is None:
            return Snapshot(now_ms=now)
        if wanted is None:
            flat = found[0]
            documents = {flat[at].decode(): flat[at + 1] for at in range(0, len(flat), 2)}
        else:
            documents = {key: data for key, data in zip(wanted, found[0] if found else (), strict=False) if data is not None}
        expires = now + ttl if ttl >= 0 else None
        return Snapshot(int(revision), int(created), int(updated), expires, documents, now)

    async def revision(self, partition: Partition) -> int:
        """See Backend.revision."""
        keys = self._keys(partition)
        client = await self._client()
        ((gone, revision),) = await client.call(keys.meta, pack("HMGET", keys.meta, "g", "r"))
        if gone:
            raise GoneError(f"{partition.name!r} has been deleted")
        return int(revision or 0)

    async def read(
        self,
        partition: Partition,
        log: str,
        *,
        after: int | str | None = None,
        before: int | str | None = None,
        limit: int = 100,
        newest_first: bool = False,
        inclusive: bool = False,
    ) -> Page:
        """See Backend.read."""
        check_limit(limit)
        check_log(log)
        keys = self._keys(partition)
        client = await self._client()
        if limit <= SHORT and (isinstance(after, str) or isinstance(before, str)):
            return await self._read_by_id(client, partition, keys, log, (after, before), limit, newest_first, inclusive)
        low, high = await self._positions(client, partition, keys, log, after, before)
        if inclusive:
            low, high = max(low - 1, 0), min(high + 1, _FURTHEST)
        window = _Window(keys, log, low + 1, high - 1, newest_first, limit + 1)
        found: list[Entry] = []
        while True:
            head, length, envelopes = (await client.call(keys.meta, window.payload(), 5))[-1]
            if head[0]:
                raise GoneError(f"{partition.name!r} has been deleted")
            more = window.take(int(head[1] or 1), length, envelopes, found)
            if not more or len(found) > limit:
                return Page(found[:limit], len(found) > limit)

    async def _read_by_id(
        self,
        client: Client,
        partition: Partition,
        keys: PartitionKeys,
        log: str,
        cursors: tuple[int | str | None, int | str | None],
        limit: int,
        newest_first: bool,
        inclusive: bool,
    ) -> Page:
        """Return a short page by an id, in one trip."""
        name, *log_keys = keys.log(log)
        arguments: list[bytes | str | int] = [name, limit, "1" if newest_first else "", "1" if inclusive else ""]
        for cursor in cursors:
            check_cursor(cursor)
            if isinstance(cursor, str):
                arguments += ("i", *id_fields(pack_id(cursor)))
            else:
                arguments += ("", "", "") if cursor is None else ("p", min(cursor, _FURTHEST), "")
        reply = await client.run("page", [keys.meta, *log_keys], arguments, durable=False)
        if reply[0] == b"gone":
            raise GoneError(f"{partition.name!r} has been deleted")
        if reply[0] == b"cursor":
            raise _unknown(partition, cursors[reply[1] - 1])
        positions, envelopes = reply[2::2], reply[3::2]
        if len(positions) > 1 and abs(positions[-1] - positions[0]) == len(positions) - 1:
            # No holes: the whole page is decoded by one call.
            return Page(decode_entries(envelopes, positions[0], -1 if newest_first else 1), reply[1] == 1)
        found = [decode_entries([envelope], position)[0] for position, envelope in zip(positions, envelopes, strict=True)]
        return Page(found, reply[1] == 1)

    async def _positions(
        self,
        client: Client,
        partition: Partition,
        keys: PartitionKeys,
        log: str,
        after: int | str | None,
        before: int | str | None,
    ) -> tuple[int, int]:
        """Return both cursors as positions, exclusive."""
        check_cursor(after)
        check_cursor(before)
        ids = [cursor for cursor in (after, before) if isinstance(cursor, str)]
        known: dict[str, int] = {}
        if ids:
            name, *log_keys = keys.log(log)
            fields = [part for id in ids for part in id_fields(pack_id(check_id(id, "the cursor")))]
            reply = await client.run("locate", [keys.meta, *log_keys], [name, *fields], durable=False)
            if reply[0] == b"gone":
                raise GoneError(f"{partition.name!r} has been deleted")
            known = dict(zip(ids, reply[1:], strict=True))
        return _position(after, 0, known, partition), _position(before, _FURTHEST, known, partition)


def _position(cursor: int | str | None, none: int, known: dict[str, int], partition: Partition) -> int:
    if cursor is None:
        return none
    if isinstance(cursor, str):
        if not known[cursor]:
            raise _unknown(partition, cursor)
        return known[cursor]
    return min(cursor, _FURTHEST)


def _unknown(partition: Partition, cursor: int | str | None) -> UnknownCursorError:
    return UnknownCursorError(f"{partition.name!r} does not know the item {cursor!r}: start again from one end")


class _Window:
    """The part of a log still to be read, from `low` to `high`, and the next slice of the list to ask for.

    The slice is asked for by what is believed of the list's base; the answer tells the base, and a wrong belief costs one
    trip more. Holes make a slice yield fewer entries than it has elements: each further slice is twice as large.
    """

    def __init__(self, keys: PartitionKeys, log: str, low: int, high: int, newest_first: bool, size: int) -> None:
        self._meta = keys.meta
        self._name, self._list, *_ = keys.log(log)
        self._low, self._high, self._newest_first, self._size = low, high, newest_first, size
        self._base: int | None = None
        self._asked = 0
        self._believed = 1

    def payload(self) -> bytes:
        base = self._base if self._base is not None else _bases.get(self._list, 1)
        if self._newest_first and self._high >= _FURTHEST - 1:
            # From the end of the list, whatever its length, until something is known of it.
            start, stop = -self._size, -1
        elif self._newest_first:
            stop = self._high - base
            start = max(stop - self._size + 1, 0)
        else:
            start = max(self._low - base, 0)
            stop = min(start + self._size - 1, self._high - base)
        if start >= 0 > stop:
            # Below the base, as far as it is known: the head alone.
            start, stop = 1, 0
        self._asked, self._believed = start, base
        head = pack("HMGET", self._meta, "g", b"b:" + self._name)
        return _MULTI + head + pack("LLEN", self._list) + pack("LRANGE", self._list, start, stop) + _EXEC

    def take(self, base: int, length: int, envelopes: list[Reply], found: list[Entry]) -> bool:
        """Add the slice's entries to `found`; tell whether another slice is needed to know the rest."""
        self._base = base
        start = self._asked
        # What was believed when it was asked: others read the same list meanwhile, and may have learned better.
        if start >= 0 and self._believed != base:
            # The slice was cut at the wrong place: ask again, now that the base is known.
            _remember_base(self._list, base)
            return self._left(length)
        first = start if start >= 0 else max(length + start, 0)
        count = len(envelopes)
        if self._newest_first and not count and first >= length:
            # The slice lay beyond the end: ask again, now that the length is known.
            self._high = min(self._high, base + length - 1)
            return self._left(length)
        low, high = self._low, self._high
        if self._newest_first:
            top = base + first + count - 1
            entries = decode_entries(envelopes[::-1], top, -1)
            self._high = base + first - 1
        else:
            entries = decode_entries(envelopes, base + first)
            self._low = base + first + count
        if entries and (entries[0].position < low or entries[-1].position < low):
            entries = [entry for entry in entries if low <= entry.position <= high]
        found += entries
        self._size = min(self._size * 2, 4096)
        return count > 0 and self._left(length)

    def _left(self, length: int) -> bool:
        """Tell whether the list holds anything of the window that is still open."""
        base = self._base or 1
        return max(self._low, base) <= min(self._high, base + length - 1)


_bases: dict[bytes, int] = {}
"""What is believed of the base of trimmed lists. A wrong belief is seen in the answer, and costs one trip."""


def _remember_base(list_key: bytes, base: int) -> None:
    if len(_bases) > 10_000:
        _bases.clear()
    _bases[list_key] = base
