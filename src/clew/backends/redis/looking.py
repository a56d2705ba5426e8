"""Looking into a Redis that other programs wrote: every command here reads, and none is tied to clew's own keys.

A key that is gone, or of another type than the one asked for, reads as None. On a Cluster each key is asked for where it lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from ...errors import InvalidError, UnsupportedError
from .client import Client
from .options import parse_url
from .requests import Reply, pack

READ_TIMEOUT: Final = 60.0
"""Seconds for one read, at least: what others keep under one key may be large."""


class Looking:
    """Keys and values of a foreign Redis, opened by `look`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def keys(self, prefix: bytes, *, count: int = 500) -> AsyncIterator[list[bytes]]:
        """Yield the keys that begin with `prefix`, a few hundred at a time; a key may come twice, as with SCAN."""
        pattern = b"".join(b"\\" + bytes([c]) if c in b"*?[]\\" else bytes([c]) for c in prefix) + b"*"
        for server in self._client.primaries():
            cursor = b"0"
            while True:
                cursor, found = await self._client.call_server(server, pack("SCAN", cursor, "MATCH", pattern, "COUNT", count))
                if found:
                    yield found
                if cursor == b"0":
                    break

    async def fields(self, key: bytes, *, count: int = 500) -> AsyncIterator[list[tuple[bytes, bytes]]]:
        """Yield the fields of a hash with their values; a field may come twice, as with HSCAN."""
        cursor = b"0"
        while True:
            reply = await self._ask(key, "HSCAN", key, cursor, "COUNT", count)
            if reply is None:
                return
            cursor, flat = reply
            if flat:
                yield list(zip(flat[::2], flat[1::2], strict=True))
            if cursor == b"0":
                return

    async def elements_of_set(self, key: bytes, *, count: int = 500) -> AsyncIterator[list[bytes]]:
        """Yield the members of a set, without an order; one may come twice, as with SSCAN."""
        cursor = b"0"
        while True:
            reply = await self._ask(key, "SSCAN", key, cursor, "COUNT", count)
            if reply is None:
                return
            cursor, found = reply
            if found:
                yield found
            if cursor == b"0":
                return

    async def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the string under each key."""
        return await asyncio.gather(*(self._ask(key, "GET", key) for key in keys))

    async def json(self, keys: Sequence[bytes], *paths: str) -> list[bytes | None]:
        """Return the RedisJSON document under each key, or what is at these paths of it, as JSON.

        Raises:
            UnsupportedError: the server has no RedisJSON.
        """
        return await asyncio.gather(*(self._ask(key, "JSON.GET", key, *paths) for key in keys))

    async def elements(self, key: bytes, first: int, count: int) -> list[bytes] | None:
        """Return elements of a list from a place on, counted from 0; none where there is no such key, None for another type."""
        found: list[bytes] | None = await self._ask(key, "LRANGE", key, first, first + count - 1)
        return found

    async def members(self, key: bytes, *, above: bytes | None = None, limit: int = 500) -> list[tuple[bytes, bytes]]:
        """Return members of a sorted set and their scores, in ascending order.

        Args:
            above: only those with a greater score, as an earlier call gave it.
        """
        lowest = b"-inf" if above is None else b"(" + above
        flat = await self._ask(key, "ZRANGEBYSCORE", key, lowest, "+inf", "WITHSCORES", "LIMIT", 0, limit)
        return list(zip(flat[::2], flat[1::2], strict=True)) if flat else []

    async def score(self, key: bytes, member: bytes) -> float | None:
        """Return the score of a member of a sorted set, None where there is no such member."""
        found = await self._ask(key, "ZSCORE", key, member)
        return None if found is None else float(found)

    async def exists(self, key: bytes) -> bool:
        """Tell whether the key is there, of whatever type."""
        return bool(await self._ask(key, "EXISTS", key))

    async def ttl(self, key: bytes) -> int | None:
        """Return the milliseconds that a key has left, None where it stays or is not there."""
        left: int = await self._ask(key, "PTTL", key)
        return left if left > 0 else None

    async def _ask(self, key: bytes, *command: bytes | str | int) -> Reply:
        try:
            return (await self._client.call(key, pack(*command)))[0]
        except InvalidError:
            return None
        except UnsupportedError as error:
            if "Existing key has wrong Redis type" in str(error):
                return None
            raise

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()


async def look(url: str) -> Looking:
    """Open a Redis for reading what others keep there; the URL is as for a store, and its `namespace` means nothing.

    Raises:
        InvalidError, UnavailableError, DeniedError, UnsupportedError.
    """
    from . import mask_place

    options = parse_url(url)
    client = Client(options, mask_place(url))
    try:
        await client.open()
    except BaseException:
        await client.aclose()
        raise
    # Only now: a server that is not there is told after the time that the URL says.
    client.options = replace(options, timeout=max(options.timeout, READ_TIMEOUT))
    return Looking(client)
