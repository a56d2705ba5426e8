"""Erasing on Redis: all keys of an owner's partitions have the encoded owner in their names, so SCAN on every primary finds them.

A walk goes through the whole key space, some thousand keys a step, and answers others meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

from ...erasing import Erased
from ...errors import GoneError, InvalidError
from ...limits import check_id, check_value_key
from ...records import Partition
from .client import Client
from .commit import CommitVerbs
from .keys import decode_part, encode_part
from .requests import pack

AT_ONCE: Final = 1_000
"""How many keys a server looks at in one step."""
_KINDS: Final = {
    b"meta": "partitions",
    b"docs": "documents",
    b"once": "tokens",
    b"leases": "leases",
    b"log": "logs",
    b"ids": "logs",
    b"new": "logs",
    b"points": "checkpoints",
    b"parts": "checkpoints",
    b"writes": "checkpoints",
    b"near": "vectors",
    b"runs": "runs",
    b"turn": "runs",
    b"run": "runs",
    b"events": "runs",
    b"threads": "listings",
    b"made": "listings",
}


class EraseVerbs(CommitVerbs):
    """Erasing."""

    @property
    def namespace(self) -> str:
        """The first part of clew's own keys."""
        return self.options.namespace

    async def list_owners(self, *, cursor: str | None = None) -> tuple[Sequence[str], str | None]:
        """See Erasing.list_owners."""
        client = await self._client()
        head, tail = f"{self.options.namespace}:{{".encode(), b"}:threads"
        keys, following = await _scan(client, head + b"*" + tail, cursor)
        tags = [key[len(head) : -len(tail)] for key in keys]
        return [decode_part(tag.decode()) for tag in tags if b"/" not in tag], following

    async def erase_owner(self, owner: str, *, cursor: str | None = None, dry: bool = False) -> Erased:
        """See Erasing.erase_owner."""
        head = f"{self.options.namespace}:{{{encode_part(check_id(owner, 'the owner'))}"
        client = await self._client()
        keys, following = await _scan(client, head.encode() + b"[/}]*", cursor)
        start = len(head)
        found = Counter(_KINDS.get(key[start:].partition(b"}:")[2].partition(b":")[0], "others") for key in keys)
        if not dry:
            names = {key[start + 1 :].partition(b"}")[0] for key in keys if key[start : start + 1] == b"/"}
            await asyncio.gather(*(self._drop_or_pass(Partition(owner, decode_part(name.decode()))) for name in sorted(names)))
            # Tombstones, and whatever a drop does not know.
            await _delete(client, keys)
        return Erased(dict(found), following)

    async def erase_keys(
        self, prefix: str, *, member: bytes | None = None, cursor: str | None = None, dry: bool = False
    ) -> Erased:
        """See Erasing.erase_keys."""
        start = check_value_key(prefix).encode()
        client = await self._client()
        own = f"{self.options.namespace}:{{".encode()
        if start.startswith(own):
            raise InvalidError(f"keys that begin with {own.decode()!r} are partitions, which are erased with their owner")
        found, following = await _scan(client, _escape(start) + b"*", cursor, *(() if member is None else (b"TYPE", b"set")))
        keys = [key for key in found if not key.startswith(own)]
        if member is None:
            if not dry:
                await _delete(client, keys)
            return Erased({"values": len(keys)} if keys else {}, following)
        counts = await asyncio.gather(*(_take_members(client, key, member, dry=dry) for key in keys))
        return Erased({"members": sum(counts)} if any(counts) else {}, following)

    async def scrub(self) -> Sequence[str]:
        """See Erasing.scrub. Nothing can be done from here; what there is to know is said."""
        return (
            "the server's append-only file holds what was written until it is rewritten (BGREWRITEAOF), and its snapshot until "
            "the next one (BGSAVE)",
            "replicas follow in a moment; their files, and backups, hold older data until they are replaced",
        )

    async def _drop_or_pass(self, partition: Partition) -> None:
        try:
            await self.drop(partition, tombstone_ms=0)
        except GoneError:
            # Its tombstone goes with the other keys.
            return


async def _scan(client: Client, pattern: bytes, cursor: str | None, *more: bytes) -> tuple[list[bytes], str | None]:
    """Return the keys of one step, each once, and the cursor of the next step: a server's number and its own cursor."""
    servers = client.primaries()
    number, _, place = (cursor or "0:0").partition(":")
    if not (number.isdecimal() and place.isdecimal() and int(number) < len(servers)):
        raise InvalidError(f"{cursor!r} is not a cursor of this walk: start again without one")
    payload = pack("SCAN", place, "MATCH", pattern, "COUNT", AT_ONCE, *more)
    following, keys = await client.call_server(servers[int(number)], payload)
    found = list(dict.fromkeys(keys))
    if following != b"0":
        return found, f"{number}:{following.decode()}"
    return found, f"{int(number) + 1}:0" if int(number) + 1 < len(servers) else None


async def _delete(client: Client, keys: Sequence[bytes]) -> None:
    # UNLINK frees what is large in the background.
    await asyncio.gather(*(client.call(key, pack("UNLINK", key), durable=True) for key in keys))


async def _take_members(client: Client, key: bytes, member: bytes, *, dry: bool) -> int:
    count, place = 0, b"0"
    while True:
        ((place, members),) = await client.call(key, pack("SSCAN", key, place, "MATCH", _escape(member) + b"*", "COUNT", AT_ONCE))
        if members:
            count += len(members)
            if not dry:
                await client.call(key, pack("SREM", key, *members), durable=True)
        if place == b"0":
            return count


def _escape(text: bytes) -> bytes:
    return b"".join(b"\\" + bytes([c]) if c in b"*?[]\\" else bytes([c]) for c in text)
