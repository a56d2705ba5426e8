"""Following a log: one connection per event loop hears the bells of every followed partition; the log is the truth.

A bell says only "look". A follower subscribes, waits for the acknowledgement, reads what is there, and reads again at each
bell, at each renewed subscription, and now and then for safety. So nothing is missed when the bell's connection breaks.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final
from weakref import WeakKeyDictionary

from ...errors import ClosedError, GoneError
from ...limits import MAX_PAGE
from ...records import Entry, Partition
from .client import Client
from .hub import Hub
from .reading import ReadVerbs

SAFETY_S: Final = 10.0
"""How often a follower looks without a bell, in seconds, each time by chance up to a third earlier."""


class FollowVerbs(ReadVerbs):
    """Following."""

    _hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]

    def _hub(self, client: Client) -> Hub:
        if "_hubs" not in self.__dict__:
            self._hubs = WeakKeyDictionary()
        hub = self._hubs.get(client.loop)
        if hub is None:
            hub = self._hubs[client.loop] = Hub(client)
        return hub

    async def follow(self, partition: Partition, log: str, *, after: int | str | None = None) -> AsyncIterator[Entry]:
        """See Backend.follow."""
        keys = self._keys(partition)
        client = await self._client()
        if isinstance(after, str):
            after, _ = await self._positions(client, partition, keys, log, after, None)
        position = after or 0
        hub = self._hub(client)
        rung = asyncio.Event()
        was_dropped = False

        def ear(message: bytes | None) -> None:
            nonlocal was_dropped
            was_dropped = was_dropped or message == b"gone"
            rung.set()

        hub.listen(keys.bell, ear)
        try:
            await hub.heard(keys.bell, self.options.timeout)
            while True:
                rung.clear()
                if was_dropped:
                    # Also where it left no tombstone: what stands there now is another one.
                    raise GoneError(f"{partition.name!r} has been deleted")
                more = True
                while more:
                    entries, more = await self.read(partition, log, after=position, limit=MAX_PAGE)
                    for entry in entries:
                        yield entry
                        position = entry.position
                with suppress(TimeoutError):
                    async with asyncio.timeout(SAFETY_S * random.uniform(0.67, 1.0)):
                        await rung.wait()
                if hub.closed:
                    raise ClosedError("this store was closed: connect again")
        finally:
            hub.leave(keys.bell, ear)

    async def aclose(self) -> None:
        """See Backend.aclose."""
        hub = self.__dict__.get("_hubs", {}).pop(asyncio.get_running_loop(), None)
        if hub is not None:
            await hub.aclose()
        await super().aclose()
