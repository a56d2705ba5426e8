"""News for MCP clients of the protocol until 2025-11-25 over HTTP: what one subscribed to stands on the store, by its session.

So any worker answers any of its requests, and holds its stream; after a restart it opens the stream again, and hears what is new.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

import msgspec
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from starlette.requests import Request
from starlette.responses import Response

from .. import Ref, Store
from ..backend import Expiry
from ..codec import pack_id
from ..errors import ClewError, GoneError, UnavailableError
from ..ids import new_id
from ..limits import MAX_PAGE, check_id
from ..mcp import Watching
from ..mcp.views import thread_of
from ..mcp.watching import AGAIN_S, end
from ..records import FORMAT, Append, Change, Entry, Partition
from .identity import identity_of
from .tail import Tail

logger = logging.getLogger("clew.service")

Context = ServerRequestContext[Any, Any]
SESSION: Final = "mcp-session-id"
LOG: Final = "subscriptions"
TTL_MS: Final = 24 * 3600 * 1000
"""How long subscriptions stay after the last change of them."""


class _Change(msgspec.Struct, array_like=True):
    """A line of the log: an address, and the position after which news of it is wanted; None where it is not wanted any more."""

    uri: str
    after: int | None


class Streams:
    """The subscriptions and streams of a worker's older clients."""

    def __init__(self, open_store: Callable[[], Awaitable[Store]], watching: Watching, *, beat: float) -> None:
        self._open_store = open_store
        self._watching = watching
        self._beat = beat
        self._closing = asyncio.Event()

    async def subscribe(self, context: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Note that a client wants to hear of a conversation."""
        request = _request_of(context)
        uri = str(params.uri)
        _, after = await self._watching.find(identity_of(request).owner, uri)
        await self._note(_partition_of(request), _Change(uri, after))
        return types.EmptyResult()

    async def unsubscribe(self, context: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        """Note that it does not any more."""
        await self._note(_partition_of(_request_of(context)), _Change(str(params.uri), None))
        return types.EmptyResult()

    def open(self, request: Request) -> Response:
        """Return a client's stream."""
        return Tail(self._events(_partition_of(request)))

    async def forget(self, request: Request) -> Response:
        """End a session: forget what it subscribed to."""
        store = await self._open_store()
        await store.backend.drop(_partition_of(request), tombstone_ms=0)
        return Response(status_code=204)

    def close(self) -> None:
        """End every stream: the worker is about to go."""
        self._closing.set()

    async def _note(self, partition: Partition, change: _Change) -> None:
        backend = (await self._open_store()).backend
        entry = Entry(FORMAT, pack_id(new_id()), int(time.time() * 1000), msgspec.json.encode(change), "subscription")
        changes: list[Change] = [Append(LOG, entry, fresh=True)]
        done = await backend.commit(partition, changes)
        if done.outcomes[0] == 1 and isinstance(backend, Expiry):
            await backend.expire(partition, TTL_MS, kind="sliding")

    async def _events(self, partition: Partition) -> AsyncGenerator[bytes]:
        news: asyncio.Queue[str] = asyncio.Queue()
        watched: dict[str, asyncio.Task[None]] = {}
        waiting: set[str] = set()

        async def tell(uri: str) -> None:
            if uri not in waiting:
                waiting.add(uri)
                news.put_nowait(uri)

        tasks = [asyncio.create_task(self._keep_up(partition, watched, tell)), asyncio.create_task(self._wait_closing(news))]
        tasks[0].add_done_callback(lambda _: news.put_nowait(""))
        try:
            yield b": open\n\n"
            # A stream that hears of nothing any more ends, so that its client opens another one.
            while not self._closing.is_set() and not tasks[0].done():
                try:
                    async with asyncio.timeout(self._beat):
                        uri = await news.get()
                except TimeoutError:
                    yield b": beat\n\n"
                    continue
                waiting.discard(uri)
                if uri:
                    yield _frame(uri)
        finally:
            await end([*tasks, *watched.values()])

    async def _wait_closing(self, news: asyncio.Queue[str]) -> None:
        await self._closing.wait()
        news.put_nowait("")

    async def _keep_up(
        self, partition: Partition, watched: dict[str, asyncio.Task[None]], tell: Callable[[str], Awaitable[None]]
    ) -> None:
        """Watch what the client wants to hear of, as that changes."""
        while True:
            try:
                backend = (await self._open_store()).backend
                wanted: dict[str, int | None] = {}
                after, has_more = 0, True
                while has_more:
                    page = await backend.read(partition, LOG, after=after, limit=MAX_PAGE)
                    for entry in page.entries:
                        change = msgspec.json.decode(entry.data, type=_Change)
                        wanted[change.uri], after = change.after, entry.position
                    has_more = page.has_more
                for uri, position in wanted.items():
                    await self._set(partition.owner, _Change(uri, position), watched, tell)
                async for entry in backend.follow(partition, LOG, after=after):
                    await self._set(partition.owner, msgspec.json.decode(entry.data, type=_Change), watched, tell)
            except GoneError:
                return
            except UnavailableError:
                await asyncio.sleep(AGAIN_S)
            except ClewError as error:
                logger.warning("subscriptions cannot be followed any more: %s", type(error).__name__)
                return

    async def _set(
        self,
        owner: str,
        change: _Change,
        watched: dict[str, asyncio.Task[None]],
        tell: Callable[[str], Awaitable[None]],
    ) -> None:
        if change.after is None:
            task = watched.pop(change.uri, None)
            if task is not None:
                await end([task])
        elif change.uri not in watched or watched[change.uri].done():
            ref = Ref(owner, thread_of(change.uri))
            try:
                watched[change.uri] = self._watching.start(ref, change.after, lambda: tell(change.uri))
            except MCPError as error:
                # The others are still heard of.
                logger.warning("a conversation is not watched: %s", error)


def _frame(uri: str) -> bytes:
    message = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}
    return b"event: message\ndata: " + msgspec.json.encode(message) + b"\n\n"


def _request_of(context: Context) -> Request:
    assert isinstance(context.request, Request), "HTTP calls come with their request"
    if SESSION not in context.request.headers:
        raise MCPError(
            types.INVALID_REQUEST, "Subscribe in a session: send the Mcp-Session-Id that initialize was answered with."
        )
    return context.request


def _partition_of(request: Request) -> Partition:
    # The owner's own, and no thread: whoever knows another's session reaches nothing of it.
    return Partition(identity_of(request).owner, check_id(f"clew:mcp:{request.headers[SESSION]}", "the session's id"))
