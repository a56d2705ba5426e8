"""Subscriptions to conversations: a client is told when something is appended to one, in both eras of the protocol.

A notification says only that there is news, so a client reads again. Nothing is missed while the store is away: following goes on
after the last position. What is watched is looked up for its owner: a thread's id alone opens nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
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
Tell = Callable[[], Awaitable[None]]
AGAIN_S: Final = 1.0
"""How long to wait before the store, which is away, is asked again."""
MOST: Final = 1_000
"""Conversations that one server process watches at once."""
MOST_OF_ONE: Final = 200
"""Those of one owner: nobody takes all of them."""


class Watching:
    """What a server process watches for its clients. One for a server; closed with it."""

    def __init__(self, open_store: OpenStore, owner_of: Callable[[Context], str]) -> None:
        self._open_store = open_store
        self._owner_of = owner_of
        self._running: set[asyncio.Task[None]] = set()
        self._of_owner: Counter[str] = Counter()
        self._subscribed: dict[tuple[str, str, str], asyncio.Task[None]] = {}
        self._streams: set[ListenHandler] = set()

    # -- until 2025-11-25, where a connection lasts ---------------------------------------------------------------------

    async def subscribe(self, context: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Tell this connection of news in a conversation, until it says otherwise or ends."""
        uri, key = str(params.uri), self._key_of(context, params)
        ref, after = await self.find(self._owner_of(context), uri)

        async def tell() -> None:
            await context.session.send_resource_updated(uri)

        if key not in self._subscribed or self._subscribed[key].done():
            self._subscribed[key] = self.start(ref, after, tell)
        return types.EmptyResult()

    async def unsubscribe(self, context: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        """Tell it no more."""
        task = self._subscribed.pop(self._key_of(context, params), None)
        if task is not None:
            await end([task])
        return types.EmptyResult()

    # -- from 2026-07-28 on, where a request is the stream --------------------------------------------------------------

    async def listen(self, context: Context, params: types.SubscriptionsListenRequestParams) -> types.SubscriptionsListenResult:
        """Serve one stream: news of those conversations that this owner has; the others are not acknowledged."""
        found: list[tuple[str, Ref, int]] = []
        for uri in dict.fromkeys(params.notifications.resource_subscriptions or ()):
            try:
                found.append((uri, *await self.find(self._owner_of(context), uri)))
            except NotFoundError:
                continue
        honored = types.SubscriptionFilter(resource_subscriptions=[uri for uri, _, _ in found] or None)
        # A bus of its own for each stream: an event of one owner has no way to another's.
        bus = InMemorySubscriptionBus()
        stream = ListenHandler(bus)
        self._streams.add(stream)
        tasks: list[asyncio.Task[None]] = []
        try:
            for uri, ref, after in found:

                async def tell(uri: str = uri) -> None:
                    await bus.publish(ResourceUpdated(uri))

                tasks.append(self.start(ref, after, tell))
            return await stream(context, types.SubscriptionsListenRequestParams(notifications=honored))
        finally:
            self._streams.discard(stream)
            await end(tasks)

    def close_streams(self) -> None:
        """End every stream in order: their clients listen again elsewhere."""
        for stream in list(self._streams):
            stream.close()

    async def aclose(self) -> None:
        """End everything."""
        self.close_streams()
        self._subscribed.clear()
        await end(list(self._running))

    def _key_of(
        self, context: Context, params: types.SubscribeRequestParams | types.UnsubscribeRequestParams
    ) -> tuple[str, str, str]:
        session = "" if context.request is None else context.request.headers.get("mcp-session-id", "")
        return self._owner_of(context), session, str(params.uri)

    # -- how a conversation is watched ----------------------------------------------------------------------------------

    async def find(self, owner: str, uri: str) -> tuple[Ref, int]:
        """Return the conversation that an address names, and the position of its newest message.

        Raises:
            NotFoundError: the owner has no such conversation.
            UnavailableError: the store is away.
        """
        ref = Ref(owner, views.thread_of(uri))
        newest = await (await self._open_store()).items.tail(ref, 1)
        return ref, newest[-1].position if newest else 0

    def start(self, ref: Ref, after: int, tell: Tell) -> asyncio.Task[None]:
        """Watch a conversation from a position on, in a task that ends with the conversation; MCPError where that is too much."""
        if len(self._running) >= MOST:
            raise MCPError(types.INTERNAL_ERROR, f"This server watches as much as it can ({MOST:,} conversations): ask later.")
        if self._of_owner[ref.owner] >= MOST_OF_ONE:
            raise MCPError(
                types.INTERNAL_ERROR, f"You watch {MOST_OF_ONE:,} conversations, the most at once: unsubscribe from one."
            )
        task = asyncio.create_task(self._follow(ref, after, tell))
        self._running.add(task)
        self._of_owner[ref.owner] += 1

        def forget(ended: asyncio.Task[None]) -> None:
            self._running.discard(ended)
            self._of_owner[ref.owner] -= 1
            if not self._of_owner[ref.owner]:
                del self._of_owner[ref.owner]

        task.add_done_callback(forget)
        return task

    async def _follow(self, ref: Ref, after: int, tell: Tell) -> None:
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


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, and return when they have ended."""
    found = list(tasks)
    for task in found:
        task.cancel()
    await asyncio.gather(*found, return_exceptions=True)
