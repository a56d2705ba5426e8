"""ClewSubscriptionBus: what one worker of an MCP server publishes, the subscribers of all hear; for the protocol from 2026-07-28.

Nothing is replayed, as the protocol has it: a client that listens anew reads anew. While the store is away `publish` raises, and
nothing is heard; it goes on after the last event heard when the store is back, or at the first where the store came back empty.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Final, cast

import msgspec
from mcp.server.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)

from ... import Store
from ...codec import pack_id
from ...errors import ClewError, ClosedError, InvalidError, UnavailableError
from ...ids import new_id
from ...records import FORMAT, Append, Change, Entry, Partition, Trim
from .events import OWNER

logger = logging.getLogger("clew.mcp")

LOG: Final = "published"
CODEC: Final = "mcp.published/1"
KEEP: Final = 1_000
AGAIN_S: Final = 0.5
LOOK_S: Final = 5.0
"""How often it looks whether the store still has what it heard last: a store that lost all numbers from 1 again."""
_KINDS: Final[dict[str, Callable[[], ServerEvent]]] = {
    "tools": ToolsListChanged,
    "prompts": PromptsListChanged,
    "resources": ResourcesListChanged,
}
Listener = Callable[[ServerEvent], None]


class ClewSubscriptionBus:
    """The SDK's SubscriptionBus on a store. `async with` it for as long as its server serves.

    Buses of the same name are one: those of the workers of a server. Give each owner's events a bus of a name of its own where
    the addresses of resources do not tell owners apart: whoever subscribes to an address hears of it.
    """

    def __init__(self, store: Store, *, name: str = "bus", owner: str = OWNER) -> None:
        """Open nothing yet."""
        self._backend = store.backend
        self._partition = Partition(owner, name)
        self._listeners: dict[object, Listener] = {}
        self._task: asyncio.Task[None] | None = None
        self._after = 0
        self._heard: str | None = None

    async def publish(self, event: ServerEvent) -> None:
        """Tell every worker's listeners, this one's too.

        Raises:
            UnavailableError: the store is away; the others may or may not have been told.
        """
        entry = Entry(FORMAT, pack_id(new_id()), int(time.time() * 1000), _write(event), "event", CODEC)
        changes: list[Change] = [Append(LOG, entry, fresh=True)]
        position = (await self._backend.commit(self._partition, changes)).outcomes[0]
        if position % KEEP == 0:
            await self._backend.commit(self._partition, [Trim(LOG, position - KEEP + 1)])

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Register a listener, and return what removes it again."""
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    async def __aenter__(self) -> ClewSubscriptionBus:
        page = await self._backend.read(self._partition, LOG, limit=1, newest_first=True)
        for entry in page.entries:
            self._after, self._heard = entry.position, entry.id
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            try:
                await self._look()
                # The waist promises an iterator; those of the backends are generators, which hold a place until they are closed.
                entries = cast(AsyncGenerator[Entry], self._backend.follow(self._partition, LOG, after=self._after))
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S * random.uniform(0.67, 1.0)), aclosing(entries):
                        async for entry in entries:
                            self._after, self._heard = entry.position, entry.id
                            self._tell(entry)
                            # A burst must not fill the buffers of streams that are not given a turn.
                            await asyncio.sleep(0)
            except UnavailableError:
                await asyncio.sleep(AGAIN_S)
            except ClosedError:
                return
            except ClewError as error:
                logger.warning("the bus hears nothing of other workers for a moment: %s", error)
                await asyncio.sleep(AGAIN_S)

    async def _look(self) -> None:
        """Begin at the first event where the log is another one than that which was heard."""
        if self._after:
            page = await self._backend.read(self._partition, LOG, after=self._after, limit=1, inclusive=True)
            found = page.entries[0] if page.entries else None
            # One that was trimmed away leaves a later one in its place.
            if found is None or (found.position == self._after and found.id != self._heard):
                self._after, self._heard = 0, None

    def _tell(self, entry: Entry) -> None:
        event = _read(entry.data)
        if event is None:
            logger.warning("the bus heard of something that this version does not know, and left it out")
            return
        for listener in list(self._listeners.values()):
            try:
                listener(event)
            except Exception:
                # One that raises must not starve the others.
                logger.exception("a listener of the bus failed")


def _write(event: ServerEvent) -> bytes:
    if isinstance(event, ResourceUpdated):
        return msgspec.json.encode(("updated", event.uri))
    kind = next((name for name, of in _KINDS.items() if type(event) is of), None)
    if kind is None:
        raise InvalidError(f"the bus does not know events of the type {type(event).__name__}: upgrade clew")
    return msgspec.json.encode((kind, None))


def _read(data: bytes) -> ServerEvent | None:
    """Return the event, None for one that a newer version wrote."""
    try:
        kind, uri = msgspec.json.decode(data, type=tuple[str, str | None])
    except msgspec.DecodeError:
        return None
    if uri is not None:
        return ResourceUpdated(uri) if kind == "updated" else None
    return _KINDS[kind]() if kind in _KINDS else None
