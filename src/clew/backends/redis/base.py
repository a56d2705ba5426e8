"""What every part of the Redis backend stands on: a client for the running event loop, and the keys of a partition."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from ...errors import ClosedError
from ...metering import Meters
from ...records import Partition
from .client import Client
from .keys import PartitionKeys, partition_keys
from .options import Options

ITEMS = "items"
"""The log that nearly every partition has."""


class RedisBase:
    """A connection's options, and a client for each event loop that uses them.

    An event loop that ends takes its connections with it; the next one gets its own at its first call.
    """

    def __init__(self, options: Options, place: str) -> None:
        self.options = options
        self.place = place
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Client] = WeakKeyDictionary()
        self._opening: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
        self._tally = Meters()
        self._latest: Client | None = None
        self._closed = False
        self._unfinished: set[asyncio.Future[None]] = set()
        self._known_logs: dict[Partition, tuple[str, ...]] = {}

    def _ready(self) -> Client | None:
        """Return the running loop's client where it is the one that was used last: without the cost of a coroutine."""
        latest = self._latest
        return latest if latest is not None and latest.loop is asyncio.get_running_loop() else None

    async def _client(self) -> Client:
        """Return the running loop's client, opened at its first call."""
        ready = self._ready()
        if ready is not None:
            return ready
        loop = asyncio.get_running_loop()
        if self._closed:
            raise ClosedError("this store was closed: connect again")
        async with self._opening.setdefault(loop, asyncio.Lock()):
            client = self._clients.get(loop)
            if client is None:
                client = Client(self.options, self.place, self._tally)
                try:
                    await client.open()
                except BaseException:
                    await client.aclose()
                    raise
                self._clients[loop] = client
        self._latest = client
        return client

    def meters(self) -> Meters:
        """See Metering.meters: of the clients of all event loops together."""
        return replace(self._tally)

    def _keys(self, partition: Partition) -> PartitionKeys:
        return partition_keys(self.options.namespace, partition)

    def _listed_on_one_server(self) -> bool:
        """Whether a listing can be written in the same script as the thread: not where they may be on two servers."""
        return self.options.topology != "cluster"

    def _logs_of(self, partition: Partition, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """Return the logs to pass keys for: those wanted, and those the partition is known to have."""
        known = self._known_logs.get(partition)
        if known is None:
            return wanted
        return wanted + tuple(name for name in known if name not in wanted)

    def _learn_logs(self, partition: Partition, names: bytes) -> None:
        """Remember a partition's logs; `names` is what a script answered, as percent-encoded words."""
        from .keys import decode_part

        if len(self._known_logs) > 4096:
            self._known_logs.clear()
        self._known_logs[partition] = tuple(decode_part(word) for word in names.decode().split())

    async def _whole(self, verb: Coroutine[Any, Any, bool]) -> bool:
        """Run a verb of several requests, which a close waits for."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unfinished.add(done)
        try:
            return await verb
        finally:
            self._unfinished.discard(done)
            done.set_result(None)

    async def aclose(self) -> None:
        """Close what was opened for the running loop; a loop that has ended has closed its own."""
        self._closed = True
        self._latest = None
        mine = [verb for verb in self._unfinished if verb.get_loop() is asyncio.get_running_loop()]
        if mine:
            await asyncio.wait(mine)
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()
