"""Sets, lists and whole keys on Redis: its own commands on its own types, so that every other program sees the same thing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ...errors import InvalidError, UnavailableError
from ...limits import check_elements, check_ttl, check_value_key
from .base import RedisBase
from .requests import Reply, pack

_FAR = 1 << 62
"""Beyond any list."""


class CollectVerbs(RedisBase):
    """Collecting, Pinging, Reaching."""

    async def add_members(self, key: str, members: Sequence[bytes]) -> int:
        """See Collecting.add_members."""
        return await self._change("SADD", key, *check_elements(members, "the members"))

    async def remove_members(self, key: str, members: Sequence[bytes]) -> int:
        """See Collecting.remove_members."""
        return await self._change("SREM", key, *check_elements(members, "the members"))

    async def get_members(self, key: str) -> Sequence[bytes]:
        """See Collecting.get_members."""
        found: Sequence[bytes] = await self._look("SMEMBERS", key)
        return found

    async def push_elements(self, key: str, elements: Sequence[bytes]) -> int:
        """See Collecting.push_elements."""
        return await self._change("RPUSH", key, *check_elements(elements, "the elements"))

    async def get_elements(self, key: str, first: int = 0, last: int = -1) -> Sequence[bytes]:
        """See Collecting.get_elements."""
        for place in (first, last):
            if isinstance(place, bool) or not isinstance(place, int):
                raise InvalidError(f"a place in a list is a whole number, not {place!r}")
        found: Sequence[bytes] = await self._look("LRANGE", key, *(min(max(place, -_FAR), _FAR) for place in (first, last)))
        return found

    async def count_elements(self, key: str) -> int:
        """See Collecting.count_elements."""
        return int(await self._look("LLEN", key))

    async def delete_key(self, key: str) -> bool:
        """See Collecting.delete_key."""
        return bool(await self._change("UNLINK", key))

    async def expire_key(self, key: str, ttl_ms: int | None) -> bool:
        """See Collecting.expire_key."""
        name = check_value_key(key).encode()
        if ttl_ms is not None:
            payload, replies = pack("PEXPIRE", name, check_ttl(ttl_ms)), 1
        else:
            # PERSIST alone does not tell a key that has no time from one that is not there.
            payload, replies = pack("PERSIST", name) + pack("EXISTS", name), 2
        client = await self._client()
        return bool((await client.call(name, payload, replies, durable=True))[-1])

    async def ping(self) -> None:
        """See Pinging.ping."""
        client = await self._client()
        await asyncio.gather(*(client.call_server(server, pack("PING")) for server in client.primaries()))

    # -- Reaching -----------------------------------------------------------------------------------------------------

    @property
    def fails_in_part(self) -> bool:
        """See Reaching.fails_in_part."""
        return self.options.topology == "cluster"

    async def reach(self) -> None:
        """See Reaching.reach."""
        client = await self._client()
        asked = [asyncio.create_task(client.call_server(server, pack("PING"))) for server in client.primaries()]
        why = UnavailableError(f"{self.place} has no server that holds keys")
        try:
            for each in asyncio.as_completed(asked):
                try:
                    await each
                except UnavailableError as error:
                    why = error
                else:
                    return
            raise why
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _change(self, command: str, key: str, *arguments: bytes) -> int:
        name = check_value_key(key).encode()
        client = await self._client()
        # Sent twice it would answer wrongly, or push twice.
        (count,) = await client.call(name, pack(command, name, *arguments), repeatable=False, durable=True)
        return int(count)

    async def _look(self, command: str, key: str, *arguments: int) -> Reply:
        name = check_value_key(key).encode()
        client = await self._client()
        return (await client.call(name, pack(command, name, *arguments)))[0]
