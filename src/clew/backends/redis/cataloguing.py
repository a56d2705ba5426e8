"""The catalogue of an owner on Redis: one script where one server holds everything, two trips on a cluster."""

from __future__ import annotations

import asyncio
from typing import Final

from ...errors import FullError, GoneError, UnknownCursorError
from ...limits import check_id, check_limit
from ...records import Catalogue, Partition, Snapshot
from .client import Client
from .keys import decode_part, encode_part, made_key, partition_keys
from .reading import ReadVerbs
from .requests import Reply, pack

_SPARE: Final = 8
"""Names asked for beyond the page, for those that lead nowhere."""


class CatalogueVerbs(ReadVerbs):
    """Cataloguing."""

    async def catalogue(self, owner: str, *, limit: int = 20, after: str | None = None, newest_first: bool = True) -> Catalogue:
        """See Cataloguing.catalogue."""
        check_limit(limit)
        check_id(owner, "the owner")
        if after is not None:
            check_id(after, "the cursor")
        client = await self._client()
        key = made_key(self.options.namespace, owner)
        if not self._listed_on_one_server():
            return await self._catalogue_apart(client, key, owner, limit, after, newest_first)
        prefix = f"{self.options.namespace}:{{{encode_part(owner)}/"
        cursor = "" if after is None else encode_part(after)
        arguments: list[str | int] = [prefix, limit, cursor, "1" if newest_first else ""]
        try:
            # A page is whole before a replica knows which dead names it swept out.
            reply = await client.run("catalogue", [key], arguments, durable=False)
        except FullError:
            # The server takes no writes, since it could not save its file: then nothing is swept, and all can still be read.
            return await self._catalogue_apart(client, key, owner, limit, after, newest_first)
        if reply[0] == b"cursor":
            raise _unknown(after)
        now_ms = reply[2] // 1000
        return Catalogue([_read_line(line, now_ms) for line in reply[3:]], reply[1] == 1)

    async def _catalogue_apart(
        self, client: Client, key: bytes, owner: str, limit: int, after: str | None, newest_first: bool
    ) -> Catalogue:
        """Names from the owner's server, then each partition from its own."""
        bound = None if after is None else await self._place(client, key, owner, after)
        found: list[tuple[str, Snapshot]] = []
        while True:
            count = limit + 1 - len(found) + _SPARE
            verb, ends = ("ZREVRANGEBYSCORE", ("+inf", "-inf")) if newest_first else ("ZRANGEBYSCORE", ("-inf", "+inf"))
            start = ends[0] if bound is None else b"(" + bound
            (flat,) = await client.call(key, pack(verb, key, start, ends[1], "WITHSCORES", "LIMIT", 0, count))
            names = [decode_part(name.decode()) for name in flat[::2]]
            snapshots = await asyncio.gather(*(self._fetch_or_none(Partition(owner, name)) for name in names))
            found += [(name, snapshot) for name, snapshot in zip(names, snapshots, strict=True) if snapshot is not None]
            if len(found) > limit or len(names) < count:
                return Catalogue(found[:limit], len(found) > limit)
            bound = flat[-1]

    async def _place(self, client: Client, key: bytes, owner: str, name: str) -> bytes:
        keys = partition_keys(self.options.namespace, Partition(owner, name))
        (score,), ((kept,),) = await asyncio.gather(
            client.call(key, pack("ZSCORE", key, keys.member)), client.call(keys.meta, pack("HMGET", keys.meta, "k"))
        )
        place: bytes | None = score or kept
        if place is None:
            raise _unknown(name)
        return place

    async def _fetch_or_none(self, partition: Partition) -> Snapshot | None:
        try:
            snapshot = await self.fetch(partition)
        except GoneError:
            return None
        return snapshot if snapshot.revision else None


def _read_line(line: Reply, now_ms: int) -> tuple[str, Snapshot]:
    name, revision, created, updated, left, flat = line
    documents = {flat[at].decode(): flat[at + 1] for at in range(0, len(flat), 2)}
    expires = now_ms + left if left >= 0 else None
    return decode_part(name.decode()), Snapshot(int(revision), int(created), int(updated), expires, documents)


def _unknown(name: str | None) -> UnknownCursorError:
    return UnknownCursorError(f"the owner has no {name!r}: start again from one end")
