"""The sentinels of a server, asked so that redis-py keeps its list of them whole."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio.sentinel import Sentinel


class PoliteSentinel(Sentinel):
    """The sentinels, asked by one caller at a time: several at once lose one of them from redis-py's list (8.1)."""

    def __init__(self, sentinels: list[tuple[str, int]], *, sentinel_kwargs: dict[str, Any]) -> None:
        super().__init__(sentinels, sentinel_kwargs=sentinel_kwargs)  # type: ignore[no-untyped-call]
        self._turn = asyncio.Lock()

    async def discover_master(self, service_name: str) -> Any:  # as redis-py has it
        """Return the address of the primary."""
        async with self._turn:
            return await super().discover_master(service_name)
