"""ClewSubscriptionBus: what one worker of an MCP server publishes, the subscribers of all hear; for the protocol from 2026-07-28.

Nothing is replayed, as the protocol has it: a client that listens anew reads anew. While the store is away `publish` raises, and
nothing is heard; it goes on after the last event heard when the store is back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

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
from ...errors import ClewError, UnavailableError
from ...ids import new_id
from ...records import FORMAT, Append, Change, Entry, Partition, Trim
from .events import OWNER

logger = logging.getLogger("clew.mcp")

LOG: Final = "published"
CODEC: Final = "mcp.published/1"
KEEP: Final = 1_000
AGAIN_S: Final = 0.5
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
        self._after = page.entries[0].position if page.entries else 0
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            try:
                async for entry in self._backend.follow(self._partition, LOG, after=self._after):
                    self._after = entry.position
                    self._tell(_read(entry.data))
            except UnavailableError:
                await asyncio.sleep(AGAIN_S)
            except ClewError as error:
                logger.warning("the bus hears nothing of other workers for a moment: %s", error)
                await asyncio.sleep(AGAIN_S)

    def _tell(self, event: ServerEvent) -> None:
        for listener in list(self._listeners.values()):
            try:
                listener(event)
            except Exception:
                # One that raises must not starve the others.
                logger.exception("a listener of the bus failed")


def _write(event: ServerEvent) -> bytes:
    if isinstance(event, ResourceUpdated):
        return msgspec.json.encode(("updated", event.uri))
    kind = next(name for name, of in _KINDS.items() if type(event) is of)
    return msgspec.json.encode((kind, None))


def _read(data: bytes) -> ServerEvent:
    kind, uri = msgspec.json.decode(data, type=tuple[str, str | None])
    return _KINDS[kind]() if uri is None else ResourceUpdated(uri)
