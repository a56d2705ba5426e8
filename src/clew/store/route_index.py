"""The other way round: which conversations lead to a session. A set under a literal key, beside the routes.

It lives in another slot than the route, so it is written before it, and filtered when it is read: no route is ever missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from ..backend import Collecting
from ..errors import UnreadableError

REMEMBERED: Final = 10_000
"""Routes of whose index it is known, in this process, that it need not be kept longer yet."""


class RouteIndex:
    """The index of the routes under one prefix.

    Args:
        power: finds the backend's sets, or raises UnsupportedError.
        prefix: the literal beginning of its keys; a session id follows.
        ttl_ms: how long a route stays after a look at it; None for ever. The index stays twice as long.
    """

    def __init__(self, power: Callable[[], Collecting], prefix: str, ttl_ms: int | None) -> None:
        self._power = power
        self._prefix = prefix
        self._ttl_ms = ttl_ms
        self._due: dict[tuple[str, str], float] = {}

    async def add(self, session_id: str, conversation: str) -> None:
        """Note that a conversation leads to a session, or is about to."""
        key, member = self._prefix + session_id, [conversation.encode()]
        power = self._power()
        if self._ttl_ms is None:
            await power.add_members(key, member)
            return
        await power.add_members(key, member)
        await power.expire_key(key, 2 * self._ttl_ms)
        if len(self._due) >= REMEMBERED:
            self._due.clear()
        self._due[session_id, conversation] = monotonic() + self._ttl_ms / 2000

    async def keep(self, session_id: str, conversation: str) -> None:
        """See that the index outlives the route that was just looked at; a call of its own only now and then."""
        if self._ttl_ms is not None and self._due.get((session_id, conversation), 0.0) <= monotonic():
            await self.add(session_id, conversation)

    async def remove(self, session_id: str, conversation: str, leads_to: Callable[[str], Awaitable[str | None]]) -> None:
        """Note that a conversation does not lead to a session any more, unless it does so again by now."""
        self._due.pop((session_id, conversation), None)
        await self._power().remove_members(self._prefix + session_id, [conversation.encode()])
        if await leads_to(conversation) == session_id:
            await self.add(session_id, conversation)

    async def list(self, session_id: str, leads_to: Callable[[str], Awaitable[str | None]]) -> list[str]:
        """Return the conversations that lead to a session, in the order of their ids."""
        members = await self._power().get_members(self._prefix + session_id)
        try:
            names = sorted(member.decode() for member in members)
        except UnicodeDecodeError as e:
            raise UnreadableError(f"the set under {self._prefix + session_id!r} does not hold conversations") from e
        found = await asyncio.gather(*(leads_to(name) for name in names))
        return [name for name, leads in zip(names, found, strict=True) if leads == session_id]
