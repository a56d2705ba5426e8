"""Subscriptions to conversations: a client is told when something is appended to one, in both eras of the protocol.

A notification says only that there is news, so a client reads again. Nothing is missed while the store is away: following goes on
after the last position. What is watched is looked up for its owner: a thread's id alone opens nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError

from ..errors import ClewError, GoneError, NotFoundError, UnavailableError
from ..model import Ref
from ..store import Store
from . import views

logger = logging.getLogger("clew.mcp")

Context = ServerRequestContext[Any, Any]
OpenStore = Callable[[], Awaitable[Store]]
AGAIN_S: Final = 1.0
"""How long to wait before the store, which is away, is asked again."""
MOST: Final = 1_000
"""Conversations that one server process watches at once."""


class Watching:
    """What a server process watches for its clients. One for a server; closed with it."""

    def __init__(self, open_store: OpenStore, owner_of: Callable[[Context], str]) -> None:
        self._open_store = open_store
        self._owner_of = owner_of
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._listening: dict[ListenHandler, int] = {}

    # -- until 2025-11-25, where a connection lasts ---------------------------------------------------------------------

    async def subscribe(self, context: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Tell this connection of news in a conversation, until it says otherwise or ends."""
        uri = str(params.uri)
        if uri not in self._tasks:
            self._make_room(1)
            ref = Ref(self._owner_of(context), views.thread_of(uri))
            after = await self._position(ref)

            async def tell() -> None:
                await context.session.send_resource_updated(uri)

            self._tasks[uri] = asyncio.create_task(self._follow(ref, after, tell))
        return types.EmptyResult()

    async def unsubscribe(self, context: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        """Tell it no more."""
        task = self._tasks.pop(str(params.uri), None)
        if task is not None:
            await _end([task])
        return types.EmptyResult()

    # -- from 2026-07-28 on, where a request is the stream --------------------------------------------------------------

    async def listen(self, context: Context, params: types.SubscriptionsListenRequestParams) -> types.SubscriptionsListenResult:
        """Serve one stream: news of those conversations that this owner has; the others are not acknowledged."""
        asked = dict.fromkeys(params.notifications.resource_subscriptions or ())
        self._make_room(len(asked))
        found: list[tuple[str, Ref, int]] = []
        for uri in asked:
            try:
                ref = Ref(self._owner_of(context), views.thread_of(uri))
                found.append((uri, ref, await self._position(ref)))
            except NotFoundError:
                continue
        honored = types.SubscriptionFilter(resource_subscriptions=[uri for uri, _, _ in found] or None)
        # A bus of its own for each stream: an event of one owner has no way to another's.
        bus = InMemorySubscriptionBus()
        handler = ListenHandler(bus)
        self._listening[handler] = len(found)
        tasks: list[asyncio.Task[None]] = []
        try:
            for uri, ref, after in found:

                async def tell(uri: str = uri) -> None:
                    await bus.publish(ResourceUpdated(uri))

                tasks.append(asyncio.create_task(self._follow(ref, after, tell)))
            return await handler(context, types.SubscriptionsListenRequestParams(notifications=honored))
        finally:
            del self._listening[handler]
            await _end(tasks)

    def close_streams(self) -> None:
        """End every stream in order: their clients listen again elsewhere."""
        for handler in list(self._listening):
            handler.close()

    async def aclose(self) -> None:
        """End everything."""
        self.close_streams()
        tasks = [*self._tasks.values()]
        self._tasks.clear()
        await _end(tasks)

    # -- how a conversation is watched ----------------------------------------------------------------------------------

    def _make_room(self, more: int) -> None:
        if len(self._tasks) + sum(self._listening.values()) + more > MOST:
            raise MCPError(types.INTERNAL_ERROR, f"This server watches as much as it can ({MOST:,} conversations): ask later.")

    async def _position(self, ref: Ref) -> int:
        store = await self._open_store()
        newest = await store.items.tail(ref, 1)
        return newest[-1].position if newest else 0

    async def _follow(self, ref: Ref, after: int, tell: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                store = await self._open_store()
                items = store.items.follow(ref, after)
                try:
                    async for item in items:
                        after = item.position
                        await tell()
                finally:
                    await items.aclose()
            except (GoneError, NotFoundError):
                # That it is gone is news too, and the last.
                await tell()
                return
            except UnavailableError:
                await asyncio.sleep(AGAIN_S)
            except ClewError as error:
                logger.warning("a conversation cannot be watched any more: %s", type(error).__name__)
                return


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
